"""What no captioner may do."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from annotators.tracks.untouched import touched
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Event, Provenance, ReviewState, Verb
from tests.annotators.recordings import synthetic

TREE = synthetic(make_trajectory(3, {Arm.RIGHT: (Variant.PLAIN,)})).tree()
SETTLED = [replace(TREE[0], caption="Mine", caption_by=Provenance("human")), *TREE[1:]]
REVIEWED = [replace(TREE[0], caption="Ours", review=ReviewState.ACCEPTED), *TREE[1:]]


def test_wording_what_nobody_has_worded_is_its_work() -> None:
    worded = [replace(e, caption="x", verb=Verb.OTHER, caption_by=Provenance("template")) for e in TREE]
    assert touched(TREE, worded[::-1]) == []


@pytest.mark.parametrize(
    ("before", "spoil", "said"),
    [
        (TREE, lambda e: replace(e, span=replace(e.span, frame_end=e.span.frame_end - 1)), "lies elsewhere"),
        (TREE, lambda e: replace(e, parent_id="ev-other"), "lies elsewhere"),
        (TREE, lambda e: replace(e, end=replace(e.end, confidence=0.1)), "lies elsewhere"),
        (TREE, lambda e: replace(e, event_id="ev-new"), "not in the tree"),
        (SETTLED, lambda e: replace(e, caption="Theirs"), "worded by human"),
        (SETTLED, lambda e: replace(e, verb=Verb.STIR), "worded by human"),
        (REVIEWED, lambda e: replace(e, caption="Theirs"), "accepted"),
    ],
)
def test_moving_losing_and_rewording_is_named(before: list[Event], spoil: Callable[[Event], Event], said: str) -> None:
    found = touched(before, [spoil(before[0]), *before[1:]])
    assert any(said in problem for problem in found)
    assert all(before[0].event_id in problem or "ev-new" in problem for problem in found)


def test_a_lost_event_is_named() -> None:
    assert touched(TREE, TREE[1:]) == [f"{TREE[0].event_id}: lost by the captioner"]
