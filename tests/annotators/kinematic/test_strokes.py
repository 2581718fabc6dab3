"""Pushes and plain strokes: the grammar, the evidence a push needs, and how well they are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.kinematic.contact import Contact
from annotators.kinematic.gripper import Hold
from annotators.kinematic.signals import ArmSignals, arm_signals
from annotators.kinematic.strokes import FOLLOWS, HAND_M, FreeMotion, State, free_motions
from annotators.scores.boundaries import Tally, pooled, tolerance_ns, typed
from annotators.scores.marks import marks_of
from annotators.tree.claim import PRIORS
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, Verb
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import boundaries, calibration_of, even_times, make_arm, make_track, synthetic

FPS = 50
Corners = list[tuple[float, float, float, float]]
"""Seconds, x, y, z."""
PUSH: Corners = [(0, 0, 0, 0.2), (1.5, 0.1, 0, 0), (1.6, 0.1, 0, 0), (3, 0.3, 0, 0), (3.6, 0.3, 0, 0), (5, 0.3, 0, 0.3)]
"""Down, forward, a moment of pressing, up."""
PUSHED = (1.6, 3.0)


def signals_of(corners: Corners) -> ArmSignals:
    table = np.asarray(corners)
    t = np.arange(round(table[-1, 0] * FPS)) / FPS
    way = np.stack([np.interp(t, table[:, 0], table[:, axis]) for axis in (1, 2, 3)], axis=1)
    (signals,) = arm_signals(
        make_track(even_times(len(t), FPS), make_arm(way.astype(np.float32))), calibration_of(), SegmentSpec()
    )
    return signals


def resisted_in(signals: ArmSignals, *spans: tuple[float, float]) -> Floats:
    t = np.arange(signals.grid.n) / signals.grid.rate_hz
    found = np.zeros(signals.grid.n)
    for start, end in spans:
        found[(t >= start) & (t < end)] = 1.5
    return found


def pushes(free: FreeMotion) -> list[tuple[float, float | None]]:
    return [(push.start / FPS, None if push.left is None else push.left / FPS) for push in free.pushes]


def test_resistance_makes_a_stroke_a_push_and_its_lack_does_not() -> None:
    signals = signals_of(PUSH)
    assert pushes(free_motions(signals, [], [], None)) == []
    assert pushes(free_motions(signals, [], [], resisted_in(signals))) == []
    ((start, left),) = pushes(free_motions(signals, [], [], resisted_in(signals, PUSHED)))
    assert start == pytest.approx(1.6, abs=0.15)
    assert left == pytest.approx(3.6 + (HAND_M + 0.03) / 0.3 * 1.4, abs=0.2)


def test_a_fist_along_the_table_pushes_and_one_in_the_air_does_not() -> None:
    fist = Hold(10, None, 0.0, 1.0)
    low = signals_of(PUSH)
    ((start, _),) = pushes(free_motions(low, [], [fist], None))
    assert start == pytest.approx(1.6 + 0.03 / 0.2 * 1.4, abs=0.15)  # 3 cm into the stroke
    high: Corners = [(0, 0, 0, 0), (1, 0, 0, 0.3), (1.2, 0, 0, 0.3), (2.5, 0.3, 0, 0.3), (3, 0.3, 0, 0.3), (4, 0, 0, 0)]
    assert pushes(free_motions(signals_of(high), [], [fist], None)) == []


def test_a_fist_that_moves_less_than_a_hand_is_long_and_meets_nothing_does_not_push() -> None:
    short: Corners = [(t, 0.1 + 0.5 * (x - 0.1), y, z) for t, x, y, z in PUSH]
    signals, fist = signals_of(short), Hold(10, None, 0.0, 1.0)
    assert pushes(free_motions(signals, [], [fist], None)) == []
    assert len(pushes(free_motions(signals, [], [fist], resisted_in(signals, PUSHED)))) == 1


def test_a_pause_in_a_push_divides_nothing() -> None:
    corners: Corners = [
        *PUSH[:3],
        (2.2, 0.2, 0, 0),
        (3.0, 0.2, 0, 0),
        (3.6, 0.3, 0, 0),
        (4, 0.3, 0, 0),
        (5, 0.3, 0, 0.3),
    ]
    signals = signals_of(corners)
    found = pushes(free_motions(signals, [], [], resisted_in(signals, (1.6, 3.7))))
    assert len(found) == 1


def test_drawing_back_ends_contact_at_once_and_leaving_across_does_not() -> None:
    def left(away: tuple[float, float, float]) -> float:
        corners: Corners = [*PUSH[:5], (5.6, *(np.add((0.3, 0, 0), away)))]  # type: ignore[list-item]
        signals = signals_of(corners)
        ((_, found),) = pushes(free_motions(signals, [], [], resisted_in(signals, PUSHED)))
        assert found is not None
        return found

    assert left((-0.2, 0, 0)) == pytest.approx(3.6 + 0.3, abs=0.15)  # 3 cm at 0.1 m/s
    assert left((0, 0, 0.2)) == pytest.approx(3.6 + 1.3, abs=0.15)  # 13 cm


def test_a_press_that_a_grasp_follows_is_no_push() -> None:
    """Coming down on the table before closing meets resistance too."""
    signals = signals_of(PUSH)
    grasp = Contact(closed=round(3.4 * FPS), opened=None, plateau=0.5, depth=0.5)
    assert pushes(free_motions(signals, [grasp], [], resisted_in(signals, PUSHED))) == []


def test_an_episode_that_ends_in_contact_has_no_retreat() -> None:
    signals = signals_of(PUSH[:4])
    ((start, left),) = pushes(free_motions(signals, [], [], resisted_in(signals, PUSHED)))
    assert start == pytest.approx(1.6, abs=0.15)
    assert left is None
    assert pushes(free_motions(signals, [], [Hold(10, None, 0.0, 1.0)], None)) == []


def test_towards_the_robot_is_pulled() -> None:
    def pulled(sign: float) -> list[bool]:
        signals = signals_of([(t, sign * x, y, z) for t, x, y, z in PUSH])
        return [push.pulled for push in free_motions(signals, [], [], resisted_in(signals, PUSHED)).pushes]

    assert pulled(1.0) == [False]
    assert pulled(-1.0) == [True]


def test_the_grammar_has_no_way_from_contact_to_a_reach_but_a_retreat() -> None:
    for state in (State.PUSH, State.PRESSED, State.AGAIN):
        assert not {State.REST, State.REACH} & set(FOLLOWS[state])
    assert {state for state in State if State.RETREAT in FOLLOWS[state]} == {State.PUSH, State.PRESSED, State.AGAIN}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 250))
def test_whatever_moves_is_divided_the_same_way_twice_and_in_order(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    way = np.cumsum(np.cumsum(rng.normal(0, 0.0005, (n, 3)), axis=0), axis=0).astype(np.float32)
    (signals,) = arm_signals(make_track(even_times(n, FPS), make_arm(way)), calibration_of(), SegmentSpec())
    resisted = np.clip(np.cumsum(rng.normal(0, 0.2, n)), 0, 2)

    def once() -> FreeMotion:
        return free_motions(signals, [], [], resisted)

    found = once()
    assert found == once()
    edges = [edge for push in found.pushes for edge in (push.start, push.ended)]
    assert edges == sorted(edges)
    assert all(0 <= push.start <= push.ended <= (n if push.left is None else push.left) <= n for push in found.pushes)
    stops = [stop.sample for stop in found.stops]
    assert stops == sorted(set(stops))


def found_and_true(seed: int, *tasks: Variant) -> Tally:
    trajectory = make_trajectory([seed, 7], {Arm.RIGHT: tasks}, rate_hz=20)
    true = marks_of([(mark.kind, mark.t_ns / NS_PER_S) for mark in trajectory.boundaries])
    kinds = {mark.kind for mark in true}
    return pooled(typed(marks_of(boundaries(synthetic(trajectory).tree())), true, tolerance_ns(0.25), kinds).values())


def test_synthetic_pushes_are_found_alone_and_between_grasps() -> None:
    alone, between = Tally(), Tally()
    for seed in range(5):
        alone += found_and_true(seed, Variant.PUSH)
        between += found_and_true(seed, Variant.PLAIN, Variant.PUSH, Variant.PLAIN)
    assert alone.f1 >= 0.85
    assert between.f1 >= 0.95


def test_a_push_is_one_subtask_called_so_and_wants_a_second_look() -> None:
    tree = synthetic(make_trajectory([1, 7], {Arm.RIGHT: (Variant.PUSH,)}, rate_hz=20)).tree()
    assert [event.verb for event in tree if event.level is Level.ACTION] == [Verb.REACH, Verb.PUSH, Verb.RETREAT]
    (subtask,) = [event for event in tree if event.level is Level.SUBTASK]
    assert subtask.verb is Verb.PUSH
    assert all(event.needs_vlm for event in tree if event.level is Level.ACTION)
    contact = next(event.start for event in tree if event.start.kind is BoundaryKind.CONTACT)
    assert contact.confidence <= PRIORS[BoundaryKind.CONTACT].confidence
    assert contact.detectors == ("fist",)
