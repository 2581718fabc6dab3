"""The baselines do what their papers say, at least as well as they do, and none of them can do better than ours."""

from itertools import pairwise

import numpy as np
import pytest

from annotators.kinematic.signals import ArmSignals, arm_signals
from annotators.scores.baselines import (
    GRIPPER,
    SIGNAL_RULES,
    awe,
    gripper_flips,
    kernel_cpd,
    pauses_and_gripper,
    same_count,
    signal_baselines,
    speed_minima,
    uniform,
)
from annotators.scores.boundaries import Tally, tolerance_ns, untyped
from annotators.scores.marks import Mark, marks_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import BoundaryKind
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import boundaries, calibration_of, even_times, make_arm, make_track, synthetic

SPEC = SegmentSpec()


def signals(position: Floats, opening: Floats | None = None, fps: float = 50.0) -> ArmSignals:
    times = even_times(len(position), fps)
    track = make_track(times, make_arm(position.astype(np.float32), None if opening is None else opening))
    (found,) = arm_signals(track, calibration_of(), SPEC)
    return found


def seconds(marks: list[Mark]) -> list[float]:
    return [mark.t_ns / NS_PER_S for mark in marks]


def eased(n: int) -> Floats:
    """From 0 to 1 and at rest at both ends."""
    s = np.linspace(0, 1, n)
    return 3 * s**2 - 2 * s**3


def two_moves() -> Floats:
    """One second forward, one second of rest, one second to the left."""
    still = np.zeros(50)
    x, y = np.concatenate([eased(50), still + 1, still + 1]), np.concatenate([still, still, eased(50)])
    return np.stack([0.3 * x, 0.3 * y, np.zeros(150)], axis=1)


def test_the_grid_cuts_every_second_of_each_range() -> None:
    ranges = [(0, 3 * NS_PER_S), (10 * NS_PER_S, 11_500_000_000)]
    assert seconds(uniform(ranges)) == [1.0, 2.0, 11.0]


def test_the_grid_of_the_same_count_knows_how_often_we_cut_and_nothing_else() -> None:
    ours = marks_of([(BoundaryKind.GRASP, 0.1), (BoundaryKind.LIFT, 0.2), (BoundaryKind.GRASP, 5.0)])
    assert seconds(same_count([(0, 3 * NS_PER_S), (4 * NS_PER_S, 6 * NS_PER_S)], ours)) == [1.0, 2.0, 5.0]


def test_a_gripper_flips_half_way() -> None:
    opening = np.concatenate(
        [np.ones(50), np.linspace(1, 0.4, 20), np.full(40, 0.4), np.linspace(0.4, 1, 20), np.ones(20)]
    )
    found = gripper_flips(signals(np.zeros((150, 3)), opening.astype(np.float32)))
    assert [mark.kind for mark in found] == [BoundaryKind.GRASP, BoundaryKind.RELEASE]
    assert seconds(found) == pytest.approx([1.2, 2.4], abs=0.06)


def test_fingers_that_only_tremble_never_flip() -> None:
    opening = 0.5 + 0.05 * np.sin(np.arange(150))
    assert gripper_flips(signals(two_moves(), opening.astype(np.float32))) == []


def test_speed_is_lowest_between_two_moves() -> None:
    forward = 0.3 * np.concatenate([eased(50), 1 + eased(50)])[:, None] * [1.0, 0, 0]
    assert seconds(speed_minima(signals(forward))) == pytest.approx([1.0], abs=0.06)


def test_a_pause_is_cut_where_the_tool_comes_to_rest() -> None:
    (stop,) = seconds(pauses_and_gripper(signals(two_moves())))
    assert stop == pytest.approx(1.0, abs=0.15)


def test_awe_cuts_at_the_corner() -> None:
    (corner,) = seconds(awe(signals(two_moves())))
    assert 0.9 <= corner <= 2.2


def test_kernel_change_points_see_another_speed() -> None:
    rng = np.random.default_rng(0)
    way = np.cumsum(np.concatenate([np.full(150, 0.002), np.full(150, 0.01)]))
    position = np.stack([way, np.zeros(300), np.zeros(300)], axis=1) + rng.normal(0, 1e-4, (300, 3))
    assert any(abs(t - 3.0) < 0.2 for t in seconds(kernel_cpd(signals(position))))


def test_what_does_not_move_gives_no_rule_anything_to_cut() -> None:
    resting = signals(np.zeros((100, 3)), np.full(100, 0.5, np.float32))
    assert {name: rule(resting) for name, rule in SIGNAL_RULES.items()} == {name: [] for name in SIGNAL_RULES}


def test_a_signal_that_is_missing_is_no_proposal() -> None:
    times = even_times(60, 20)
    track = make_track(times, make_arm(opening=np.linspace(1, 0, 60, dtype=np.float32)))
    found = signal_baselines(track, calibration_of(), SPEC)
    assert set(found) == set(SIGNAL_RULES)
    assert found["speed minima"] == found["AWE 2 cm"] == []
    assert len(found[GRIPPER]) == 1


def test_arms_are_united_and_what_is_known_of_a_cut_is_kept() -> None:
    trajectory = make_trajectory([0, 4], {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.SLIP,)})
    recording = synthetic(trajectory)
    for marks in signal_baselines(recording.actions, recording.calibration, SPEC).values():
        times = [mark.t_ns for mark in marks]
        assert all(b - a >= SPEC.merge_s * NS_PER_S for a, b in pairwise(times))
    flips = signal_baselines(recording.actions, recording.calibration, SPEC)[GRIPPER]
    assert {mark.arm for mark in flips} == {Arm.LEFT, Arm.RIGHT}


def test_a_stop_to_grasp_is_one_cut_and_called_a_grasp() -> None:
    opening = np.concatenate([np.ones(58), np.linspace(1, 0, 12), np.zeros(80)]).astype(np.float32)
    track = make_track(even_times(150, 50.0), make_arm(two_moves().astype(np.float32), opening))
    (cut,) = signal_baselines(track, calibration_of(), SegmentSpec(merge_s=0.4))["pause + gripper"]
    assert cut.kind is BoundaryKind.GRASP


def test_on_synthetic_grasps_every_baseline_finds_something_and_none_as_much_as_we_do() -> None:
    """The order of events.md: KernelCPD before pauses, uniform last or nearly so, ours far above."""
    scores: dict[str, Tally] = {}
    for seed in range(3):
        for variant in (Variant.PLAIN, Variant.PAUSE, Variant.SLIP):
            trajectory = make_trajectory([seed, 8], {Arm.RIGHT: (variant,)}, rate_hz=20)
            recording = synthetic(trajectory)
            true = [Mark(b.t_ns, b.kind) for b in trajectory.boundaries]
            proposed = signal_baselines(recording.actions, recording.calibration, SPEC)
            proposed |= {"ours": marks_of(boundaries(recording.tree())), "uniform": uniform([(0, trajectory.end_ns)])}
            for name, marks in proposed.items():
                scores[name] = scores.get(name, Tally()) + untyped(marks, true, tolerance_ns(0.25))
    f1 = {name: tally.f1 for name, tally in scores.items()}
    ours = f1.pop("ours")
    assert min(f1.values()) > 0.2
    assert max(f1.values()) < 0.8 < ours
