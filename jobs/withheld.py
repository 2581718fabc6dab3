"""What `shard.allow` left out of a shard set, by source and licence: a run prints it, so that nothing goes silently."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from clustering import dedup
from pipeline.ledger import Ledger
from schemas.cluster import Membership


@dataclass(frozen=True)
class Withheld:
    """Episodes of one source under one licence."""

    source: str
    licence: str
    n_episodes: int
    n_events: int


def withheld(ledger: Ledger) -> tuple[Withheld, ...]:
    """Of the present recipe, by source and licence."""
    events: Counter[tuple[str, str]] = Counter()
    episodes: dict[tuple[str, str], set[str]] = {}
    for item in ledger.present(Membership, dedup.STAGE.name):
        if item.withheld:
            events[item.source, item.withheld] += 1
            episodes.setdefault((item.source, item.withheld), set()).add(item.episode_id)
    return tuple(Withheld(*key, len(episodes[key]), n) for key, n in sorted(events.items()))
