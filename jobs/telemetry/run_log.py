"""The log of a run: JSON lines, one for whatever happened, each with time, level, run, stage, item and work key.

Workers send what they have to say with their results (`pipeline.store.Attempt`), so the log of a run on a hundred
machines is one file, and a line says which machine and process it is about. Every line of a result that was made stands
there at level ``debug`` only: ten million episodes would fill disks with good news. What failed is there at every
level, with its traceback. Credentials of the recipe are blanked, whoever quoted them.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from jobs.progress import StageProgress
from jobs.telemetry.lines import Lines
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError
from schemas.recipe import LogLevel
from schemas.run import Run

SHORTEST_SECRET = 4
"""Blanking a shorter one would blank half the log."""


class RunLog:
    """A `jobs.telemetry.watcher.Watcher` that writes lines."""

    def __init__(self, lines: Lines, level: LogLevel, secrets: Iterable[str] = ()) -> None:
        self._lines, self._levels = lines, levels_from(level)
        self._lock = threading.Lock()
        self._secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._run_id = ""
        self._running: set[str] = set()
        self._here: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid()}

    def began(self, run: Run) -> None:
        self._run_id = run.run_id
        self._say("info", "run began", recipe_digest=run.recipe_digest, executor=run.executor, **self._here)
        self.flush()

    def stage(self, progress: StageProgress) -> None:
        counts: dict[str, Any] = {
            "total": progress.total,
            "cached": progress.cached,
            "quarantined": progress.quarantined,
        }
        if progress.running and progress.stage not in self._running:
            self._running.add(progress.stage)
            self._say("info", "stage began", stage=progress.stage, **counts, **self._here)
        elif not progress.running:
            self._running.discard(progress.stage)
            took: dict[str, Any] = {"done": progress.done, "seconds": round(progress.seconds, 3)}
            self._say("info", "stage ended", stage=progress.stage, **counts, **took, **self._here)

    def handed(self, stage: str, n_items: int) -> None:
        """Nothing: a batch is told of when it comes back."""

    def came(self, stage: str, attempt: Attempt) -> None:
        cost = attempt.cost
        where: dict[str, Any] = {"host": cost.host, "pid": cost.pid} if cost else {}
        for note in attempt.notes:
            told: dict[str, Any] = {"traceback": note.traceback} if note.traceback else {}
            level = note.level.lower() if note.level.lower() in ("warning", "error") else "error"
            self._say(level, note.message, at=note.time, stage=stage, logger=note.logger, **told, **where)
        for failure in attempt.failures:
            said = f"{failure.error}: {failure.message}"
            whose: dict[str, Any] = {"item": failure.item, "source": failure.source, "work_key": failure.work_key}
            self._say("error", said, stage=stage, **whose, traceback=failure.traceback, **where)
        for done in attempt.done:
            known: dict[str, Any] = {
                "item": done.item,
                "work_key": done.work_key,
                "attempt": done.attempt,
                "seconds": done.seconds,
            }
            self._say("debug", "item done", stage=stage, **known, **where)
        if attempt.stopped:
            self._say("error", attempt.stopped, stage=stage, **where)
        if cost:
            took: dict[str, Any] = {
                "seconds": cost.seconds,
                "cpu_s": cost.cpu_s,
                "items": cost.items,
                "failed": cost.failed,
            }
            self._say("info", "batch done", stage=stage, **took, **where)
        if attempt.failures or attempt.stopped:
            self.flush()

    def ended(self, run: Run, error: BaseException | None) -> None:
        told: dict[str, Any] = {"traceback": "".join(traceback.format_exception(error))} if error else {}
        level = "info" if run.outcome == "succeeded" else "error"
        self._say(level, f"run ended: {run.outcome}: {run.message}", outcome=run.outcome, **told, **self._here)
        self.flush()

    def flush(self) -> None:
        """Let others read what was said; called by the beacon's thread too."""
        with (
            self._lock,
            suppress(OSError, JoineryError),
        ):  # it waits for the next time; the run notices itself when its store is gone
            self._lines.flush()

    def close(self) -> None:
        with self._lock, suppress(OSError, JoineryError):
            self._lines.close()

    def _say(self, level: str, message: str, *, at: float | None = None, **fields: Any) -> None:
        if level in self._levels:
            when = datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat(timespec="milliseconds")
            told = {"traceback": fields.pop("traceback")} if "traceback" in fields else {}
            line = {"time": when, "level": level, "run": self._run_id, **fields, "message": message, **told}
            with self._lock, suppress(OSError, JoineryError):
                self._lines.write(self._blanked(json.dumps(line, ensure_ascii=False)))

    def _blanked(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, "***").replace(json.dumps(secret, ensure_ascii=False)[1:-1], "***")
        return line


def levels_from(level: LogLevel) -> frozenset[str]:
    """The levels that are written."""
    names = [str(name) for name in (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)]
    return frozenset(names[names.index(level) :]) if level in names else frozenset()
