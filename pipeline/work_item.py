"""One piece of work of one stage: what the ledger hands out and an executor's worker does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.review import Review
from schemas.source import EpisodeRef


@dataclass(frozen=True)
class WorkItem:
    """One piece of work, ready to be handed to any executor."""

    item: str
    work_key: str
    attempts: Mapping[str, tuple[str, ...]]
    """Episode and shard scope: upstream stage → the attempts to read, in order of the upstream's item."""
    listing: str
    """Group and corpus scope: the folder of blobs that list the attempts instead, since they may be very many."""
    ref: EpisodeRef | None
    review: Review | None = None
    """What people said about the episode, for a stage that asks for it."""
    continues: str = ""
    """Stages that keep: which result of their own this one goes on from (`schemas.identity.continued_key`)."""
    previous: str = ""
    """That result's attempt; empty where there is none."""
