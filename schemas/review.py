"""What people said about one episode, as the pipeline takes it: the record of a revision file (docs/review.md).

Frames are ordinals of the master view's pictures, spans half-open, as everywhere. What nobody touched is not in here:
there the machine goes on deciding.
"""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, ReviewState, Verb
from schemas.identity import canonical_json, digest


@dataclass(frozen=True)
class ReviewedBoundary:
    """An edge of a reviewed event."""

    frame: int
    rank: int
    """Depth of the coarsest level it bounds, 0 … 3."""
    kind: BoundaryKind
    state: ReviewState
    by: str
    """Who placed or accepted it; empty for an edge that only the events beside it hold in place."""


@dataclass(frozen=True)
class ReviewedWords:
    """What an event is called."""

    caption: str
    verb: Verb
    objects: tuple[str, ...]
    arm: Arm | None
    state: ReviewState
    by: str


@dataclass(frozen=True)
class ReviewedEvent:
    """An event that a person worded, decided on, or gave an edge."""

    level: Level
    frame_start: int
    frame_end: int
    joined_by: str
    """Who took a boundary out of it; empty when nobody did."""
    words: ReviewedWords | None
    """None where people only said where it lies: then captioners word it."""


@dataclass(frozen=True)
class Review:
    """All that people said about one episode."""

    episode_id: str
    n_frames: int
    """Pictures of the recording they saw; an episode with another number is another recording."""
    boundaries: tuple[ReviewedBoundary, ...]
    """By frame: every edge of the events."""
    events: tuple[ReviewedEvent, ...]
    """By level, then frame."""
    left_out: str = ""
    """Why the whole episode must not be used, e.g. that somebody can be recognised; empty otherwise."""

    @cached_property
    def sha256(self) -> str:
        """What work keys of this episode go by."""
        return digest(canonical_json(self.dumped()))

    def dumped(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)
