"""A newer run changes nothing that people touched; what it sees otherwise stands beside it as a suggestion."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.caption import caption
from annotators.review.accepted import said_in
from annotators.review.document import LEVELS, Document, Label, Origin, boundary_key, label_key, problems
from annotators.review.from_tree import boundary_id, document_of
from annotators.review.operation import Decide, Entity, Merge, Move, Relabel, Split, applied
from annotators.review.suggest import CannotFollowError, Suggestion, followed, suggestions
from schemas.event import Level, ReviewState, Verb
from schemas.recipe_caption import TemplateCaption
from tests.annotators.review.made import CUTS, made
from tests.annotators.review.reviewed import Session, again, grasping, under_review, wandered
from tests.annotators.tree.test_impose import tilings

NEWER = {0: 0, 90: 2, 160: 3, 205: 1, 240: 3, 260: 2, 300: 0}
"""The machine has thought again: two boundaries elsewhere, one more."""


def renamed(document: Document) -> Document:
    """The ids that the machine gives; `made` has easier ones for people to name."""
    names = {name: boundary_id(document.episode_id, edge.frame) for name, edge in document.boundaries.items()}
    labels = {
        ":".join([*key.split(":")[:2], names[key.split(":")[2]]]): label for key, label in document.labels.items()
    }
    boundaries = {names[name]: edge for name, edge in document.boundaries.items()}
    return Document(document.episode_id, document.n_frames, boundaries, labels)


def take(session: Session, newer: Document, run: str = "run-2") -> Session:
    change = followed(session.document, session.log, newer)
    return session.takes(change, "follow", f"pipeline:{run}") if change else session


def cuts(document: Document) -> dict[int, int]:
    return {edge.frame: edge.rank for _, edge in document.in_order()}


def of_people(document: Document) -> dict[str, Entity]:
    edges = {boundary_key(name): edge for name, edge in document.boundaries.items() if edge.origin is Origin.HUMAN}
    return edges | {key: label for key, label in document.labels.items() if label.origin is Origin.HUMAN}


def test_what_nobody_touched_becomes_what_the_machine_says_now() -> None:
    session = take(Session(made()), renamed(made(NEWER)))
    assert cuts(session.document) == NEWER
    assert {s.frame_start: s.label and s.label.caption for s in session.document.lane(Level.ACTION)} == {
        frame: f"action from {frame}" for frame in (0, 90, 205, 260)
    }
    assert suggestions(session.document, session.log, renamed(made(NEWER))) == []


def test_the_same_tree_again_changes_nothing() -> None:
    session = Session(made())
    assert followed(session.document, [], made()) == {}
    session.does(Move(boundary_id="b100", frame=130), Merge(boundary_id="b260"))
    assert followed(session.document, session.log, made()) == {}


def test_a_boundary_that_people_moved_stays_and_the_machines_is_suggested_beside_it() -> None:
    session = Session(made()).does(Move(boundary_id="b100", frame=110))
    newer = renamed(made(NEWER))
    take(session, newer)
    assert cuts(session.document) == {0: 0, 110: 2, 160: 3, 200: 2, 240: 3, 260: 2, 300: 0}
    assert session.document.boundaries["b100"].frame == 110
    found = suggestions(session.document, session.log, newer)
    at_90 = next(edge for _, edge in newer.in_order() if edge.frame == 90)
    assert Suggestion(boundary_key("b100"), at_90) in found


def test_words_of_people_stay_and_the_machines_are_suggested() -> None:
    said = Relabel(level=Level.ACTION, boundary_id="b200", caption="pour", verb=Verb.POUR)
    session = take(Session(made()).does(said), renamed(made(NEWER)))
    key = label_key(Level.ACTION, "b200")
    assert session.document.labels[key].caption == "pour"
    found = suggestions(session.document, session.log, renamed(made(NEWER)))
    words = [one for one in found if isinstance(one.value, Label)]
    assert [(one.beside, one.value.caption) for one in words if isinstance(one.value, Label)] == [
        (key, "action from 205")
    ]


def test_what_people_joined_is_not_divided_again() -> None:
    session = take(Session(made()).does(Merge(boundary_id="b160")), renamed(made(NEWER)))
    assert (100, 200) in {(s.frame_start, s.frame_end) for s in session.document.lane(Level.SEGMENT)}
    found = suggestions(session.document, session.log, renamed(made(NEWER)))
    assert {one.value.frame for one in found if not isinstance(one.value, Label)} == {160}
    assert {one.beside for one in found} == {label_key(Level.SEGMENT, "b100")}


def test_a_suggestion_that_somebody_follows_is_gone() -> None:
    newer = renamed(made(CUTS | {30: 3}))
    session = Session(made()).does(Split(boundary_id="new-0001", frame=50, rank=3))
    take(session, newer)
    (one,) = suggestions(session.document, session.log, newer)
    assert one.beside == boundary_key("new-0001")
    assert not isinstance(one.value, Label)
    session.does(Move(boundary_id="new-0001", frame=one.value.frame))
    assert suggestions(session.document, session.log, newer) == []


def test_other_pictures_and_other_kept_parts_are_refused_once_people_have_spoken() -> None:
    session, shorter = Session(made()), made({0: 0, 100: 2, 250: 0})
    with pytest.raises(CannotFollowError, match="250 pictures"):
        followed(session.document, [], shorter)
    other = Document("ep-1", 300, made({10: 0, 100: 2, 290: 0}).boundaries, made({10: 0, 100: 2, 290: 0}).labels)
    assert followed(session.document, [], other)
    session.does(Decide(entity=boundary_key("b100"), state=ReviewState.ACCEPTED))
    with pytest.raises(CannotFollowError, match="cleaning keeps other parts"):
        followed(session.document, session.log, other)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**12), st.integers(0, 6), tilings()), min_size=1, max_size=5))
def test_no_sequence_of_people_and_runs_changes_what_people_touched(
    steps: list[tuple[int, int, dict[int, int]]],
) -> None:
    """L6 of the review's acceptance tests."""
    session = Session(made())
    for seed, n, tiling in steps:
        wandered(session, seed, n, actor=f"p{seed % 3}")
        inner = {frame: rank for frame, rank in tiling.items() if 5 <= frame <= 295}
        newer = renamed(made({0: 0, **inner, 300: 0}))
        before, spoken = of_people(session.document), said_in(session.document, session.log)
        take(session, newer, run=f"run-{seed}")
        after = session.document
        assert problems(after) == []
        assert of_people(after) == before
        for event in spoken.events:
            lane = {(s.start_id, s.frame_start, s.frame_end) for s in after.lane(event.span.level)}
            assert (event.span.start_id, event.span.frame_start, event.span.frame_end) in lane
        suggestions(after, session.log, newer)
        if not spoken.events:
            assert cuts(after) == cuts(newer)
        assert followed(after, session.log, newer) == {}


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**16), st.integers(1, 10))
def test_what_went_to_the_pipeline_and_comes_back_changes_no_boundary(seed: int, n: int) -> None:
    """Export, run, import: the round trip has an end."""
    recording = grasping()
    session = wandered(Session(under_review(recording)), seed, n)
    if not said_in(session.document, session.log).events:
        return
    tree = caption(again(recording, session.review()), recording.episode, TemplateCaption())
    newer = document_of(session.document.episode_id, session.document.n_frames, tree)
    rejected = any(edge.state is ReviewState.REJECTED for edge in session.document.boundaries.values())
    after = applied(session.document, followed(session.document, session.log, newer))
    assert of_people(after) == of_people(session.document)
    if not rejected:
        assert cuts(after) == cuts(session.document)
        for level in LEVELS:
            assert [s.start_id for s in after.lane(level)] == [s.start_id for s in session.document.lane(level)]
