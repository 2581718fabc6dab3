"""What was made of a source's annotations, as findings for ``joinery why``: used, or not and why, span by span."""

from collections.abc import Iterator, Sequence

from annotators.tracks.choose import NO_CUT, NO_EDGE, Choice, Use
from schemas.episode import Episode, SourceSpan
from schemas.event import Event
from schemas.finding import Finding, Verdict


def told(episode: Episode, choices: Sequence[Choice], events: Sequence[Event]) -> Iterator[Finding]:
    """One KEEP per track that is used or could have been, and one per span of a bounding track without an event."""
    for choice in choices:
        if choice.reason in (NO_EDGE, NO_CUT):
            continue
        lost = list(_lost(choice, events)) if choice.use is Use.BOUND and events else []
        yield _finding(episode, "annotation_track", _used(choice, len(lost)), None)
        for span, reason in lost:
            message = f"{choice.track.detector} {span.text!r} is no event of the {choice.level} level: {reason}"
            yield _finding(episode, "annotation_left_out", message, span)


def _used(choice: Choice, n_lost: int) -> str:
    name, n = choice.track.detector, len(choice.track.spans)
    match choice.use:
        case Use.BOUND:
            lasting = sum(span.end_ns > span.start_ns for span in choice.track.spans)
            said = f"{name}: {lasting - n_lost} of {n} spans are events of the {choice.level} level"
        case Use.INFORM:
            said = f"{name}: its {n} spans inform cuts and words and bound nothing"
        case Use.OFF:
            said = f"{name}: its {n} spans are kept and not used"
    return f"{said}; {choice.reason}" if choice.reason else said


def _lost(choice: Choice, events: Sequence[Event]) -> Iterator[tuple[SourceSpan, str]]:
    """Spans of a bounding track that became no event, and why."""
    made = [event for event in events if event.level is choice.level and event.boundaries_by == choice.track.provenance]
    tasks = [event.span for event in events if not event.parent_id]
    used = set(choice.spans)
    for span in choice.track.spans:
        if any(_meet(event, span) and event.caption == span.text for event in made):
            continue
        if span.end_ns <= span.start_ns:
            continue
        if span not in used:
            yield span, "it overlaps another span of its track"
        elif not any(task.start_ns < span.end_ns and span.start_ns < task.end_ns for task in tasks):
            yield span, "it lies in parts that are not kept"
        else:
            yield span, "it is shorter than an event, overlaps one that outranks it, or crosses a coarser one"


def _meet(event: Event, span: SourceSpan) -> bool:
    return event.span.start_ns < span.end_ns and span.start_ns < event.span.end_ns


def _finding(episode: Episode, check: str, message: str, span: SourceSpan | None) -> Finding:
    return Finding(
        subject=episode.episode_id,
        source=episode.source,
        stage="segment",
        check=check,
        verdict=Verdict.KEEP,
        message=f"{episode.locator}: {message}",
        start_ns=None if span is None else span.start_ns,
        end_ns=None if span is None else span.end_ns,
    )
