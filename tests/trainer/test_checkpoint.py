"""Checkpoints: whole or not at all, no pickle, and of the model they belong to."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, small
from trainer import checkpoint
from trainer.checkpoint import RUN, load_weights, newest, read_run
from trainer.loop import Trainer
from trainer.model.wam import build
from trainer.parallel import Ranks


def trainer(seed: int = 0, average: float = 0.0) -> Trainer:
    config = replace(small(), average=average)
    return Trainer(config, lively(config.model, seed=seed), MadeSteps(example()), Ranks(0, 1, torch.device("cpu")))


def test_a_checkpoint_is_safetensors_and_json(tmp_path: Path) -> None:
    folder = trainer().save(tmp_path)
    assert {path.suffix for path in folder.iterdir()} == {".safetensors", ".json"}
    assert read_run(folder).step == 0


def test_weights_alone_can_be_read(tmp_path: Path) -> None:
    own = trainer(seed=3)
    folder = own.save(tmp_path)
    other = build(small().model, 1)
    load_weights(folder, other, averaged=False)
    assert all(torch.equal(a, b) for a, b in zip(own.model.parameters(), other.parameters(), strict=True))


def test_averaged_weights_are_read_where_asked_for(tmp_path: Path) -> None:
    own = trainer(average=0.9)
    assert own.average is not None
    own.average.update()
    for value in own.average.values.values():
        value.zero_()
    folder = own.save(tmp_path)
    other = build(small().model, 1)
    load_weights(folder, other, averaged=True)
    averaged = {name: parameter for name, parameter in other.named_parameters() if name in own.average.values}
    assert len(averaged) > 100
    assert not any(parameter.any() for parameter in averaged.values())


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = trainer()
    own.save(tmp_path)

    def die(*_args: object, **_named: object) -> None:
        raise OSError("disk full")

    own.step = 1
    monkeypatch.setattr(checkpoint.state_dict_saver, "save", die)
    with pytest.raises(OSError, match="disk full"):
        own.save(tmp_path)
    found = newest(tmp_path)
    assert found is not None
    assert found.name == "step-00000000"


def test_only_the_last_two_are_kept(tmp_path: Path) -> None:
    own = trainer()
    for own.step in (1, 2, 3):
        own.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


def test_a_checkpoint_of_another_model_says_what_is_missing(tmp_path: Path) -> None:
    folder = trainer().save(tmp_path)
    deeper = replace(small().model, video=replace(small().model.video, depth=3))
    with pytest.raises(ValueError, match=r"tensors are not in it, first model\.action\.blocks\.2"):
        load_weights(folder, build(deeper, 0), averaged=False)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / RUN).write_text("{}")
    with pytest.raises(ValueError, match="no state of a run"):
        read_run(tmp_path)
