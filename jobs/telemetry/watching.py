"""Following a run from another terminal or another machine: what `joinery status --watch` reads.

All it needs is the workspace. It reads one small blob every few seconds (`jobs.telemetry.beacon`) and asks nothing of
the run, so looking costs the run nothing. A run that was killed cannot say so: its record grows old, and then it counts
as dead, at once if its process was on this machine and is there no more.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil

from jobs.past_runs import past_runs
from jobs.progress import StageProgress
from jobs.telemetry.beacon import EVERY_S, beacon_path
from jobs.telemetry.lines import LOGS
from pipeline.errors import StoreError
from pipeline.store import Workspace

STALE_S = 60.0
"""A record that is older says its run is dead. Clocks of two machines may differ by some of it."""
DEAD = "died"
RUNNING = "running"


@dataclass(frozen=True)
class Seen:
    """A run as it was a moment ago."""

    run_id: str
    executor: str
    started_at: str
    outcome: str
    """As in `Run.outcome`, or ``died``."""
    message: str
    stages: tuple[StageProgress, ...]
    in_flight: int
    """Items handed to workers and not back."""
    failures: tuple[str, ...]
    """The last ones of this run, oldest first."""
    age_s: float
    """How old the record is."""
    log: str
    """Folder of the run's log, below the workspace."""

    @property
    def going_on(self) -> bool:
        return self.outcome == RUNNING


def last_run(workspace: Workspace) -> str:
    """The run that began last. Raises StoreError when there was none."""
    runs = past_runs(workspace)
    if not runs:
        raise StoreError(f"{workspace.url}: no run has begun there yet; `joinery run RECIPE` does")
    return runs[0].run_id


def look(workspace: Workspace, run_id: str) -> Seen:
    """How a run is. Raises StoreError when it has left no record."""
    try:
        record = json.loads(workspace.blobs.read(beacon_path(run_id)))
    except FileNotFoundError as error:
        raise StoreError(f"{workspace.url}/{beacon_path(run_id)}: run {run_id} has left no record to watch") from error
    return _seen(record, time.time())


def watched(
    workspace: Workspace, every_s: float = EVERY_S, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Seen]:
    """The run that began last, again and again until it is over."""
    run_id = last_run(workspace)
    while True:
        seen = look(workspace, run_id)
        yield seen
        if not seen.going_on:
            return
        sleep(every_s)


def _seen(record: dict[str, Any], now: float) -> Seen:
    age_s = max(0.0, now - record["written_at"])
    outcome, message = record["outcome"], record["message"]
    if outcome == RUNNING and (age_s > STALE_S or _gone(record)):
        outcome, message = DEAD, "it has not said so: killed, or its machine is gone; run again, nothing is lost"
    elapsed = time.monotonic() - age_s
    return Seen(
        run_id=record["run_id"],
        executor=record["executor"],
        started_at=record["started_at"],
        outcome=outcome,
        message=message,
        stages=tuple(_stage(line, elapsed) for line in record["stages"]),
        in_flight=sum(line["in_flight"] for line in record["stages"]),
        failures=tuple(f"{each['stage']} {each['item']}: {each['message']}" for each in record["failures"]),
        age_s=age_s,
        log=f"{LOGS}/{record['run_id']}",
    )


def _stage(line: dict[str, Any], written: float) -> StageProgress:
    """A stage's line as the run had it, on this process's clock."""
    names = ("stage", "total", "cached", "done", "quarantined", "seconds", "running")
    return StageProgress(**{name: line[name] for name in names}, started=written - line["seconds"])


def _gone(record: dict[str, Any]) -> bool:
    """Whether the run's process was on this machine and is not there any more."""
    if record["host"] != socket.gethostname():
        return False
    try:
        began = psutil.Process(record["pid"]).create_time()
    except psutil.NoSuchProcess:
        return True
    return bool(began > record["written_at"])  # numbers of processes are used again
