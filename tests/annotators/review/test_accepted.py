"""What people said is taken out of a document: everything they touched, nothing they did not."""

import pytest

from annotators.review.accepted import is_person, review_of
from annotators.review.document import Document, boundary_key, label_key
from annotators.review.operation import Decide, Merge, Move, Rank, Relabel, Split, reversed_change
from schemas.event import Level, ReviewState, Verb
from schemas.review import Review
from tests.annotators.review.made import made
from tests.annotators.review.reviewed import Session

ACCEPT, REJECT = ReviewState.ACCEPTED, ReviewState.REJECTED


@pytest.fixture
def session() -> Session:
    return Session(made())


def events(review: Review) -> list[tuple[str, int, int]]:
    return [(str(event.level), event.frame_start, event.frame_end) for event in review.events]


def test_untouched_episodes_say_nothing(session: Session) -> None:
    assert review_of(session.document, session.log) is None


def test_a_moved_boundary_says_where_the_events_beside_it_lie_on_each_of_its_levels(session: Session) -> None:
    review = session.does(Move(boundary_id="b100", frame=110)).review()
    assert events(review) == [("action", 0, 110), ("action", 110, 200), ("segment", 0, 110), ("segment", 110, 160)]
    assert {edge.frame: (edge.rank, edge.by) for edge in review.boundaries} == {
        0: (0, ""), 110: (2, "ann"), 160: (3, ""), 200: (1, ""),
    }  # fmt: skip
    assert all(event.words is None for event in review.events)


def test_words_are_peoples_only_where_they_spoke(session: Session) -> None:
    said = Relabel(level=Level.ACTION, boundary_id="b100", caption="pour", verb=Verb.POUR, objects=("tea",))
    review = session.does(said, Decide(entity=label_key(Level.TASK, "b0"), state=ACCEPT), actor="bob").review()
    assert events(review) == [("task", 0, 300), ("action", 100, 200)]
    task, action = (event.words for event in review.events)
    assert action is not None
    assert (action.caption, action.verb, action.objects, action.state, action.by) == (
        "pour", Verb.POUR, ("tea",), ReviewState.EDITED, "bob",
    )  # fmt: skip
    assert task is not None
    assert (task.caption, task.state) == ("task from 0", ACCEPT)


def test_a_merge_says_that_nothing_divides_what_is_left(session: Session) -> None:
    review = session.does(Merge(boundary_id="b100")).review()
    assert events(review) == [("action", 0, 200), ("segment", 0, 160)]
    assert {event.joined_by for event in review.events} == {"ann"}


def test_a_demoted_boundary_says_so_of_the_levels_it_left_and_of_those_it_still_bounds(session: Session) -> None:
    review = session.does(Rank(boundary_id="b100", rank=3)).review()
    assert ("action", 0, 200) in events(review)
    assert {("segment", 0, 100), ("segment", 100, 160)} <= set(events(review))


def test_what_was_undone_was_not_said(session: Session) -> None:
    for operation in (Merge(boundary_id="b100"), Move(boundary_id="b100", frame=110), Rank(boundary_id="b100", rank=3)):
        session.does(operation)
        session.takes(reversed_change(session.log[-1].change), "undo", "ann")
        assert review_of(session.document, session.log) is None


def test_a_split_that_was_taken_away_again_was_not_said(session: Session) -> None:
    session.does(Split(boundary_id="new-boundary", frame=30, rank=2), Merge(boundary_id="new-boundary"))
    assert review_of(session.document, session.log) is None


def test_a_rejected_boundary_counts_as_taken_out(session: Session) -> None:
    review = session.does(Decide(entity=boundary_key("b160"), state=REJECT)).review()
    assert events(review) == [("segment", 100, 200)]
    assert review.events[0].joined_by == "ann"
    assert 160 not in {edge.frame for edge in review.boundaries}


def test_nobody_takes_away_the_edge_of_what_cleaning_kept(session: Session) -> None:
    session.does(Decide(entity=boundary_key("b0"), state=REJECT))
    assert review_of(session.document, session.log) is None


def test_a_rejected_event_is_said_to_be_rejected(session: Session) -> None:
    review = session.does(Decide(entity=label_key(Level.ACTION, "b100"), state=REJECT)).review()
    assert [event.words and event.words.state for event in review.events] == [REJECT]


def test_what_a_run_changed_was_said_by_nobody(session: Session) -> None:
    change = {boundary_key("b100"): (session.document.boundaries["b100"], None)}
    change |= {label_key(level, "b100"): (session.document.labels[label_key(level, "b100")], None)
               for level in (Level.ACTION, Level.SEGMENT)}  # fmt: skip
    session.takes(change, "follow", "pipeline:run-7")  # type: ignore[arg-type]
    assert review_of(session.document, session.log) is None
    assert not is_person("pipeline:run-7")
    assert is_person("ann")


def test_the_digest_covers_what_was_said_and_not_the_way_there(session: Session) -> None:
    direct = session.does(Move(boundary_id="b100", frame=110)).review()
    there_and_back = Session(made()).does(
        Move(boundary_id="b100", frame=105), Split(boundary_id="new-boundary", frame=30, rank=3),
        Move(boundary_id="b100", frame=110), Merge(boundary_id="new-boundary"),
    )  # fmt: skip
    assert there_and_back.review().sha256 == direct.sha256
    assert Session(made()).does(Move(boundary_id="b100", frame=110), actor="bob").review().sha256 != direct.sha256
    assert Session(made()).does(Move(boundary_id="b100", frame=110)).review().sha256 == direct.sha256


def test_an_episode_may_be_taken_out_without_a_word_about_its_events() -> None:
    document: Document = made()
    review = review_of(document, [], left_out="somebody can be recognised")
    assert review is not None
    assert (review.events, review.left_out) == ((), "somebody can be recognised")
