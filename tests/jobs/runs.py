"""Looking at runs: a reporter that prints nothing, and the bytes a run published."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from jobs.progress import StageProgress
from jobs.run import RunResult
from pipeline.blobs import Blobs


class Silent:
    """A reporter for tests."""

    def update(self, progress: StageProgress) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing is open."""


def shard_bytes(workspace: Path) -> dict[str, str]:
    """SHA-256 of every published file, by its path below ``shards``."""
    shards = workspace / "shards"
    files = sorted(path for path in shards.rglob("*") if path.is_file())
    assert files, f"{workspace}: nothing was published"
    return {str(path.relative_to(shards)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def downloaded(storage: Mapping[str, str], folder: Path) -> Path:
    """The folder, with what was published in ``s3://bucket/workspace``."""
    blobs = Blobs("s3://bucket/workspace", dict(storage))
    for path in blobs.list("shards"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(blobs.read(path))
    return folder


def done(result: RunResult) -> dict[str, int]:
    """Stage → items done in this run."""
    return {stage.stage: stage.done for stage in result.run.stages}


def done_of_told(said: str, stage: str) -> int:
    """How many items of a stage `joinery run` said it did: `cut  10 items  0 cached  10 done …`."""
    line = next(line.split() for line in said.splitlines() if line.startswith(f"{stage} "))
    return int(line[line.index("done") - 1])
