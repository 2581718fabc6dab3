"""Boundaries are where the table of events.md says, on contact traces written by hand and drawn at random."""

import dataclasses
import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sim.boundaries import (
    HARD_STOP,
    LIFT_M,
    ItemTrace,
    Mark,
    Trace,
    boundaries_of,
    debounced,
    phases_of,
)
from pipeline.mask_runs import runs_of
from pipeline.synthetic.truth import Phase
from schemas.array import Bools
from schemas.event import BoundaryKind as Kind
from tests.benchmarks.sim.made import RATE_HZ, Maker, pick, place

FULL = [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT]


def reached() -> Maker:
    """A tool that stood 20 cm above the object."""
    return Maker(at=np.array([0.0, 0.0, 0.2])).move(5)


def kinds(marks: list[Mark]) -> list[Kind]:
    return [mark.kind for mark in marks]


def frame_of(marks: list[Mark], kind: Kind) -> int:
    (frame,) = (mark.frame for mark in marks if mark.kind is kind)
    return frame


def test_a_pick_and_place_has_six_boundaries_each_where_it_is_defined() -> None:
    marks = boundaries_of(place(pick(reached())).trace())
    assert kinds(marks) == FULL
    assert [mark.frame for mark in marks] == [
        15,  # first frame of the hold: 5 + 10 reaching
        21,  # six frames closing, then 2 cm per frame
        31,  # the first frame that goes sideways; its central difference is half a frame early
        60,  # on the table again: 20 carrying and the tenth of lowering
        64,  # last of four frames standing there
        74,  # eight waiting, 2 cm per frame
    ]
    assert {mark.item for mark in marks} == {"cup"}


def test_a_contact_shorter_than_a_fifth_of_a_second_is_no_grasp() -> None:
    assert boundaries_of(reached().move(10, (0, 0, 0)).move(3, held=True).move(20).trace()) == []
    assert kinds(boundaries_of(reached().move(10, (0, 0, 0)).move(4, held=True).move(20).trace())) == [
        Kind.GRASP,
        Kind.RELEASE,
    ]


def test_a_dragged_object_is_lifted_when_it_is_two_centimetres_aside() -> None:
    marks = boundaries_of(reached().move(10, (0, 0, 0)).move(5, held=True).move(20, (0.1, 0, 0), held=True).trace())
    assert kinds(marks) == [Kind.GRASP, Kind.LIFT]
    assert frame_of(marks, Kind.LIFT) == 15 + 5 + 4  # 5 mm per frame, more than 2 cm


def test_an_object_that_is_lifted_later_counts_as_lifted_not_as_dragged() -> None:
    maker = reached().move(10, (0, 0, 0)).move(5, held=True).move(10, (0.1, 0, 0), held=True)
    marks = boundaries_of(maker.move(10, (0.1, 0, 0.2), held=True).trace())
    assert frame_of(marks, Kind.LIFT) == 15 + 5 + 10


def test_a_slip_is_a_release_in_the_air_before_a_new_grasp() -> None:
    marks = boundaries_of(place(pick(pick(reached()).move(10))).trace())
    assert kinds(marks) == [Kind.GRASP, Kind.LIFT, Kind.SLIP, *FULL]


def test_a_release_in_the_air_that_nobody_repairs_is_a_release() -> None:
    marks = boundaries_of(pick(reached()).move(10).move(10, (0, 0, 0.4)).trace())
    assert kinds(marks) == [Kind.GRASP, Kind.LIFT, Kind.RELEASE, Kind.RETREAT]


def test_letting_go_on_the_table_and_grasping_again_is_no_slip() -> None:
    maker = reached().move(10, (0, 0, 0)).move(6, held=True).move(6)
    marks = boundaries_of(place(pick(maker)).trace())
    assert kinds(marks)[:3] == [Kind.GRASP, Kind.RELEASE, Kind.GRASP]


def test_a_grazed_wall_is_no_place() -> None:
    maker = pick(reached()).move(10, (0.1, 0, 0.2), held=True).move(5, held=True, supported=True)
    marks = boundaries_of(maker.move(10, (0.3, 0, 0.2), held=True).move(10).trace())
    assert Kind.SUPPORT not in kinds(marks)


def test_touching_down_comes_before_letting_go_in_the_same_frame() -> None:
    maker = pick(reached()).move(5, held=True).move(1, held=True, supported=True).move(10, supported=True)
    marks = boundaries_of(maker.trace())
    assert [(mark.frame, mark.kind) for mark in marks[-2:]] == [(36, Kind.SUPPORT), (36, Kind.RELEASE)]


def test_the_last_contact_run_before_the_release_is_the_one() -> None:
    maker = pick(reached()).move(5, held=True, supported=True).move(5, held=True)
    marks = boundaries_of(maker.move(6, held=True, supported=True).move(10, supported=True).trace())
    assert frame_of(marks, Kind.SUPPORT) == 31 + 5 + 5


def test_a_moment_of_level_motion_is_no_transport() -> None:
    maker = pick(reached()).move(3, (0.06, 0, 0.2), held=True)
    assert kinds(boundaries_of(maker.move(8, (0.06, 0, 0.36), held=True).trace())) == [Kind.GRASP, Kind.LIFT]


def test_an_object_carried_flat_is_transported_from_its_lift_on() -> None:
    maker = reached().move(10, (0, 0, 0)).move(6, held=True).move(20, (0.3, 0, 0.03), held=True)
    marks = boundaries_of(maker.trace())
    assert frame_of(marks, Kind.TRANSPORT) == frame_of(marks, Kind.LIFT) + 1


def test_losing_one_object_and_taking_another_is_no_slip() -> None:
    trace = place(pick(pick(reached()).move(10))).trace()
    (cup,) = trace.items
    first = np.arange(trace.n) < 40
    items = tuple(
        dataclasses.replace(cup, label=label, held=cup.held & mine, touched=cup.touched & mine)
        for label, mine in (("cup", first), ("can", ~first))
    )
    marks = boundaries_of(dataclasses.replace(trace, items=items))
    assert (Kind.RELEASE, "cup") in [(mark.kind, mark.item) for mark in marks]
    assert Kind.SLIP not in kinds(marks)


def test_fingers_that_close_on_nothing_and_open_again_have_missed() -> None:
    maker = reached().move(4, opening=0.5).move(6, opening=0.0).move(4, opening=0.5).move(5)
    marks = boundaries_of(maker.trace())
    assert marks == [Mark(5 + 4 + 6, Kind.MISS)]


def test_a_closed_hand_that_travels_or_presses_has_not_missed() -> None:
    travelling = reached().move(4, opening=0.5).move(10, (0.1, 0, 0.2), opening=0.0).move(5)
    pressing = reached().move(10, (0, 0, 0), opening=0.5).move(6, touched=True, opening=0.0).move(5)
    assert boundaries_of(travelling.trace()) == []
    assert boundaries_of(pressing.trace()) == []


def test_hands_that_start_closed_have_not_missed() -> None:
    assert boundaries_of(Maker().move(6, opening=0.0).move(6).trace()) == []


def test_a_retreat_back_along_the_way_counts_where_three_centimetres_are_never_reached() -> None:
    maker = pick(reached()).move(10, (0, 0, 0), held=True).move(4, held=True).move(3)
    marks = boundaries_of(maker.move(10, (0, 0, 0.02)).trace())
    assert frame_of(marks, Kind.RETREAT) == len(maker.tool) - 10 + 5  # 2 mm per frame, more than 1 cm


def test_a_push_begins_with_a_contact_and_ends_with_a_retreat() -> None:
    maker = reached().move(10, (0, 0, 0), opening=0.1).move(20, (0.2, 0, 0), touched=True, opening=0.1)
    trace = maker.move(10, (0.2, 0, 0.2)).trace()
    marks = boundaries_of(trace)
    assert kinds(marks) == [Kind.CONTACT, Kind.RETREAT]
    assert frame_of(marks, Kind.CONTACT) == len(maker.tool) - 30
    assert [span.phase for span in phases_of(trace, marks)] == [
        Phase.IDLE, Phase.REACH, Phase.PUSH, Phase.RELEASE, Phase.RETREAT,
    ]  # fmt: skip


def test_a_touch_that_moves_nothing_or_is_short_is_no_push() -> None:
    still = reached().move(10, (0, 0, 0)).move(8, touched=True).move(10, (0, 0, 0.2))
    short = reached().move(10, (0, 0, 0)).move(3, (0.06, 0, 0), touched=True).move(10, (0.06, 0, 0.2))
    assert boundaries_of(still.trace()) == []
    assert boundaries_of(short.trace()) == []


def test_the_first_finger_on_an_object_does_not_push_it() -> None:
    maker = reached().move(10, (0, 0, 0)).move(6, (0.01, 0, 0), touched=True)
    trace = maker.move(20, held=True).trace()
    assert Phase.PUSH not in [span.phase for span in phases_of(trace, boundaries_of(trace))]


def test_phases_follow_the_boundaries_and_reaching_begins_again_after_a_retreat() -> None:
    trace = place(pick(place(pick(reached())).move(5))).trace()
    phases = [span.phase for span in phases_of(trace, boundaries_of(trace))]
    once = [Phase.GRASP, Phase.LIFT, Phase.TRANSPORT, Phase.PLACE, Phase.RELEASE, Phase.RETREAT]
    assert phases == [Phase.IDLE, Phase.REACH, *once, Phase.REACH, *once]


masks = st.lists(st.booleans(), min_size=1, max_size=60).map(lambda flags: np.array(flags, np.bool_))


@given(mask=masks, fill=st.integers(0, 5), shortest=st.integers(1, 6))
def test_debounced_contacts_are_long_and_far_apart(mask: Bools, fill: int, shortest: int) -> None:
    whole = debounced(mask, fill, shortest)
    runs = runs_of(whole)
    assert all(end - start >= shortest for start, end in runs)
    assert all(after[0] - before[1] > fill for before, after in itertools.pairwise(runs))
    for start, end in runs:
        assert mask[start]
        assert mask[end - 1]


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Anything at all that bodies might do."""
    n = draw(st.integers(2, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    tool = np.cumsum(rng.normal(0.0, 0.01, (n, 3)), axis=0)
    opening = np.repeat(rng.random(n // 5 + 1), 5)[:n] * rng.integers(0, 2)

    def flags(often: float) -> Bools:
        return np.repeat(rng.random(n // 6 + 1) < often, 6)[:n]

    held = flags(0.4)
    item = ItemTrace("cup", tool + rng.normal(0.0, 0.003, (n, 3)), held, held | flags(0.3), flags(0.5))
    return Trace(RATE_HZ, tool, opening, (item,))


@given(trace=traces())
def test_each_boundary_is_where_its_definition_says(trace: Trace) -> None:
    item, grasped = trace.items[0], 0
    for mark in boundaries_of(trace):
        k = mark.frame
        match mark.kind:
            case Kind.GRASP:
                grasped = k
                assert item.held[k : k + 4].all()
                assert k == 0 or not item.held[k - 1]
            case Kind.LIFT:
                raised = item.position[k, 2] > item.position[grasped, 2] + LIFT_M
                aside = np.linalg.norm(item.position[k, :2] - item.position[grasped, :2]) > 0.02
                assert item.held[grasped : k + 1].all()
                assert raised or aside
            case Kind.SUPPORT:
                assert item.held[k]
                assert item.supported[k]
                assert not item.supported[k - 1]
            case Kind.RELEASE | Kind.SLIP:
                assert item.held[k]
                assert not item.held[k + 1]
            case Kind.MISS:
                assert trace.opening[k - 1] <= HARD_STOP < trace.opening[k]
            case Kind.TRANSPORT:
                assert item.held[k]


@given(trace=traces())
def test_holds_alternate_and_phases_tile(trace: Trace) -> None:
    marks = boundaries_of(trace)
    holds = [mark.kind for mark in marks if mark.kind in (Kind.GRASP, Kind.RELEASE, Kind.SLIP)]
    assert all(kind is Kind.GRASP for kind in holds[::2])
    assert Kind.GRASP not in holds[1::2]
    spans = phases_of(trace, marks)
    assert spans[0].start == 0
    assert spans[-1].end == trace.n
    assert all(a.end == b.start and a.start < a.end for a, b in itertools.pairwise(spans))
