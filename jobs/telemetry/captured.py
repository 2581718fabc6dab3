"""What libraries and stages log while a batch is done, kept so that it can travel back with the results.

A worker may be on any machine; what it prints there nobody reads. Warnings and errors of Python's own logging go into
the run's log instead, beside the batch they belong to. Terminals and Ray's logs get them as before.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.note import Note

MOST_NOTES = 100
"""Of one batch: a library that warns of every frame must not fill the memory of the coordinator."""


class Listener(logging.Handler):
    """Collects records as values; of more than `MOST_NOTES` it only counts the rest."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._notes: list[Note] = []
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Called by the logging library, in the thread that logs, under the handler's lock."""
        if len(self._notes) == MOST_NOTES:
            self._lost += 1
            return
        told = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        self._notes.append(Note(record.created, record.levelname, record.name, record.getMessage(), told))

    def notes(self) -> tuple[Note, ...]:
        """What was said so far."""
        if not self._lost:
            return tuple(self._notes)
        more = f"{self._lost} more lines were logged in this batch and are not kept"
        return (*self._notes, Note(self._notes[-1].time, "WARNING", __name__, more))


@contextmanager
def captured() -> Iterator[Listener]:
    """Listen to Python's logging for as long as the block lasts."""
    listener, root = Listener(), logging.getLogger()
    root.addHandler(listener)
    try:
        yield listener
    finally:
        root.removeHandler(listener)
