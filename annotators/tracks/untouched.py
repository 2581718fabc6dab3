"""What a captioner must leave alone: where events lie, and every word of people and sources.

Checked after every captioner, because a label that a person made and a re-run changed is lost without a trace.
"""

from collections.abc import Sequence
from dataclasses import replace

from annotators.tracks.track import RANK
from schemas.event import Event, ReviewState


def touched(before: Sequence[Event], after: Sequence[Event]) -> list[str]:
    """Every event that a captioner added, lost, moved, or reworded although a person or a source had spoken."""
    old, new = {event.event_id: event for event in before}, {event.event_id: event for event in after}
    found = [f"{key}: lost by the captioner" for key in old.keys() - new.keys()]
    found += [f"{key}: not in the tree that was captioned" for key in new.keys() - old.keys()]
    for key in old.keys() & new.keys():
        was, now = old[key], new[key]
        if _place(was) != _place(now):
            found.append(f"{key}: it lies elsewhere than in the tree that was captioned")
        elif is_settled(was) and replace(now, revision=was.revision) != was:
            by = was.caption_by.proposer if was.caption_by is not None else "nobody"
            found.append(f"{key}: worded by {by} and {was.review}: found {now.caption!r}, expected {was.caption!r}")
    return sorted(found)


def settled_touched(before: Sequence[Event], after: Sequence[Event]) -> list[str]:
    """The same for a captioner that may group events anew: what people and sources have settled keeps place and words.

    It may lie in another parent, since parents are what is grouped. What people only placed keeps its place.
    """
    new = {event.event_id: event for event in after}
    found = []
    for was in filter(is_placed, before):
        now = new.get(was.event_id)
        if now is None:
            found.append(f"{was.event_id}: settled and lost by the captioner")
        elif (now.level, now.span, now.review) != (was.level, was.span, was.review):
            found.append(f"{was.event_id}: settled, found in another place or review state")
        elif is_settled(was) and _words(now) != _words(was):
            found.append(f"{was.event_id}: settled as {was.caption!r}, found {now.caption!r}")
    return sorted(found)


def is_settled(event: Event) -> bool:
    """Whether a person or the source has worded it, or a person has reviewed its words."""
    said = event.caption_by is not None and event.caption_by.proposer in RANK
    return said or (event.review is not ReviewState.PROPOSED and bool(event.caption))


def is_placed(event: Event) -> bool:
    """Whether a person or the source has said where it lies, in words of theirs or without."""
    return is_settled(event) or event.boundaries_by.proposer in RANK


def _place(event: Event) -> tuple[object, ...]:
    return event.level, event.parent_id, event.span, event.start, event.end, event.boundaries_by


def _words(event: Event) -> tuple[object, ...]:
    return event.verb, event.caption, event.objects, event.caption_by
