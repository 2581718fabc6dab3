"""What an audit found, as records: checks that hold or do not, and shares as planned and as read."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Check:
    """One promise, kept or broken."""

    name: str
    ok: bool
    said: str
    """What was found and what was expected; where, when it is broken."""


@dataclass(frozen=True)
class Share:
    """One cell, source or kind of window."""

    axis: str
    label: str
    n_events: int
    target: float | None
    """None where nothing was promised."""
    draws: float
    """Share of draws."""
    tokens: float
    seconds: float | None
    """None without the shard set: a plan knows frames, not how long they are shown."""
    n_draws: int
    substituted: int


@dataclass(frozen=True)
class Part:
    """Draws of one chapter as a whole: of the plan, or of what was read."""

    chapter: int
    what: str
    """``planned`` or ``consumed``."""
    n_draws: int
    tv: dict[str, float]
    """Total variation from the target: ``cell by draws``, ``cell by tokens``, ``source by seconds``, …"""
    shares: tuple[Share, ...]
    coverage: float
    """Part of all events that occur."""
    most_uses: int


@dataclass
class AuditReport:
    """All of it."""

    plan_hash: str
    n_steps: int
    n_draws: int
    level: str = ""
    """Of the events, as the shard set says; one level, so its share is 1 by events, seconds and tokens."""
    shard_set_id: str = ""
    history: list[str] = field(default_factory=list)
    """What the plan was before something was appended."""
    checks: list[Check] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    steps_consumed: int | None = None
    """None without ledgers."""
    worlds: dict[int, int] = field(default_factory=dict)
    """Number of ranks → steps."""
    voided: int = 0
    """Records a run replaced after going back to a checkpoint."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """``event member why`` → how many draws it cost."""
    substituted: int = 0

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)
