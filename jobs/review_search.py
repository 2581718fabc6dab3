"""The review app's search: events of the workspace by words and by likeness, with the frames they are at."""

from __future__ import annotations

from threading import Lock

from annotators import caption
from annotators.review.review import Answer, Question, Search
from annotators.search.ranking import Filters
from jobs.search import search
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace, one_of
from schemas.event import Event, Level, Verb


def search_of(workspace: Workspace, ledger: Ledger, lock: Lock) -> Search:
    """A search over what the workspace holds now. ``lock``: the ledger answers one question at a time."""

    def ask(question: Question) -> list[Answer]:
        filters = _filters(question)
        with lock:
            result = search(
                workspace, ledger, question.words, like=question.like or None, filters=filters, limit=question.limit
            )
            hits = [found.hit for found in result.found]
            done = dict(ledger.done_attempts(caption.STAGE.name))
            attempts = {done[hit.episode_id] for hit in hits}
            events = _events(workspace, sorted(attempts), [hit.event_id for hit in hits])
        scores = [found.hit.score if found.similar is None else found.similar.score for found in result.found]
        return [_answer(events[hit.event_id], score) for hit, score in zip(hits, scores, strict=True)]

    return ask


def _filters(question: Question) -> Filters:
    try:
        level = Level(question.level) if question.level else None
        verb = Verb(question.verb) if question.verb else None
    except ValueError as error:
        raise JoineryError(f"{error}; expected a level or verb of docs/segment.md") from error
    return Filters(level=level, verb=verb, source=question.source or None)


def _events(workspace: Workspace, attempts: list[str], ids: list[str]) -> dict[str, Event]:
    """The present events of these ids, by id."""
    read = workspace.read(Event, attempts, one_of("event_id", ids)) if ids else {}
    return {event.event_id: event for rows in read.values() for event in rows}


def _answer(event: Event, score: float) -> Answer:
    return Answer(
        event_id=event.event_id,
        episode_id=event.episode_id,
        level=str(event.level),
        frame_start=event.span.frame_start,
        frame_end=event.span.frame_end,
        caption=event.caption,
        verb=str(event.verb),
        objects=event.objects,
        score=round(score, 4),
    )
