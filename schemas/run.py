"""The ledger: which runs there were and which results they committed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkDone:
    """One committed result: it exists if and only if its row is here (architecture.md, "Identity and work keys")."""

    work_key: str
    stage: str
    item: str
    attempt: str
    """Which of possibly several attempts readers see; rows of other attempts are invisible."""
    output_key: str
    """What downstream work keys are made of: the work key, or the content's digest for content-keyed stages."""
    run_id: str
    seconds: float
    continues: str = ""
    """Which earlier result of its own the stage was given (`schemas.identity.continued_key`); empty for most stages."""


@dataclass(frozen=True)
class FileDigest:
    """The SHA-256 a source file had when it was last read whole; a file that looks the same is not read again."""

    url: str
    n_bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class StageCount:
    """What one stage did in one run."""

    stage: str
    total: int
    cached: int
    done: int
    quarantined: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """One invocation of ``joinery run``; written when it starts and again when it ends."""

    run_id: str
    started_at: str
    """UTC, ISO 8601. Never part of a key."""
    finished_at: str
    """Empty while running or after a kill."""
    recipe_digest: str
    recipe_yaml: str
    executor: str
    outcome: str
    """``running``, ``succeeded``, ``over_error_budget`` or ``failed``."""
    message: str
    stages: tuple[StageCount, ...]
