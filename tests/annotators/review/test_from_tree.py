"""A machine's tree becomes a document and nothing is lost; what people made of it goes back as spans."""

import pytest

from annotators.review.document import Document, problems
from annotators.review.from_tree import boundary_id, document_of, people_spans
from annotators.review.operation import Decide, Move, Operation, Relabel, applied, change_of
from annotators.segment import segment
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Event, Level, ReviewState, Verb
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import EPISODE_ID, Recording, all_kept, synthetic


@pytest.fixture(scope="module")
def recording() -> Recording:
    return synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.SLIP,), Arm.LEFT: (Variant.PLAIN,)}))


def under_review(recording: Recording) -> Document:
    return document_of(EPISODE_ID, len(recording.episode.master.clock), recording.tree())


def edited(document: Document, *operations: Operation) -> Document:
    for operation in operations:
        document = applied(document, change_of(document, operation))
    return document


def again(recording: Recording, document: Document) -> list[Event]:
    """The tree that `segment` makes with what people said."""
    episode = recording.episode
    people = people_spans(document, episode.master.clock)
    return segment(
        episode, recording.actions, (), all_kept(episode), recording.calibration, spec=SegmentSpec(), people=people
    )


def frames(events: list[Event], level: Level) -> set[tuple[int, int]]:
    return {(event.span.frame_start, event.span.frame_end) for event in events if event.level is level}


def test_the_lanes_are_the_tree_and_the_same_tree_is_the_same_document(recording: Recording) -> None:
    document = under_review(recording)
    assert problems(document) == []
    for level in Level:
        lane = {(span.frame_start, span.frame_end) for span in document.lane(level)}
        assert lane == frames(recording.tree(), level)
        words = {span.frame_start: span.label.verb for span in document.lane(level) if span.label}
        assert words == {e.span.frame_start: e.verb for e in recording.tree() if e.level is level}
    assert under_review(recording).sha256 == document.sha256


def test_untouched_episodes_say_nothing(recording: Recording) -> None:
    assert people_spans(under_review(recording), recording.episode.master.clock) == []


def test_a_moved_boundary_stands_when_the_machine_looks_again(recording: Recording) -> None:
    document = under_review(recording)
    inner = list(document.lane(Level.ACTION))[2]
    moved = edited(document, Move(boundary_id=inner.start_id, frame=inner.frame_start + 3))
    assert {span.track for span in people_spans(moved, recording.episode.master.clock)} >= {"review.action"}
    starts = {start for start, _ in frames(again(recording, moved), Level.ACTION)}
    assert inner.frame_start + 3 in starts
    assert inner.frame_start not in starts


def test_new_words_stand_and_an_accepted_event_keeps_its_frames(recording: Recording) -> None:
    document = under_review(recording)
    first, second = list(document.lane(Level.ACTION))[1:3]
    said = edited(
        document,
        Relabel(level=Level.ACTION, boundary_id=first.start_id, caption="reach past the cup", verb=Verb.REACH),
        Decide(entity=f"label:action:{second.start_id}", state=ReviewState.ACCEPTED),
    )
    tree = again(recording, said)
    assert {(first.frame_start, first.frame_end), (second.frame_start, second.frame_end)} <= frames(tree, Level.ACTION)
    (event,) = [e for e in tree if e.level is Level.ACTION and e.span.frame_start == first.frame_start]
    assert (event.caption, event.boundaries_by.proposer) == ("reach past the cup", "human")


def test_what_is_no_tree_of_the_episode_is_refused(recording: Recording) -> None:
    tree = recording.tree()
    with pytest.raises(ValueError, match="events of another episode"):
        document_of("ep-other", 1000, tree)
    with pytest.raises(ValueError, match="it has no events"):
        document_of(EPISODE_ID, 1000, [])
    with pytest.raises(ValueError, match="covers"):
        document_of(EPISODE_ID, 1000, [event for event in tree if event.level is not Level.SEGMENT][:-1])


def test_ids_come_from_frames() -> None:
    assert boundary_id("ep-1", 5) == boundary_id("ep-1", 5) != boundary_id("ep-1", 6)
    assert boundary_id("ep-1", 5) != boundary_id("ep-2", 5)
