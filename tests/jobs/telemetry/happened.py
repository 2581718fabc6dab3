"""A made-up run for watchers to look at."""

from pathlib import Path

from jobs.progress import StageProgress
from pipeline.attempt import Attempt
from schemas.cost import BatchCost
from schemas.finding import Failure
from schemas.note import Note
from schemas.run import Run, WorkDone

RUN = Run("run-1", "2026-11-22T07:00:00+00:00", "", "digest", "", "ray", "running", "", ())
COST = BatchCost("run-1", "ingest", 1, 1, 2.5, 1.5, 0.5, 1000, 2000, 30, 4, "node-7", 42)
DONE = WorkDone("key-a", "ingest", "ep-a", "try-a", "out", "run-1", 1.25)
FAILURE = Failure("ingest", "ep-b", "kitchen", "key-b", "SourceError", "b.mp4 is cut off", "Traceback: …", "run-1")
NOTE = Note(1795332836.5, "WARNING", "codec", "frame 7 is broken")
ATTEMPT = Attempt({}, (DONE,), (FAILURE,), cost=COST, notes=(NOTE,))


def progress(done: int, quarantined: int, *, running: bool) -> StageProgress:
    return StageProgress("ingest", 10, 2, done, quarantined, seconds=5.0, running=running)


def lines_in(folder: Path) -> str:
    return (folder / "logs" / "run-1" / "run.jsonl").read_text(encoding="utf-8")
