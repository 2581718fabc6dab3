"""The record by which others follow a run: one small blob in the workspace, written anew every few seconds.

It lies beside the run's log, so it can be read wherever the workspace can, on an object store too, and its age says
whether the run still lives. A thread of its own writes it, because a batch may take longer than the patience of whoever
looks. What the thread cannot write it lets be: the run itself finds out when its store is gone.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from jobs.progress import StageProgress
from jobs.telemetry.lines import LOGS
from pipeline.attempt import Attempt
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from schemas.run import Run

EVERY_S = 2.0
SHOWN_FAILURES = 5
SHOWN_CHARACTERS = 300


def beacon_path(run_id: str) -> str:
    """Where the record of a run lies in its workspace."""
    return f"{LOGS}/{run_id}/progress.json"


class Beacon:
    """A `jobs.telemetry.watcher.Watcher` that writes the record, and calls whoever else has something to do then."""

    def __init__(self, blobs: Blobs, also: Callable[[], object] = lambda: None, every_s: float = EVERY_S) -> None:
        self._blobs, self._also, self._every_s = blobs, also, every_s
        self._lock = threading.Lock()
        self._stages: dict[str, StageProgress] = {}
        self._failures: deque[dict[str, str]] = deque(maxlen=SHOWN_FAILURES)
        self._in_flight: dict[str, int] = {}
        self._run: Run | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="joinery-beacon", daemon=True)

    def began(self, run: Run) -> None:
        self._run = run
        self._write()
        self._thread.start()

    def stage(self, progress: StageProgress) -> None:
        with self._lock:
            self._stages[progress.stage] = replace(progress)

    def handed(self, stage: str, n_items: int) -> None:
        with self._lock:
            self._in_flight[stage] = self._in_flight.get(stage, 0) + n_items

    def came(self, stage: str, attempt: Attempt) -> None:
        with self._lock:
            self._in_flight[stage] = self._in_flight.get(stage, 0) - len(attempt.done) - len(attempt.failures)
            for failure in attempt.failures:
                said = f"{failure.error}: {failure.message}"[:SHOWN_CHARACTERS]
                self._failures.append({"stage": stage, "item": failure.item, "message": said})

    def ended(self, run: Run, error: BaseException | None) -> None:  # noqa: ARG002 - the run says what it was
        self._run = run
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._write()

    def _beat(self) -> None:
        while not self._over.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        try:
            self._also()
            if self._run is not None:
                said = json.dumps(self._record(self._run), ensure_ascii=False)
                self._blobs.put_bytes(beacon_path(self._run.run_id), said.encode())
        except (OSError, JoineryError):  # said again at the next beat
            pass

    def _record(self, run: Run) -> dict[str, Any]:
        with self._lock:
            stages = [_line(stage, self._in_flight.get(stage.stage, 0)) for stage in self._stages.values()]
            failures = list(self._failures)
        return {
            "run_id": run.run_id,
            "started_at": run.started_at,
            "executor": run.executor,
            "outcome": run.outcome,
            "message": run.message,
            "written_at": time.time(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "stages": stages,
            "failures": failures,
        }


def _line(progress: StageProgress, in_flight: int) -> dict[str, Any]:
    seconds = time.monotonic() - progress.started if progress.running else progress.seconds
    names = ("stage", "total", "cached", "done", "quarantined", "running")
    counts = {name: getattr(progress, name) for name in names}
    return {**counts, "in_flight": max(0, in_flight), "seconds": round(seconds, 3)}
