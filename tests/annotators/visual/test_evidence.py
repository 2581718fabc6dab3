"""Pictures as evidence: levels that nest, and no confidence that pixels do not deserve."""

import numpy as np
import pytest

from annotators.segment import segment
from annotators.tree.claim import PRIORS
from annotators.visual.evidence import VisualEvidence, visual_cuts
from annotators.visual.signals import Change, VisualSignals
from schemas.episode import ActionKind
from schemas.event import Boundary, BoundaryKind, Level
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import all_kept, even_times, make_episode
from tests.annotators.visual.acted import acted

N, FPS = 300, 30
CLOCK = FrameClock(even_times(N, FPS), N * NS_PER_S // FPS)
SPEC = SegmentSpec(visual_cut=1.0, visual_subtask=5.0)


def signals_of(*heights: tuple[int, float], hard: tuple[int, ...] = (), frozen: slice = slice(0)) -> VisualSignals:
    score, still = np.zeros(N), np.zeros(N, np.bool_)
    hard_cut, hole = still.copy(), still.copy()
    for frame, height in heights:
        score[frame] = height
    hard_cut[list(hard)], hole[frozen] = True, True
    return VisualSignals(score, hard_cut, hole, still, tuple(Change(*pair) for pair in heights))


SEEN = signals_of((30, 0.5), (60, 2.0), (150, 8.0), (200, 1.5), hard=(100,))
EVIDENCE = VisualEvidence(CLOCK, SEEN, SPEC)


def frames(cuts: list[int]) -> list[int]:
    return [round(t_ns * FPS / NS_PER_S) for t_ns in cuts]


def at(frame: int, kind: BoundaryKind) -> Boundary:
    return Boundary(kind, frame, int(CLOCK.times_ns[frame]), 0.2, 0.5, ("test",))


def test_higher_changes_divide_higher_levels() -> None:
    assert frames([cut.t_ns for cut in EVIDENCE.primitive_cuts()]) == [30, 60, 150, 200]
    assert frames([cut.t_ns for cut in EVIDENCE.cuts()]) == [60, 100, 150, 200]
    starts = [frame for frame in (60, 150, 200) if EVIDENCE.starts_goal(at(frame, BoundaryKind.VISUAL_CHANGE))]
    assert starts == [150]


def test_a_hard_cut_starts_a_goal_and_a_cap_does_not() -> None:
    assert EVIDENCE.starts_goal(at(100, BoundaryKind.HARD_CUT))
    assert not EVIDENCE.starts_goal(at(150, BoundaryKind.DURATION_CAP))
    assert not VisualEvidence(CLOCK, None, SPEC).starts_goal(at(150, BoundaryKind.VISUAL_CHANGE))


def test_confidence_grows_with_the_height_and_stays_below_the_prior() -> None:
    cuts = visual_cuts(signals_of((50, 1.0), (100, 3.0), (150, 1e6)), CLOCK, SPEC)
    trust = [cut.confidence for cut in cuts]
    assert trust == sorted(trust)
    assert trust[0] == pytest.approx(0.15)
    assert max(trust) <= PRIORS[BoundaryKind.VISUAL_CHANGE].confidence == 0.3


def test_the_cap_divides_where_pictures_change_most_and_never_in_a_freeze() -> None:
    values, detector = VisualEvidence(CLOCK, signals_of((40, 2.0), frozen=slice(100, 200)), SPEC).unrest()
    assert detector == "visual_change"
    assert int(np.argmin(values)) == 40
    assert values[100:200].min() > values[:100].max()


def test_of_a_film_comes_a_tree_with_all_levels() -> None:
    one = acted(3, pan=0.0)
    episode = make_episode(one.clock.times_ns, one.clock.end_ns, ActionKind.NONE)
    events = segment(episode, None, [one.strip], all_kept(episode), None, spec=SegmentSpec())
    starts = {level: {event.span.frame_start for event in events if event.level is level} for level in Level}
    assert starts[Level.TASK] < starts[Level.SUBTASK] < starts[Level.ACTION] < starts[Level.SEGMENT]
    assert all(event.needs_vlm and event.boundaries_by.proposer == "visual" for event in events)
    inner = [event.start.confidence for event in events if event.start.kind is not BoundaryKind.RANGE_EDGE]
    assert max(inner) <= 0.3


def test_without_a_filmstrip_nothing_is_proposed() -> None:
    nothing = VisualEvidence(CLOCK, None, SPEC)
    assert nothing.cuts() == nothing.primitive_cuts() == []
