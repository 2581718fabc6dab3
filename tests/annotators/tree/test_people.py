"""Whatever people said stands in the tree, and what they left alone is what the machine says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.caption import caption
from annotators.review.document import label_key
from annotators.review.operation import Decide, Merge, Move, Relabel
from annotators.tracks.untouched import settled_touched, touched
from annotators.tree.ranges import usable_ranges
from pipeline.aligned import aligned_actions
from schemas.event import BoundaryKind, Event, Level, ReviewState, Verb
from schemas.recipe import SegmentSpec
from schemas.recipe_caption import TemplateCaption
from schemas.tree import samples, violations
from tests.annotators.recordings import Recording, all_kept
from tests.annotators.review.reviewed import Session, again, frames, grasping, under_review, wandered

RECORDING = grasping()
MACHINE = RECORDING.tree()


@pytest.fixture
def session() -> Session:
    return Session(under_review(RECORDING))


def broken(recording: Recording, events: list[Event]) -> list[str]:
    episode = recording.episode
    alignment = all_kept(episode)
    kept = usable_ranges(alignment, episode.master.clock, aligned_actions(recording.actions, alignment))
    return violations(events, episode.master.clock, kept, episode.action_kind)


def by_place(events: list[Event]) -> dict[tuple[Level, int, int], Event]:
    return {(event.level, event.span.frame_start, event.span.frame_end): event for event in events}


def test_a_moved_boundary_stands_and_everything_else_is_as_it_was(session: Session) -> None:
    inner = max(list(session.document.lane(Level.SEGMENT))[1:], key=lambda span: span.frame_end - span.frame_start)
    session.does(Move(boundary_id=inner.start_id, frame=inner.frame_start + 3))
    tree = again(RECORDING, session.review())
    before, after = by_place(MACHINE), by_place(tree)
    said = {(event.level, event.frame_start, event.frame_end) for event in session.review().events}
    assert said <= after.keys()
    assert after.keys() - before.keys() == said - before.keys()
    for key in said:
        event = after[key]
        assert (event.boundaries_by.proposer, event.boundaries_by.model) == ("human", "ann")
        assert (event.review, event.caption_by) == (ReviewState.EDITED, None)
    edges = {edge.frame: edge for event in tree for edge in (event.start, event.end)}
    placed = edges[inner.frame_start + 3]
    assert (placed.confidence, placed.detectors) == (1.0, ("human:ann",))
    assert placed.t_ns == RECORDING.episode.master.clock.edge_ns(inner.frame_start + 3)
    for key in after.keys() - said:
        assert after[key].review is ReviewState.PROPOSED
        assert after[key].boundaries_by == before[key].boundaries_by


def test_an_accepted_boundary_keeps_what_signals_say_of_it(session: Session) -> None:
    grasp = next(event.start for event in MACHINE if event.start.kind is BoundaryKind.GRASP)
    name = next(name for name, edge in session.document.in_order() if edge.frame == grasp.frame)
    session.does(Decide(entity=f"boundary:{name}", state=ReviewState.ACCEPTED))
    edge = next(e.start for e in again(RECORDING, session.review()) if e.start.frame == grasp.frame)
    assert (edge.kind, edge.arm, edge.sigma_s, edge.confidence) == (grasp.kind, grasp.arm, grasp.sigma_s, 1.0)
    assert set(edge.detectors) == {*grasp.detectors, "human:ann"}


def test_words_of_people_are_never_captioned_again_and_words_they_left_are(session: Session) -> None:
    first, second = list(session.document.lane(Level.ACTION))[1:3]
    session.does(
        Relabel(level=Level.ACTION, boundary_id=first.start_id, caption="reach past the cup", verb=Verb.REACH),
        Decide(entity=label_key(Level.ACTION, second.start_id), state=ReviewState.ACCEPTED),
    )
    tree = again(RECORDING, session.review())
    worded = caption(tree, RECORDING.episode, TemplateCaption())
    assert touched(tree, worded) == settled_touched(tree, worded) == []
    found = by_place(worded)
    mine = found[Level.ACTION, first.frame_start, first.frame_end]
    assert (mine.caption, mine.verb, mine.review) == ("reach past the cup", Verb.REACH, ReviewState.EDITED)
    assert mine.caption_by is not None
    assert (mine.caption_by.proposer, mine.caption_by.model) == ("human", "ann")
    taken = found[Level.ACTION, second.frame_start, second.frame_end]
    assert taken.review is ReviewState.ACCEPTED
    assert all(event.caption and event.caption_by for event in worded)


def test_events_of_which_people_gave_only_the_place_are_worded_and_not_moved(session: Session) -> None:
    inner = list(session.document.lane(Level.ACTION))[2]
    tree = again(RECORDING, session.does(Merge(boundary_id=inner.start_id)).review())
    worded = caption(tree, RECORDING.episode, TemplateCaption())
    joined = [event for event in worded if event.review is ReviewState.EDITED]
    assert joined
    assert all(event.caption_by and event.caption_by.proposer == "template" for event in joined)
    assert settled_touched(tree, worded) == []
    lost = [event for event in worded if event.event_id != joined[0].event_id]
    assert settled_touched(tree, lost) == [f"{joined[0].event_id}: settled and lost by the captioner"]


def test_what_people_rejected_is_no_sample_and_neither_is_what_lies_in_it(session: Session) -> None:
    action = list(session.document.lane(Level.ACTION))[2]
    session.does(Decide(entity=label_key(Level.ACTION, action.start_id), state=ReviewState.REJECTED))
    tree = again(RECORDING, session.review())
    for level in (Level.ACTION, Level.SEGMENT):
        gone = frames(tree, level) - frames(samples(tree, level), level)
        assert gone == {(a, b) for a, b in frames(tree, level) if action.frame_start <= a and b <= action.frame_end}
    assert len(samples(tree, Level.SUBTASK)) == len(frames(tree, Level.SUBTASK))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16), st.integers(1, 12))
def test_the_tree_of_a_review_is_the_document_that_people_saw(seed: int, n: int) -> None:
    session = wandered(Session(under_review(RECORDING)), seed, n)
    if not any(entry.change for entry in session.log):
        return
    review = session.review()
    tree = again(RECORDING, review)
    assert broken(RECORDING, tree) == []
    for level in Level:
        assert frames(tree, level) == {(s.frame_start, s.frame_end) for s in session.document.lane(level)}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**16), st.integers(1, 12), st.sampled_from([0.15, 0.4]), st.sampled_from([0.8, 2.0]))
def test_everything_people_said_stands_whatever_the_machine_says_now(
    seed: int, n: int, merge_s: float, max_segment_s: float
) -> None:
    session = wandered(Session(under_review(RECORDING)), seed, n)
    if not any(entry.change for entry in session.log):
        return
    review = session.review()
    tree = again(RECORDING, review, SegmentSpec(merge_s=merge_s, max_segment_s=max_segment_s))
    assert broken(RECORDING, tree) == []
    found = by_place(tree)
    for said in review.events:
        event = found[said.level, said.frame_start, said.frame_end]
        if said.words is not None:
            words = said.words
            assert (event.caption, event.verb, event.objects, event.arm) == (
                words.caption, words.verb, words.objects, words.arm,
            )  # fmt: skip
