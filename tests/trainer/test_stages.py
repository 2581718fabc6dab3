"""Stages: exactly the named parameters move; what is frozen gets no gradient and no optimiser state (T4)."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, talking
from trainer.batch import Example
from trainer.configs import TrainConfig
from trainer.loop import StepLog, Trainer
from trainer.model.wam import WallWM
from trainer.parallel import Ranks
from trainer.stages import FIVE, STAGES, StageName, freeze
from trainer.steps import TrainStep

PARTS = {
    "joint": {"video", "text", "action", "language"},
    "video": {"video", "text"},
    "action": {"action"},
    "language": {"language"},
    "staircase": {"staircase"},
    "adapt": {"video", "action", "window"},
}


def event(stage: StageName) -> Example:
    """Of 9 frames and two views; with history where the stage has windows."""
    return replace(example(views=2), history=1 if STAGES[stage].windows else 0)


def one_step(config: TrainConfig, model: WallWM, events: Sequence[Example]) -> tuple[Trainer, StepLog]:
    steps = MadeSteps(*events, n_steps=2)
    trainer = Trainer(config, model, steps, Ranks(0, 1, torch.device("cpu")))
    return trainer, trainer.advance(TrainStep(0, (steps.pack(0),)))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_moves_exactly_its_own_parts_and_keeps_nothing_for_the_others(stage: StageName) -> None:
    model = lively(talking().model)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trainer, _ = one_step(replace(talking(), stage=stage), model, [event(stage)])
    own = dict(model.named_parameters())
    moved = {name for name, parameter in own.items() if not torch.equal(before[name], parameter)}
    assert {name.split(".")[0] for name in moved} == PARTS[stage]
    frozen = [parameter for name, parameter in own.items() if not re.match(STAGES[stage].moves, name)]
    assert all(parameter.grad is None for parameter in frozen)
    held = {id(parameter) for optimiser in trainer.optimisers for parameter in optimiser.state}
    assert held
    assert not held & {id(parameter) for parameter in frozen}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reports_the_losses_it_counts_and_no_others(stage: StageName) -> None:
    _, line = one_step(replace(talking(), stage=stage), lively(talking().model), [event(stage)])
    named = STAGES[stage]
    assert (line.next_event > 0) == (line.remaining > 0) == (line.aligned > 0) == named.language_loss
    assert (line.chain > 0) == named.chain_loss
    assert (line.action > 0) == named.action_loss
    assert (line.video > 0) == named.runs_towers
    counted = line.video * named.video_loss + line.action + line.next_event + line.remaining + line.aligned + line.chain
    assert line.loss == pytest.approx(counted, rel=1e-6)


def test_every_parameter_moves_in_one_of_the_five_stages() -> None:
    names = [name for name, _ in lively(talking().model).named_parameters()]
    unclaimed = [name for name in names if not any(re.match(STAGES[stage].moves, name) for stage in FIVE)]
    assert unclaimed == []
    assert {name.split(".")[0] for name in names} == {"text", "video", "action", "language", "staircase", "window"}


def test_freezing_for_another_stage_thaws_again() -> None:
    model = lively(talking().model)
    freeze(model, STAGES["action"])
    freeze(model, STAGES["joint"])
    towers = (model.video, model.text, model.action, model.language)
    assert all(parameter.requires_grad for tower in towers if tower is not None for parameter in tower.parameters())


def test_a_stage_whose_part_the_model_lacks_is_refused() -> None:
    bare = replace(talking().model, language=None, history=0)
    for stage in ("language", "staircase"):
        with pytest.raises(ValueError, match="no parameter matches"):
            freeze(lively(bare), STAGES[stage])


def test_heads_and_towers_do_not_slow_each_other_down() -> None:
    """The towers' step is the same with a hard question beside it and without any."""
    answers = [example(caption="lift the cup"), example(caption="x" * 90)]
    asked, silent = talking(), replace(talking(), model=replace(talking().model, language=None))
    lines = [one_step(config, lively(config.model), answers)[1] for config in (asked, silent)]
    assert (lines[0].video, lines[0].action, lines[0].gradient_norm) == (
        lines[1].video,
        lines[1].action,
        lines[1].gradient_norm,
    )
    assert lines[0].next_event > 0 == lines[1].next_event
