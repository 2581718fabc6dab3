"""What is started: the recipe's model under our address, with vLLM's own interpreter and threads."""

import sys
from pathlib import Path
from typing import Any

import pytest

from annotators.vlm.secret import Secret
from jobs.vllm.command import Command, Wanted, vllm_command
from pipeline.errors import ServiceError
from schemas.recipe_vlm import StartVllm, VlmSpec


def command(gpus: int = 0, **start: Any) -> Command:
    section = StartVllm.model_validate({"python": sys.executable} | start)
    wanted = Wanted(VlmSpec(model="org/model", revision="a1"), section, Secret("sk-1"), gpus)
    return vllm_command(wanted, "127.0.0.1", 8123)


def option(made: Command, name: str) -> str:
    return made.line[made.line.index(name) + 1]


def test_a_model_of_a_hub_is_pinned_to_its_revision() -> None:
    made = command()
    assert made.line[:5] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", "org/model")
    assert (option(made, "--revision"), option(made, "--port")) == ("a1", "8123")


def test_weights_in_a_folder_are_served_under_the_models_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    made = command(weights=str(tmp_path))
    assert (made.line[4], option(made, "--served-model-name")) == (str(tmp_path), "org/model")
    assert "--revision" not in made.line


def test_weights_that_are_not_there_are_no_name_on_a_hub(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="/lost: no such folder"):
        command(weights=str(tmp_path / "lost"))
    with pytest.raises(ServiceError, match=r"no config\.json in it"):
        command(weights=str(tmp_path))


def test_the_recipes_own_options_come_last_so_that_they_win() -> None:
    assert command(arguments=["--max-model-len", "2048"]).line[-2:] == ("--max-model-len", "2048")


def test_the_key_is_in_the_environment_and_on_no_command_line() -> None:
    made = command()
    assert made.environment["VLLM_API_KEY"] == "sk-1"
    assert "sk-1" not in made.shown
    assert "sk-1" not in repr(made)


def test_our_one_thread_and_our_modules_are_not_vllms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    assert "PYTHONPATH" not in command().environment
    assert int(command().environment["OMP_NUM_THREADS"]) >= 1
    assert "OMP_NUM_THREADS" not in command(gpus=1).environment
    assert command(environment={"OMP_NUM_THREADS": "7"}).environment["OMP_NUM_THREADS"] == "7"


def test_several_gpus_hold_one_model() -> None:
    assert option(command(gpus=4), "--tensor-parallel-size") == "4"
    assert "--tensor-parallel-size" not in command(gpus=1).line


def test_a_missing_interpreter_is_said_with_what_makes_it() -> None:
    with pytest.raises(ServiceError, match="`make vllm` makes one"):
        command(python="/nowhere/python")
