"""Every deed is a change that can be taken back, and none leaves a document that breaks an invariant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.review.document import Document, Origin, label_key, problems
from annotators.review.operation import (
    Decide,
    Merge,
    Move,
    Operation,
    OperationError,
    Rank,
    Relabel,
    Split,
    applied,
    change_of,
    concerns,
    reversed_change,
)
from schemas.event import Level, ReviewState, Verb
from tests.annotators.review.made import made

NAMES = st.sampled_from(["b0", "b100", "b160", "b200", "b260", "b300", "new-0001", "new-0002"])
FRAMES = st.integers(-5, 310)
RANKS = st.integers(0, 3)
OPERATIONS = st.one_of(
    st.builds(Move, boundary_id=NAMES, frame=FRAMES),
    st.builds(Split, boundary_id=st.sampled_from(["new-0001", "new-0002"]), frame=FRAMES, rank=RANKS),
    st.builds(Merge, boundary_id=NAMES, keep=st.sampled_from(["left", "right"])),
    st.builds(Rank, boundary_id=NAMES, rank=RANKS),
    st.builds(
        Relabel,
        level=st.sampled_from(list(Level)),
        boundary_id=NAMES,
        caption=st.text(max_size=9),
        verb=st.just(Verb.LIFT),
    ),
    st.builds(Decide, entity=NAMES.map("boundary:{}".format), state=st.sampled_from(list(ReviewState))),
)


def after(document: Document, operation: Operation) -> Document:
    return applied(document, change_of(document, operation))


def captions(document: Document, level: Level) -> list[str]:
    return [span.label.caption if span.label else "" for span in document.lane(level)]


@settings(max_examples=300, deadline=None)
@given(st.lists(OPERATIONS, max_size=25))
def test_any_sequence_leaves_a_valid_document_and_can_be_taken_back(operations: list[Operation]) -> None:
    document, done = made(), []
    for operation in operations:
        try:
            change = change_of(document, operation)
        except OperationError:
            continue
        done.append((document.sha256, change))
        document = applied(document, change)
        assert problems(document) == []
        assert all(span.label is not None for level in Level for span in document.lane(level)), (
            "no event loses its words"
        )
    for before, change in reversed(done):
        document = applied(document, reversed_change(change))
        assert document.sha256 == before


def test_a_moved_boundary_moves_in_every_lane_and_is_a_persons_from_then_on() -> None:
    document = after(made(), Move(boundary_id="b200", frame=210))
    for level in (Level.SUBTASK, Level.ACTION, Level.SEGMENT):
        assert 210 in [span.frame_start for span in document.lane(level)]
    moved = document.boundaries["b200"]
    assert (moved.origin, moved.state) == (Origin.HUMAN, ReviewState.EDITED)


def test_a_split_gives_both_sides_the_words_and_a_merge_keeps_one_side() -> None:
    document = after(made(), Split(boundary_id="new-0001", frame=230, rank=2))
    assert captions(document, Level.ACTION)[2:4] == ["action from 200", "action from 200"]
    left = after(made(), Merge(boundary_id="b200", keep="left"))
    right = after(made(), Merge(boundary_id="b200", keep="right"))
    assert captions(left, Level.SUBTASK) == ["subtask from 0"]
    assert captions(right, Level.SUBTASK) == ["subtask from 200"]
    assert captions(right, Level.SEGMENT)[2] == "segment from 200"


def test_promotion_starts_events_on_the_levels_above_and_demotion_ends_them() -> None:
    document = after(made(), Rank(boundary_id="b100", rank=0))
    assert captions(document, Level.TASK) == ["task from 0", "task from 0"]
    back = after(document, Rank(boundary_id="b100", rank=3))
    assert captions(back, Level.TASK) == ["task from 0"]
    assert label_key(Level.ACTION, "b100") not in back.labels
    assert label_key(Level.SEGMENT, "b100") in back.labels


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Move(boundary_id="b0", frame=3), "the edge of what cleaning kept"),
        (Move(boundary_id="gone", frame=3), "it may have been merged away"),
        (Move(boundary_id="b100", frame=158), "2 frames, expected at least 5"),
        (Move(boundary_id="b100", frame=170), "boundary b160 at 160 is in the way"),
        (Split(boundary_id="new-0001", frame=200, rank=0), "promote it instead"),
        (Split(boundary_id="boundary", frame=20, rank=0).model_copy(update={"boundary_id": "b100"}), "needs a new id"),
        (Merge(boundary_id="b300"), "the edge of what cleaning kept"),
        (Relabel(level=Level.TASK, boundary_id="b100", caption="x", verb=Verb.LIFT), "no task starts at boundary b100"),
        (Decide(entity="label:task:b100", state=ReviewState.ACCEPTED), "there is none"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_the_reason(operation: Operation, said: str) -> None:
    with pytest.raises(OperationError, match=said):
        change_of(made(), operation)


def test_a_change_concerns_the_boundaries_next_to_it_before_and_after() -> None:
    document = made()
    change = change_of(document, Split(boundary_id="new-0001", frame=120, rank=3))
    boundaries = {key for key in concerns(document, change) if key.startswith("boundary:")}
    assert boundaries == {"boundary:b100", "boundary:new-0001", "boundary:b160"}
    words = change_of(document, Relabel(level=Level.TASK, boundary_id="b0", caption="x", verb=Verb.LIFT))
    assert concerns(document, words) == {"label:task:b0"}
