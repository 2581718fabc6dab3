"""Why the machine set each boundary, in a sentence, and what else an event could be called."""

from __future__ import annotations

from collections.abc import Sequence

from annotators.review.document import Document, label_key
from annotators.review.from_tree import boundary_id
from annotators.review.sheet import Alternative, Evidence
from schemas.episode import Episode, SourceSpan, SpanMeaning
from schemas.event import Boundary, BoundaryKind, Event, Level

_SAME_SPAN = 0.5
"""Words of the source count for an event when they share half of what either covers (intersection over union)."""
_SAYS_WHAT = {
    Level.TASK: {SpanMeaning.TASK, SpanMeaning.CHAPTER},
    Level.SUBTASK: {SpanMeaning.SUBTASK, SpanMeaning.CHAPTER, SpanMeaning.NARRATION},
    Level.ACTION: {SpanMeaning.ACTION, SpanMeaning.NARRATION},
    Level.SEGMENT: {SpanMeaning.SEGMENT, SpanMeaning.ACTION, SpanMeaning.NARRATION},
}
_SEEN = {
    BoundaryKind.GRASP: "The fingers close on something",
    BoundaryKind.LIFT: "What is held leaves its support",
    BoundaryKind.TRANSPORT: "Lifting turns into carrying",
    BoundaryKind.SUPPORT: "What is held touches its support",
    BoundaryKind.RELEASE: "The fingers open and let go",
    BoundaryKind.RETREAT: "The hand leaves what it put down",
    BoundaryKind.MISS: "The fingers closed on nothing and opened again",
    BoundaryKind.SLIP: "What was held is lost without support",
    BoundaryKind.CONTACT: "Something is touched that will move",
    BoundaryKind.MOTION: "One motion ends and another begins",
    BoundaryKind.HARD_CUT: "The recording cuts to another shot",
    BoundaryKind.VISUAL_CHANGE: "The picture changes",
    BoundaryKind.DURATION_CAP: "A long stretch is divided, nothing else cuts it",
    BoundaryKind.ANNOTATION: "An annotation of the source begins or ends",
    BoundaryKind.RANGE_EDGE: "Cleaning kept nothing beyond",
}


def evidence_of(episode_id: str, events: Sequence[Event]) -> dict[str, Evidence]:
    """By boundary id. Doubts are those of the events that start there; the coarsest level's edge speaks for all."""
    found: dict[str, Evidence] = {}
    for event in sorted(events, key=lambda event: -event.level.depth):
        for edge, doubts, needs_vlm in (
            (event.end, (), False),
            (event.start, tuple(str(doubt) for doubt in event.doubts), event.needs_vlm),
        ):
            name = boundary_id(episode_id, edge.frame)
            before = found.get(name)
            told = tuple(dict.fromkeys([*(before.doubts if before else ()), *doubts]))
            wants = needs_vlm or (before is not None and before.needs_vlm)
            found[name] = Evidence(
                str(edge.kind), edge.confidence, edge.detectors, told, wants, _sentence(edge, told, needs_vlm=wants)
            )
    return found


def _sentence(edge: Boundary, doubts: Sequence[str], *, needs_vlm: bool) -> str:
    seen = f"{_SEEN[edge.kind]}{f' ({edge.arm} arm)' if edge.arm else ''}"
    by = f"by {', '.join(edge.detectors)}; " if edge.detectors else ""
    sure = f"{by}confidence {edge.confidence:.2f}, good to ±{edge.sigma_s:.2f} s"
    doubt = f"; in doubt: {', '.join(doubts)}" if doubts else ""
    second = "; wants a second look" if needs_vlm and not doubts else ""
    return f"{seen}: {sure}{doubt}{second}."


def alternatives_of(
    document: Document, episode: Episode, events: Sequence[Event]
) -> dict[str, tuple[Alternative, ...]]:
    """By label key: the machine's own words said otherwise, and what the source said of the same span."""
    found: dict[str, tuple[Alternative, ...]] = {}
    for event in events:
        key = label_key(event.level, boundary_id(document.episode_id, event.start.frame))
        said = [(other.text, f"rephrased ({other.language})") for other in event.rephrasings]
        said += [
            (span.text, span.track)
            for span in episode.annotations
            if span.text and span.meaning in _SAYS_WHAT[event.level] and _overlap(span, event) >= _SAME_SPAN
        ]
        offered = {text: Alternative(text, str(event.verb), event.objects, event.arm, by) for text, by in said}
        offered.pop(event.caption, None)
        if offered:
            found[key] = tuple(offered.values())
    return found


def _overlap(span: SourceSpan, event: Event) -> float:
    shared = min(span.end_ns, event.span.end_ns) - max(span.start_ns, event.span.start_ns)
    either = max(span.end_ns, event.span.end_ns) - min(span.start_ns, event.span.start_ns)
    return max(0, shared) / either if either > 0 else 0.0
