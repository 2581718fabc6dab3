"""Episodes that `shard.allow` does not let through: nothing of them is counted, kept as a copy, or drawn.

They are set aside before copies are looked for. Were it done after, an event could be left out for a better copy that
is then left out itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from schemas.cluster import Assignment
from schemas.episode import Episode
from schemas.finding import Finding, Verdict
from schemas.licence import admitted
from schemas.source_card import Redistribution

STAGE_NAME = "dedup"


class OfEpisode(Protocol):
    """A record about an episode."""

    @property
    def episode_id(self) -> str:
        """Its id."""


R = TypeVar("R", bound=OfEpisode)


@dataclass(frozen=True)
class Refusal:
    """An episode that is not let through."""

    source: str
    locator: str
    licence: str
    redistribution: Redistribution


def refused_episodes(
    batches: Iterable[list[Episode]], allow: Sequence[str], redistribution: Mapping[str, Redistribution]
) -> dict[str, Refusal]:
    """By episode. ``redistribution`` is that of each source."""
    return {
        episode.episode_id: Refusal(episode.source, episode.locator, episode.licence, redistribution[episode.source])
        for batch in batches
        for episode in batch
        if not admitted(episode.licence, redistribution[episode.source], allow)
    }


def without(batches: Iterable[list[R]], refused: Mapping[str, Refusal]) -> Iterator[list[R]]:
    """Batches of records of all other episodes."""
    for batch in batches:
        yield [item for item in batch if item.episode_id not in refused] if refused else batch


def withheld_findings(
    refused: Mapping[str, Refusal], batches: Iterable[list[Assignment]], allow: Sequence[str]
) -> Iterator[Finding]:
    """One finding per episode; its value is how many events it would have brought."""
    if not refused:
        return
    n_events = dict.fromkeys(refused, 0)
    for batch in batches:
        for item in batch:
            if item.episode_id in n_events:
                n_events[item.episode_id] += 1
    for name, of in sorted(refused.items()):
        message = (
            f"{of.locator}: its licence '{of.licence}' (redistribution: {of.redistribution}) is not on shard.allow "
            f"({', '.join(allow)}); {n_events[name]} events are left out of the shard set"
        )
        yield Finding(name, of.source, STAGE_NAME, "licence_not_allowed", Verdict.DROP, message, float(n_events[name]))
