"""The outline of a recording: what it looks like and how it moves as a whole, in a few kilobytes.

Events are cut and named anew by every conversion of a dataset; what was filmed stays the same. Outlines are compared to
find one recording under two names (docs/dedup.md), and say which of the two is the better one to keep.
"""

from dataclasses import dataclass
from typing import Annotated

from schemas.array import ArraySpec, Floats, Ints
from schemas.episode import ActionKind, SyncVerdict
from schemas.filmstrip import DESCRIPTOR_SIZE

N_MOMENTS = 128
"""Evenly spaced over the recording; at the middle of each a view and a motion are looked at."""


@dataclass(frozen=True, eq=False)
class ViewOutline:
    """One view."""

    camera: str
    n_pixels: int
    """Of one picture."""
    film: Annotated[Ints, ArraySpec("uint8", N_MOMENTS, DESCRIPTOR_SIZE)]
    """Descriptor of the frame shown at each moment (`schemas.filmstrip`)."""


@dataclass(frozen=True, eq=False)
class Outline:
    """One episode."""

    episode_id: str
    source: str
    dataset: str
    locator: str
    duration_s: float
    kept_s: float
    action_kind: ActionKind
    verdict: SyncVerdict
    n_doubts: int
    """Findings that trimmed something."""
    views: tuple[ViewOutline, ...]
    path: Annotated[Floats, ArraySpec("float32", N_MOMENTS, 6)]
    """Left and right tool positions at each moment, metres; NaN where unknown."""
