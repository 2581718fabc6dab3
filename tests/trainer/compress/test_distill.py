"""Distillation as a run: who learns what, from whom, and that a kill loses nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.trainer.events import MadeSteps, example, lively, small
from tests.trainer.test_loop import trained
from tests.trainer.test_parallel import assert_same
from tests.trainer.test_parallel import trained as of_ranks
from trainer import checkpoint
from trainer.compress.distill import DistillConfig, Distiller
from trainer.configs import TrainConfig
from trainer.flow import Schedule, Sigmas
from trainer.journal import LOG
from trainer.model.wam import WallWM, build
from trainer.parallel import Ranks
from trainer.policy_record import read_record
from trainer.steps import TrainStep

ALONE = Ranks(0, 1, torch.device("cpu"))
ASYMMETRIC = Schedule(Sigmas("anchor"), Sigmas("beta"), action_draws=2)
PLAN = DistillConfig(steps=2, ratio=2, rate=1.0)


def steps(n_steps: int = 5) -> MadeSteps:
    events = example(), example(frames=5, views=2, seed=1), example(actions=0, frames=13, seed=2)
    return MadeSteps(*events, n_steps=n_steps)


def distiller(plan: DistillConfig = PLAN, config: TrainConfig | None = None) -> Distiller:
    config = replace(small(), save_every=2, warmup=0) if config is None else config
    return Distiller(config, plan, lively(config.model), steps(), ALONE)


def same(one: WallWM, other: WallWM) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def first(own: Distiller) -> TrainStep:
    made = own.steps
    assert isinstance(made, MadeSteps)
    return TrainStep(0, (made.pack(0), made.pack(1)))


def test_student_and_fake_score_start_as_the_teacher() -> None:
    own = distiller()
    assert same(own.model, own.teacher)
    assert same(own.fake, own.teacher)


@pytest.mark.parametrize("schedule", [small().schedule, ASYMMETRIC], ids=["symmetric", "asymmetric"])
def test_student_and_fake_score_move_and_the_teacher_does_not(schedule: Schedule) -> None:
    config = replace(small(), schedule=schedule, warmup=0)
    own, before = distiller(config=config), lively(config.model)
    line = own.advance(first(own))
    assert same(own.teacher, before)
    assert all(parameter.grad is None for parameter in own.teacher.parameters())
    assert not same(own.model, own.teacher)
    assert not same(own.fake, own.teacher)
    assert not same(own.fake, own.model)
    assert min(line.matching, line.action, line.fake, line.gradient_norm) > 0
    assert (line.video > 0) == (schedule.action is None)
    assert line.level in (1.0, 0.5)


def test_where_actions_have_levels_of_their_own_the_video_tower_stays() -> None:
    own = distiller(config=replace(small(), schedule=ASYMMETRIC, warmup=0))
    own.advance(first(own))
    for model in (own.model, own.fake):
        assert same(model.video, own.teacher.video)  # type: ignore[arg-type]
        assert same(model.text, own.teacher.text)  # type: ignore[arg-type]


def test_each_part_of_the_loss_can_be_left_out() -> None:
    without_action, without_match = (
        distiller(replace(PLAN, **{name: 0.0})) for name in ("action_weight", "match_weight")
    )
    one, other = (own.advance(first(own)) for own in (without_action, without_match))
    assert (one.action, other.video, other.matching) == (0.0, 0.0, 0.0)
    assert min(one.matching, other.action) > 0
    with pytest.raises(ValueError, match="nothing would be learnt"):
        replace(PLAN, action_weight=0.0, match_weight=0.0)


def test_events_without_actions_move_no_actions() -> None:
    own = distiller()
    alone = MadeSteps(example(actions=0, frames=13, seed=2))
    line = own.advance(TrainStep(0, (alone.pack(0),)))
    assert (line.matching, line.action) == (0.0, 0.0)
    assert line.video > 0


def test_a_student_at_rest_with_its_teacher_is_moved_by_the_record_only() -> None:
    """Before the fake score has moved, it and the teacher say the same."""
    own = distiller(replace(PLAN, fake_rate=0.0))
    line = own.advance(first(own))
    assert (line.video, line.matching) == (0.0, 0.0)
    assert line.action > 0


def test_the_fake_score_learns_to_denoise_the_student(tmp_path: Path) -> None:
    """Its loss on samples of a student that stands still falls."""
    own = distiller(replace(PLAN, rate=0.0, ratio=8, fake_rate=3.0))
    losses = []
    with own.steps.read(0, 0, 1) as read:
        losses = [own.advance(step).fake for step in read]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("schedule", [small().schedule, ASYMMETRIC], ids=["symmetric", "asymmetric"])
def test_a_killed_and_resumed_distillation_is_the_uninterrupted_one(tmp_path: Path, schedule: Schedule) -> None:
    config = replace(small(), schedule=schedule, save_every=2)
    whole, parts, resumed = (distiller(config=config) for _ in range(3))
    trained(whole, tmp_path / "whole")
    trained(parts, tmp_path / "parts", killed_at=3)
    found = checkpoint.newest(tmp_path / "parts")
    assert found is not None
    resumed.restore(found)
    assert resumed.step == 2
    trained(resumed, tmp_path / "parts")
    assert (tmp_path / "whole" / LOG).read_bytes() == (tmp_path / "parts" / LOG).read_bytes()
    assert same(whole.model, resumed.model)
    assert same(whole.fake, resumed.fake)


@pytest.mark.slow
@pytest.mark.parametrize("spread", ["replicate", "shard"])
def test_two_ranks_distil_as_one_does(tmp_path: Path, spread: str) -> None:
    """Real processes over gloo; five packs of two events between them, student and fake score in step."""
    alone = of_ranks(tmp_path / "one", 1, "--distil")
    assert all(line["fake"] > 0 for line in alone)
    assert_same(of_ranks(tmp_path / "two", 2, "--distil", "--spread", spread), alone)


def test_another_teacher_or_plan_is_another_run(tmp_path: Path) -> None:
    folder = distiller().save(tmp_path)
    with pytest.raises(ValueError, match="its config is"):
        distiller(replace(PLAN, ratio=3)).restore(folder)
    config = replace(small(), save_every=2, warmup=0)
    with pytest.raises(ValueError, match="its config is"):
        Distiller(config, PLAN, lively(config.model, seed=1), steps(), ALONE).restore(folder)


def test_the_students_checkpoint_says_in_how_many_steps_it_is_asked(tmp_path: Path) -> None:
    own = distiller()
    folder = own.save(tmp_path)
    record = read_record(folder)
    assert record.config.sample_steps == 2
    other = build(record.config.model, 1)
    checkpoint.load_weights(folder, other, averaged=False)
    assert same(other, own.model)


def test_a_teacher_without_actions_and_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="has not learnt actions"):
        distiller(config=replace(small(), stage="video"))
    with pytest.raises(ValueError, match="expected 1 to 4"):
        DistillConfig(steps=5)
    with pytest.raises(ValueError, match="at least 1"):
        DistillConfig(ratio=0)


def test_half_precision_stays_close_to_single() -> None:
    half, single = (
        (own := distiller(config=replace(small(), dtype=dtype))).advance(first(own))
        for dtype in ("bfloat16", "float32")
    )
    assert half.action == pytest.approx(single.action, rel=0.05)
    assert half.fake == pytest.approx(single.fake, rel=0.05)
