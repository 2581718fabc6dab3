"""A key comes from the place the recipe names, and shows itself to nobody."""

import pickle
from pathlib import Path

import pytest

from annotators.vlm.endpoint import servers_of
from annotators.vlm.secret import Secret, read_key
from pipeline.errors import ServiceError
from schemas.recipe_vlm import ApiKey, VlmServersSpec

URL = "http://host/v1"


def test_a_key_is_read_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("sk-1\n")
    monkeypatch.setenv("VLM_KEY", "sk-2")
    assert read_key(ApiKey(file=str(tmp_path / "key")), URL).reveal() == "sk-1"
    assert read_key(ApiKey(env="VLM_KEY"), URL).reveal() == "sk-2"


def test_a_secret_travels_to_workers_and_is_not_printed() -> None:
    secret = pickle.loads(pickle.dumps(Secret("sk-1")))
    assert secret.reveal() == "sk-1"
    assert "sk-1" not in f"{secret} {secret!r} {[secret]}"
    assert secret.blanked("wrong key sk-1!") == "wrong key ***!"


@pytest.mark.parametrize("content", [b"", b"\n", b"a b", "schlüssel".encode(), b"\xff", b"one\ntwo"])
def test_what_is_no_key_is_said_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ServiceError, match="the file") as raised:
        read_key(ApiKey(file=str(tmp_path / "key")), URL)
    assert URL in str(raised.value)
    assert "two" not in str(raised.value)


def test_a_missing_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VLM_KEY", raising=False)
    with pytest.raises(ServiceError, match=r"no key in the environment variable VLM_KEY.*where the run is started"):
        read_key(ApiKey(env="VLM_KEY"), URL)
    with pytest.raises(ServiceError, match="FileNotFoundError"):
        read_key(ApiKey(file=str(tmp_path / "nowhere")), URL)


def test_endpoints_get_their_own_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLM_KEY", "sk-2")
    spec = VlmServersSpec.model_validate(
        {"endpoints": [{"url": "http://a/v1/", "key": {"env": "VLM_KEY"}}, {"url": "http://b/v1"}]}
    )
    first, second = servers_of(spec)
    assert (first.url, first.key, second.key) == ("http://a/v1", Secret("sk-2"), None)
