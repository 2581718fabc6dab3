"""Contacts make room for each other, and for nothing else."""

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from annotators.tree.claim import Cut
from annotators.tree.divide import on_frames, range_edge
from annotators.tree.place import MOST_MOVED_S, placed
from annotators.tree.ranges import fits_event
from schemas.event import Boundary, BoundaryKind
from schemas.time import NS_PER_S, FrameClock
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import even_times

HZ = 20
CLOCK = FrameClock(even_times(60, HZ), 3 * NS_PER_S)
FITS = fits_event(CLOCK, None)
START, END = range_edge(0, CLOCK), range_edge(60, CLOCK)
GRASP, LIFT, MOTION = BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.MOTION


def cuts(*rows: tuple[int, BoundaryKind, float]) -> list[Boundary]:
    return on_frames([Cut(f * NS_PER_S // HZ, kind, sure, 0.04, (kind.value,)) for f, kind, sure in rows], CLOCK)


def place(*rows: tuple[int, BoundaryKind, float]) -> list[Boundary]:
    return placed(START, END, cuts(*rows), CLOCK, FITS)


def test_a_lift_right_after_its_grasp_gets_five_frames_and_the_surer_one_moves_less() -> None:
    assert [cut.frame for cut in place((20, GRASP, 0.9), (24, LIFT, 0.8))] == [20, 25]
    assert [cut.frame for cut in place((20, GRASP, 0.9), (22, LIFT, 0.8))] == [19, 24]


def test_what_is_moved_is_less_sure_of_its_time_by_as_much() -> None:
    grasp, lift = place((20, GRASP, 0.9), (24, LIFT, 0.8))
    assert (grasp.sigma_s, lift.sigma_s) == (0.04, 0.064)
    assert (lift.t_ns, lift.confidence) == (CLOCK.edge_ns(25), 0.8)


def test_where_moving_does_not_help_the_less_certain_is_dropped_and_remembered() -> None:
    slow = FrameClock(even_times(30, 5), 6 * NS_PER_S)
    both = on_frames([Cut(2 * NS_PER_S, GRASP, 0.8, 0.1, ("a",)), Cut(2_400_000_000, LIFT, 0.9, 0.1, ("b",))], slow)
    (only,) = placed(range_edge(0, slow), range_edge(30, slow), both, slow, fits_event(slow, None))
    assert (only.kind, only.frame, only.detectors) == (LIFT, 12, ("a", "b"))


def test_a_contact_just_inside_a_range_moves_in() -> None:
    assert [cut.frame for cut in place((3, GRASP, 0.9), (58, LIFT, 0.9))] == [5, 55]
    assert place((1, GRASP, 0.9)) == []


def test_candidates_move_nothing_and_are_not_moved() -> None:
    assert [cut.frame for cut in place((20, GRASP, 0.5), (22, MOTION, 0.3))] == [20, 22]


contacts = st.lists(
    st.tuples(st.integers(1, 59), st.sampled_from(PHYSICAL_KINDS), st.floats(0.1, 1.0)), min_size=1, max_size=3
)


def worth(moved: list[tuple[int, int, float]]) -> float:
    reach = MOST_MOVED_S * HZ
    return sum(sure * (1 - ((to - at) / reach) ** 2 / 2) for at, to, sure in moved)


@given(contacts)
def test_as_much_confidence_stands_as_can(rows: list[tuple[int, BoundaryKind, float]]) -> None:
    ordered = sorted(rows, key=lambda row: row[0])
    standing = place(*ordered)
    frames = [0, *(cut.frame for cut in standing), 60]
    assert all(b - a >= 5 for a, b in pairwise(frames))
    best = 0.0
    for chosen in product(*([None, *range(at - 3, at + 4)] for at, _, _ in ordered)):
        kept = [(row[0], to, row[2]) for row, to in zip(ordered, chosen, strict=True) if to is not None]
        if all(b - a >= 5 for a, b in pairwise([0, *(to for _, to, _ in kept), 60])):
            best = max(best, worth(kept))
    found = worth(_matched(standing, ordered))
    assert abs(found - best) < 1e-9


def _matched(standing: list[Boundary], rows: list[tuple[int, BoundaryKind, float]]) -> list[tuple[int, int, float]]:
    """Each standing contact with where it came from: the confidence tells, or the nearest of equals."""
    found, left = [], list(rows)
    for cut in standing:
        alike = [row for row in left if row[1] is cut.kind and row[2] == cut.confidence]
        origin = min(alike, key=lambda row: abs(row[0] - cut.frame))
        left.remove(origin)
        found.append((origin[0], cut.frame, origin[2]))
    return found
