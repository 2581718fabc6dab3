"""``joinery duplicates``: which episodes are copies of which, under whatever name they came, and which is kept."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.ledger import Ledger
from schemas.cluster import Membership, Split
from schemas.duplicate import DuplicateEpisodes


@dataclass(frozen=True)
class SameBytes:
    """A recording listed twice: it was read once, before anything could be compared."""

    episode_id: str
    source: str
    locator: str
    kept_source: str
    kept_locator: str


@dataclass(frozen=True)
class DuplicateReport:
    """Everything that is there more than once."""

    same_bytes: tuple[SameBytes, ...]
    pairs: tuple[DuplicateEpisodes, ...]
    splits: dict[str, Split]
    """The side of every episode in ``pairs``."""
    n_left_out: int
    """Events that balance and shards never see."""
    n_events: int


def duplicates(ledger: Ledger) -> DuplicateReport:
    """What the last run found; pairs that cross sources first, then by source and locator."""
    pairs = sorted(
        ledger.present(DuplicateEpisodes, "dedup"),
        key=lambda pair: (not pair.crosses_sources, pair.source, pair.locator, pair.kept_source, pair.kept_locator),
    )
    named = {name for pair in pairs for name in (pair.episode_id, pair.kept_id)}
    splits: dict[str, Split] = {}
    n_left_out = n_events = 0
    for item in ledger.present(Membership, "dedup"):
        n_events += 1
        n_left_out += bool(item.duplicate_of)
        if item.episode_id in named:
            splits[item.episode_id] = item.split
    same = tuple(SameBytes(*row) for row in ledger.duplicates())
    return DuplicateReport(same, tuple(pairs), splits, n_left_out, n_events)
