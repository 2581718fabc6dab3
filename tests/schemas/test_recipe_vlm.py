"""What a recipe may say about models and their servers, and what it must not hold."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.recipe_section import section_digest
from schemas.recipe_vlm import StartVllm, VlmServersSpec, VlmSpec

URL = "http://host:8000/v1"


def servers(**keys: Any) -> VlmServersSpec:
    return VlmServersSpec.model_validate({"endpoints": [{"url": URL}]} | keys)


def test_a_model_is_its_name_and_its_weights() -> None:
    model = VlmSpec(model="qwen", revision="a1")
    assert model.identity == "qwen@a1"
    assert section_digest(model) != section_digest(VlmSpec(model="qwen", revision="a2"))


def test_servers_run_already_or_are_started() -> None:
    assert servers().start is None
    assert servers(endpoints=[], start={}).start == StartVllm()
    for both_or_neither in ({"start": {}}, {"endpoints": []}):
        with pytest.raises(ValidationError, match="either endpoints that run already or start"):
            servers(**both_or_neither)


@pytest.mark.parametrize("url", ["host:8000/v1", "ftp://host/v1", "http:///v1", "http://host:x/v1", "http://[::1/v1"])
def test_an_address_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError, match="expected an address such as"):
        servers(endpoints=[{"url": url}])


@pytest.mark.parametrize("url", ["http://me:hunter2@host/v1", "http://me@host/v1", "http://host/v1?api_key=hunter2"])
def test_a_recipe_holds_no_password(url: str) -> None:
    with pytest.raises(ValidationError, match="name a file with the key") as raised:
        servers(endpoints=[{"url": url}])
    assert all("hunter2" not in error["msg"] for error in raised.value.errors(include_input=False, include_url=False))


@pytest.mark.parametrize("key", [{}, {"env": "A", "file": "b"}, {"env": "not a name"}, {"text": "sk-1"}])
def test_a_key_is_in_one_place_outside_the_recipe(key: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        servers(endpoints=[{"url": URL, "key": key}])


def test_an_endpoint_is_named_once() -> None:
    with pytest.raises(ValidationError, match=r"endpoints\.1\.url: named twice"):
        servers(endpoints=[{"url": URL}, {"url": URL + "/"}])


@pytest.mark.parametrize("argument", ["--port", "--api-key=sk-1", "--served-model-name"])
def test_the_address_of_a_started_server_is_joinerys_to_choose(argument: str) -> None:
    with pytest.raises(ValidationError, match=r"arguments\.1: found --[a-z-]+, which Joinery sets") as raised:
        StartVllm(arguments=["--enforce-eager", argument])
    assert "sk-1" not in raised.value.errors(include_input=False)[0]["msg"]


def test_the_environment_of_a_started_server_holds_no_secret() -> None:
    assert StartVllm(environment={"HF_HUB_OFFLINE": "1"}).environment == {"HF_HUB_OFFLINE": "1"}
    with pytest.raises(ValidationError, match=r"environment\.HF_TOKEN: looks like a secret"):
        StartVllm(environment={"HF_TOKEN": "hf_1"})


def test_a_whole_answer_takes_no_less_than_its_first_byte() -> None:
    with pytest.raises(ValidationError, match="whole_s"):
        servers(timeouts={"first_byte_s": 10, "whole_s": 5})
