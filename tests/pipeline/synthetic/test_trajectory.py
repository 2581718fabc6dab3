"""An episode is a function of its arguments; what is measured is what was, plus noise."""

import numpy as np
import pytest

from pipeline.synthetic.trajectory import Noise, Phase, Trajectory, Variant, as_action_track, make_trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind as Kind
from schemas.pose import orthonormalise

BOTH = {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PAUSE,)}


def numbers(trajectory: Trajectory) -> bytes:
    arms = [part for arm in trajectory.arms for part in (arm.true, arm.state, arm.target)]
    arrays = [array for arm in arms for array in (arm.position, arm.rotation, arm.opening)]
    return b"".join(array.tobytes() for array in [*arrays, *(item.position for item in trajectory.items)])


def test_the_same_seed_gives_the_same_episode_and_another_one_another() -> None:
    first, again, other = (make_trajectory(seed, BOTH) for seed in (4, 4, 5))
    assert numbers(first) == numbers(again)
    assert (first.boundaries, first.phases, first.instruction) == (again.boundaries, again.phases, again.instruction)
    assert numbers(first) != numbers(other)


def test_the_truth_does_not_depend_on_the_frame_rate() -> None:
    slow, fast = (make_trajectory(4, BOTH, rate_hz=rate) for rate in (20, 30))
    assert slow.boundaries == fast.boundaries
    assert slow.n_frames / 20 == pytest.approx(fast.n_frames / 30, abs=0.06)


def test_frame_times_are_the_nearest_nanoseconds() -> None:
    trajectory = make_trajectory(0, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=30)
    assert trajectory.times_ns[:4].tolist() == [0, 33_333_333, 66_666_667, 100_000_000]
    assert trajectory.end_ns - int(trajectory.times_ns[-1]) in (33_333_333, 33_333_334)


def test_two_arms_work_at_the_same_time_in_regions_of_their_own() -> None:
    trajectory = make_trajectory(2, BOTH, stagger_s=0.5)
    left, right = trajectory.arms
    assert (left.arm, right.arm) == (Arm.LEFT, Arm.RIGHT)
    assert left.true.position[:, 1].min() > 0 > right.true.position[:, 1].max()
    grasps = [b.t_ns for b in trajectory.boundaries if b.kind is Kind.GRASP]
    releases = [b.t_ns for b in trajectory.boundaries if b.kind is Kind.RELEASE]
    assert max(grasps) < min(releases)
    assert trajectory.instruction.count(" with the ") == 2


def test_noise_has_the_size_that_was_asked_for() -> None:
    noise = Noise(position_m=0.002, rotation_rad=0.01, opening=0.004)
    (arm,) = make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}, noise=noise).arms
    assert np.std(arm.state.position - arm.true.position) == pytest.approx(0.002, rel=0.1)
    held = (arm.true.opening < 0.9) & (np.abs(np.gradient(arm.true.opening)) < 1e-6)
    error = (arm.state.opening - arm.true.opening)[held]
    assert np.std(error[len(error) // 2 :]) == pytest.approx(0.004, rel=0.35)
    assert arm.state.opening.min() >= 0.0
    assert arm.state.opening.max() <= 1.0


def test_tremor_is_slow_and_adds_to_the_noise() -> None:
    still, shaky = (
        make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}, noise=Noise(position_m=0.0, tremor_m=tremor)).arms[0]
        for tremor in (0.0, 0.003)
    )
    assert np.array_equal(still.state.position, still.true.position)
    tremor = shaky.state.position - shaky.true.position
    assert np.std(tremor) == pytest.approx(0.003, rel=0.25)
    assert np.std(np.diff(tremor, axis=0)) < 0.6 * np.std(tremor)


def test_fingers_rebound_when_they_are_stopped() -> None:
    trajectory = make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}, noise=Noise(0.0, 0.0, 0.0), rate_hz=60)
    (arm,) = trajectory.arms
    grasp = next(b.t_ns for b in trajectory.boundaries if b.kind is Kind.GRASP)
    after = (trajectory.times_ns > grasp) & (trajectory.times_ns < grasp + 250_000_000)
    swing = (arm.state.opening - arm.true.opening)[after]
    assert 0.002 < np.abs(swing).max() < 0.05
    assert swing.min() < 0 < swing.max()


def test_commands_lead_what_is_measured() -> None:
    (arm,) = make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=20).arms
    closes = {
        name: int(np.argmax(reading.opening < 0.8)) for name, reading in (("state", arm.true), ("target", arm.target))
    }
    assert 2 <= closes["state"] - closes["target"] <= 12
    lead = 2  # 0.1 s
    assert np.abs(arm.target.position[:-lead] - arm.true.position[lead:]).max() < 0.004


def test_failures_fail_and_everything_else_succeeds() -> None:
    for variant in Variant:
        success = make_trajectory(6, {Arm.RIGHT: (variant,)}, rate_hz=20).success
        assert success is (variant not in (Variant.DROP, Variant.ABANDON)), variant


def test_a_stream_of_tasks_has_a_reach_for_each() -> None:
    tasks = {Arm.RIGHT: (Variant.PLAIN, Variant.PUSH, Variant.PLAIN)}
    trajectory = make_trajectory(3, tasks, rate_hz=20, idle_s=(0.3, 1.0))
    phases = [phase.phase for phase in trajectory.phases]
    assert phases.count(Phase.REACH) == 3
    assert phases.count(Phase.PUSH) == 1
    assert trajectory.cuts_ns(Arm.LEFT) == []
    assert trajectory.cuts_ns(Arm.RIGHT) == [phase.start_ns for phase in trajectory.phases[1:]]


def test_the_action_track_holds_the_measured_state() -> None:
    trajectory = make_trajectory(1, BOTH)
    track = as_action_track(trajectory, "ep-1")
    assert track.n_rows == trajectory.n_frames
    assert [arm.arm for arm in track.state] == [Arm.LEFT, Arm.RIGHT]
    for arm, motion in zip(track.state, trajectory.arms, strict=True):
        assert arm.position is not None
        assert arm.rotation is not None
        assert np.allclose(arm.position, motion.state.position, atol=1e-7)
        assert np.allclose(arm.rotation, orthonormalise(arm.rotation), atol=1e-6)
        assert np.allclose(motion.state.rotation[:, 2], np.cross(arm.rotation[:, :3], arm.rotation[:, 3:]), atol=1e-6)


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        make_trajectory(0, {Arm.RIGHT: ()})
    with pytest.raises(ValueError, match="divisor of 600"):
        make_trajectory(0, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=29)
