"""Stages: exactly the named parameters move; a frozen tower gets no gradient buffers (T4)."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, small
from trainer.batch import Example
from trainer.configs import TrainConfig
from trainer.loop import Trainer
from trainer.model.wam import WallWM
from trainer.parallel import Ranks
from trainer.stages import STAGES, StageName, freeze
from trainer.steps import TrainStep


def one_step(config: TrainConfig, model: WallWM, event: Example) -> None:
    steps = MadeSteps(event, n_steps=2)
    Trainer(config, model, steps, Ranks(0, 1, torch.device("cpu"))).advance(TrainStep(0, (steps.pack(0),)))


@pytest.mark.parametrize(
    ("stage", "moving"), [("joint", {"video", "text", "action"}), ("video", {"video", "text"}), ("action", {"action"})]
)
def test_a_stage_moves_exactly_its_own_towers(stage: StageName, moving: set[str]) -> None:
    model = lively(small().model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    one_step(replace(small(), stage=stage), model, example(views=2))
    moved = {
        name.split(".")[0] for name, parameter in model.named_parameters() if not torch.equal(before[name], parameter)
    }
    assert moved == moving


def test_a_frozen_video_tower_gets_no_gradient_buffers() -> None:
    model = lively(small().model)
    one_step(replace(small(), stage="action"), model, example())
    assert all(parameter.grad is None for parameter in (*model.video.parameters(), *model.text.parameters()))
    assert any(parameter.grad is not None for parameter in model.action.parameters())


def test_freezing_for_another_stage_thaws_again() -> None:
    model = lively(small().model)
    freeze(model, STAGES["action"])
    freeze(model, STAGES["joint"])
    assert all(parameter.requires_grad for parameter in model.parameters())
