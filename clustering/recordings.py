"""What of an episode decides which of two copies is the better one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.episode import ActionKind, SyncVerdict
from schemas.outline import Outline

_SYNC = (
    SyncVerdict.CONFIRMED, SyncVerdict.CORRECTED, SyncVerdict.BY_SOURCE, SyncVerdict.UNVERIFIED,
    SyncVerdict.NOT_APPLICABLE, SyncVerdict.REJECTED,
)  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """An episode's name for people, and its quality: the smaller the better."""

    source: str
    locator: str
    quality: tuple[int | float, ...]


def recording_of(outline: Outline) -> Recording:
    """Measured actions before others, proven clocks before others, then fewer trims, more views, pixels, seconds."""
    measured = (ActionKind.MEASURED, ActionKind.RETARGETED, ActionKind.PSEUDO, ActionKind.NONE)
    quality = (
        measured.index(outline.action_kind),
        _SYNC.index(outline.verdict),
        outline.n_doubts,
        -len(outline.views),
        -sum(view.n_pixels for view in outline.views),
        -outline.kept_s,
    )
    return Recording(outline.source, outline.locator, quality)


def best_first(episode_ids: Sequence[str], recordings: Mapping[str, Recording]) -> NDArray[np.int64]:
    """The rank of every episode, 0 for the best; equals are ordered by id, and what has no outline comes last."""
    nothing: tuple[int | float, ...] = (np.inf,)

    def quality(i: int) -> tuple[tuple[int | float, ...], str]:
        name = episode_ids[i]
        return (recordings[name].quality if name in recordings else nothing), name

    rank = np.empty(len(episode_ids), np.int64)
    rank[sorted(range(len(episode_ids)), key=quality)] = np.arange(len(episode_ids))
    return rank
