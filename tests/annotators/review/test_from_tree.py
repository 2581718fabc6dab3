"""A machine's tree becomes a document and nothing is lost."""

import pytest

from annotators.review.document import problems
from annotators.review.from_tree import boundary_id, document_of
from schemas.event import Level
from tests.annotators.recordings import EPISODE_ID, Recording
from tests.annotators.review.reviewed import frames, grasping, under_review


@pytest.fixture(scope="module")
def recording() -> Recording:
    return grasping()


def test_the_lanes_are_the_tree_and_the_same_tree_is_the_same_document(recording: Recording) -> None:
    document = under_review(recording)
    assert problems(document) == []
    for level in Level:
        lane = {(span.frame_start, span.frame_end) for span in document.lane(level)}
        assert lane == frames(recording.tree(), level)
        words = {span.frame_start: span.label.verb for span in document.lane(level) if span.label}
        assert words == {e.span.frame_start: e.verb for e in recording.tree() if e.level is level}
    assert under_review(recording).sha256 == document.sha256


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
