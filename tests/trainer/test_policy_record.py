"""`policy.json`: every configuration comes back as it was, and what is not understood is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.policies import body, checkpoint_in
from trainer.checkpoint import RECORD
from trainer.configs import CONFIGS, TrainConfig, tiny
from trainer.flow import Schedule, Sigmas
from trainer.policy_record import PolicyRecord, checkpoint_folder, read_record, written

APART = replace(tiny(), schedule=Schedule(Sigmas("anchor"), Sigmas("beta"), 6), dtype="bfloat16")


@pytest.mark.parametrize("config", [*(make() for make in CONFIGS.values()), APART], ids=lambda config: config.name)
def test_a_configuration_comes_back_to_the_digest(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / RECORD).write_text(written(config, [body()]))
    found = read_record(tmp_path)
    assert found.config == config
    assert found.config.digest == config.digest
    assert [each.group for each in found.embodiments] == ["arm"]


def test_training_leaves_it_in_every_checkpoint(tmp_path: Path) -> None:
    folder = checkpoint_folder(checkpoint_in(tmp_path))
    assert folder.name == "step-00000000"
    assert checkpoint_folder(folder) == folder
    assert read_record(folder).embodiments[0].cameras == ("front", "wrist")


def test_a_folder_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint there"):
        checkpoint_folder(tmp_path)


def _unknown_setting(values: dict[str, Any]) -> None:
    values["config"]["model"]["video"]["flavour"] = "salt"


def _unknown_in_a_list(values: dict[str, Any]) -> None:
    values["config"]["rules"][0]["flavour"] = "salt"


def _wrong_type(values: dict[str, Any]) -> None:
    values["config"]["model"]["video"]["width"] = "wide"


def _no_statistics(values: dict[str, Any]) -> None:
    del values["embodiments"][0]["stats"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_setting, r"does not know: model\.video\.flavour"),
        (_unknown_in_a_list, r"does not know: rules\.0\.flavour"),
        (_wrong_type, "cannot be read as a policy's record"),
        (_no_statistics, "cannot be read as a policy's record"),
    ],
)
def test_what_is_not_understood_is_refused(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    values = json.loads(written(tiny(), [body()]))
    change(values)
    (tmp_path / RECORD).write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        read_record(tmp_path)


def test_one_of_several_bodies_has_to_be_named() -> None:
    both = PolicyRecord(tiny(), (body(), replace(body(), group="leg")))
    assert both.embodiment("leg").group == "leg"
    with pytest.raises(ValueError, match=r"no embodiment was named; .*\['arm', 'leg'\]"):
        both.embodiment(None)
    with pytest.raises(ValueError, match="actions of none"):
        PolicyRecord(tiny(), ()).embodiment(None)
