"""Which episodes people look at, in which order, and what each of them is allowed to see (review.md §3.6).

Two strata that are never mixed. *Audit* is a seeded random sample: the only source of error rates anybody may
publish, because nothing about an episode made it more likely. *Risk* is the rest, the most doubtful first. A share of
the audit goes to several people, and at least half of that *blind*, without the machine's boundaries: who sees a
proposal agrees with it more often than they would have found it themselves.

Choosing is a hash of the seed and the episode: the same seed gives the same sample, and new episodes move no old one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from schemas.event import Event, Level
from schemas.identity import digest

SHORT_S = 0.5
"""Events under this are where detectors err most (review.md §3.6)."""


class Stratum(StrEnum):
    """Why an episode is looked at."""

    AUDIT = "audit"
    RISK = "risk"


class AgendaSpec(BaseModel):
    """How much is looked at, and by how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    audit_share: float = Field(default=0.1, ge=0, le=1)
    overlap_share: float = Field(default=0.1, ge=0, le=1)
    """Of the audit: episodes that several people look at."""
    blind_share: float = Field(default=0.5, ge=0.5, le=1)
    """Of the overlap: looked at without the machine's boundaries."""
    raters: int = Field(default=2, ge=2)
    """How many people look at an episode of the overlap."""


@dataclass(frozen=True)
class AgendaItem:
    """One episode to look at."""

    episode_id: str
    stratum: Stratum
    raters: int
    blind: bool
    risk: float
    """Doubtful boundaries and events per boundary, 0 … about 2; orders the risk stratum."""


def agenda(risks: Iterable[tuple[str, float]], spec: AgendaSpec) -> list[AgendaItem]:
    """Audit in the order of its hash, then risk, the riskiest first; ties by id. ``risks`` are (episode, risk)."""
    items = [_item(episode_id, risk, spec) for episode_id, risk in risks]
    audit = [item for item in items if item.stratum is Stratum.AUDIT]
    rest = [item for item in items if item.stratum is Stratum.RISK]
    audit.sort(key=lambda item: (_unit(spec.seed, "audit", item.episode_id), item.episode_id))
    return [*audit, *sorted(rest, key=lambda item: (-item.risk, item.episode_id))]


def _item(episode_id: str, risk: float, spec: AgendaSpec) -> AgendaItem:
    if _unit(spec.seed, "audit", episode_id) >= spec.audit_share:
        return AgendaItem(episode_id, Stratum.RISK, 1, blind=False, risk=risk)
    shared = _unit(spec.seed, "overlap", episode_id) < spec.overlap_share
    blind = shared and _unit(spec.seed, "blind", episode_id) < spec.blind_share
    return AgendaItem(episode_id, Stratum.AUDIT, spec.raters if shared else 1, blind, risk)


def risk_of(events: Sequence[Event]) -> float:
    """How doubtful an episode's tree is: what the detectors doubted, by how much, for every boundary they set.

    Each event counts 1 − confidence, and once more for a noted doubt, for wanting a second look, and for being
    shorter than half a second; segments only, because every boundary is one of theirs. 0 for no events.
    """
    segments = [event for event in events if event.level is Level.SEGMENT]
    if not segments:
        return 0.0
    flags = sum(bool(event.doubts) + event.needs_vlm + (event.span.duration_s < SHORT_S) for event in segments)
    return round((sum(1.0 - event.confidence for event in segments) + flags / 3) / len(segments), 6)


def _unit(seed: int, purpose: str, episode_id: str) -> float:
    """Uniform in [0, 1)."""
    return int(digest(str(seed), purpose, episode_id)[:13], 16) / 16**13
