"""What a person would have had to do in the app for a document to say what their file says.

A file comes in as operations, one by one, so it is in the log with a name, can be undone, and meets other people's
edits as a conflict like any other. A boundary that only lies elsewhere is moved, not taken out and made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from annotators.review.document import Document, ReviewBoundary, ReviewedSpan, label_key
from annotators.review.formats.row import Row, rows_of
from annotators.review.operation import Decide, Merge, Move, Operation, Rank, Relabel, Split
from schemas.event import ReviewState, Verb
from schemas.identity import make_id


def said_otherwise(document: Document, rows: Sequence[Row]) -> list[Row]:
    """The rows that are not in the document as they are; what a file leaves as it was, it says nothing about."""
    there = set(rows_of(document))
    full = [row if row.verb is not None else replace(row, verb=_verb_at(document, row)) for row in rows]
    return [row for row in full if row not in there]


def _verb_at(document: Document, row: Row) -> Verb | None:
    """Formats without verbs leave the one there is."""
    for span in document.lane(row.level):
        if (span.frame_start, span.frame_end) == (row.frame_start, row.frame_end) and span.label is not None:
            return span.label.verb
    return None


def next_operation(document: Document, row: Row, needed: frozenset[int], salt: str) -> Operation | None:
    """One step towards a row; None when the document has it. ``needed`` are the frames of all rows of the file."""
    depth = row.level.depth
    by_frame = {edge.frame: (name, edge) for name, edge in document.in_order()}
    for frame in (row.frame_start, row.frame_end):
        if frame not in by_frame:
            return _placed(document, frame, depth, needed, salt)
        name, edge = by_frame[frame]
        if edge.rank > depth:
            return Rank(boundary_id=name, rank=depth)
    for name, edge in document.in_order():
        if row.frame_start < edge.frame < row.frame_end and edge.rank <= depth:
            return Merge(boundary_id=name) if depth == 3 else Rank(boundary_id=name, rank=depth + 1)
    span = next(span for span in document.lane(row.level) if span.frame_start == row.frame_start)
    return _worded(span, row)


def _worded(span: ReviewedSpan, row: Row) -> Operation | None:
    label = span.label
    verb = row.verb or (label.verb if label is not None else Verb.OTHER)
    words = row.caption, verb, row.objects, row.arm
    if label is None or words != (label.caption, label.verb, label.objects, label.arm):
        caption, verb, objects, arm = words
        return Relabel(level=row.level, boundary_id=span.start_id, caption=caption, verb=verb, objects=objects, arm=arm)
    decided = row.state in (ReviewState.ACCEPTED, ReviewState.REJECTED)
    if decided and label.state is not row.state:
        return Decide(entity=label_key(row.level, span.start_id), state=row.state)
    return None


def _placed(document: Document, frame: int, depth: int, needed: frozenset[int], salt: str) -> Operation:
    """A boundary at a frame where there is none: the neighbour that no row wants where it is, or else a new one."""
    order = document.in_order()
    before = [pair for pair in order if pair[1].frame < frame][-1:]
    after = [pair for pair in order if pair[1].frame > frame][:1]
    free = [pair for pair in (*before, *after) if _free(pair[1], depth, needed)]
    if free:
        name, _ = min(free, key=lambda pair: abs(pair[1].frame - frame))
        return Move(boundary_id=name, frame=frame)
    return Split(boundary_id=make_id("rb", document.episode_id, salt, str(frame)), frame=frame, rank=depth)


def _free(edge: ReviewBoundary, depth: int, needed: frozenset[int]) -> bool:
    return not edge.pinned and edge.frame not in needed and edge.rank >= depth
