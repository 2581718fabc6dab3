"""A model comes back from its run's folder with its own configuration and, where kept, averaged weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.events import MadeSteps, example, small
from trainer.average import MovingAverage
from trainer.configs import TrainConfig
from trainer.loop import Trainer
from trainer.model.wam import build
from trainer.parallel import Ranks
from trainer.trained import load_trained

CONFIG = replace(small(), name="narrow", average=0.5)


def saved(config: TrainConfig, out: Path) -> Trainer:
    steps = MadeSteps(example(), n_steps=3)
    trainer = Trainer(config, build(config.model, config.seed), steps, Ranks(0, 1, torch.device("cpu")))
    with steps.read(0, 0, 1) as read:
        for step in read:
            trainer.advance(step)
            trainer.save(out)
    return trainer


def test_the_newest_checkpoint_comes_back_with_averaged_weights(tmp_path: Path) -> None:
    own = saved(CONFIG, tmp_path)
    found = load_trained(tmp_path)
    assert (found.config, found.step, found.averaged) == (CONFIG, 3, True)
    assert isinstance(own.average, MovingAverage)
    for name, parameter in found.model.named_parameters():
        assert torch.equal(parameter, own.average.values[name])
    assert load_trained(tmp_path / "step-00000002").step == 2


def test_without_an_average_the_weights_are_the_last_ones(tmp_path: Path) -> None:
    own = saved(replace(CONFIG, average=0.0), tmp_path)
    found = load_trained(tmp_path)
    assert not found.averaged
    trained = dict(own.model.named_parameters())
    assert all(torch.equal(value, trained[name]) for name, value in found.model.named_parameters())


def test_a_folder_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint there"):
        load_trained(tmp_path)
