"""What work has cost: one row per batch, and what was expected of each stage before it began.

Costs are of batches, not of results: reading, writing and a model's forward pass are shared by the items of a batch,
and what failed has cost something too. They are part of no work key and of no shard.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BatchCost:
    """What one batch took, or what a run's coordinator or a server took (`stage` says which)."""

    run_id: str
    stage: str
    items: int
    """Items with a result."""
    failed: int
    """Items quarantined."""
    seconds: float
    """A worker's place was taken for so long."""
    cpu_s: float
    """Processor time of the worker and the processes it has started: user and system."""
    gpu_s: float
    """GPUs held, times the seconds they were."""
    source_bytes: int
    """Size of the source files that were opened, each once per batch, though perhaps only a part of it was read."""
    stored_bytes: int
    """Written into the workspace: table files and blobs."""
    prompt_tokens: int
    completion_tokens: int
    host: str
    pid: int

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


COORDINATOR = "(coordinator)"
"""In the place of a stage: the process that started the run, listing sources and committing results."""
SERVERS = "(servers)"
"""In the place of a stage: model servers that the run started for itself."""


@dataclass(frozen=True)
class StageEstimate:
    """What one stage of one run was expected to take, said when it began."""

    run_id: str
    stage: str
    items: int
    seconds: float
    cpu_s: float
    gpu_s: float
    source_bytes: int
    stored_bytes: int
    prompt_tokens: int
    completion_tokens: int
    basis: str
    """``workspace``: rates measured there before; ``shipped``: figures that come with Joinery."""
