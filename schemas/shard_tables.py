"""The tables beside a shard set's tars: what its card is counted from, so that anybody can count again.

They tell of the episodes a set has samples of, and of no others; of what was left out they say how much and why.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceEntry:
    """A row of ``sources.parquet``: a source, and what its card says of it."""

    source: str
    kind: str
    title: str
    homepage: str
    citation: str
    licence: str
    redistribution: str
    """``allowed``, ``non_commercial``, ``forbidden`` or ``not_stated``."""
    consent: str
    personal_data: str
    personal_data_method: str
    contact: str


@dataclass(frozen=True)
class CameraEntry:
    """One view of an episode, as recorded."""

    name: str
    role: str
    width: int
    height: int
    n_frames: int
    duration_ns: int
    """From the first picture to the end of the last."""
    steady: bool
    """Whether all its pictures last equally long, to the millisecond."""
    has_intrinsics: bool
    has_extrinsics: bool


@dataclass(frozen=True)
class EpisodeEntry:
    """A row of ``episodes.parquet``: a recording of which the set has samples."""

    episode_id: str
    source: str
    dataset: str
    locator: str
    """Which recording of its source it is, in the source's words."""
    embodiment: str
    protocol: str
    instruction: str
    licence: str
    redistribution: str
    consent: str
    action_kind: str
    duration_ns: int
    """Of the master view."""
    kept_ns: int
    """Of that, what cleaning kept."""
    sync: str
    """Verdict on the two clocks (`schemas.episode.SyncVerdict`)."""
    offset_ns: int
    """Added to every action time."""
    splits: tuple[str, ...]
    n_samples: int
    cameras: tuple[CameraEntry, ...]


@dataclass(frozen=True)
class EventEntry:
    """A row of ``events.parquet``: an event of any level."""

    event_id: str
    episode_id: str
    level: str
    parent_id: str
    frame_start: int
    frame_end: int
    start_ns: int
    end_ns: int
    verb: str
    caption: str
    objects: tuple[str, ...]
    outcome: str
    recovery: str
    confidence: float
    boundaries_by: str
    caption_by: str
    """Who, and with which model; ``nobody`` where it has no caption."""
    prompt: str
    """Digest of the model's prompt; empty without one."""
    needs_vlm: bool
    """The detector asked for a second look."""
    review: str


@dataclass(frozen=True)
class FindingEntry:
    """A row of ``findings.parquet``: what a check saw, without its message, which may name what was left out."""

    subject: str
    source: str
    stage: str
    check: str
    verdict: str
    value: float | None
    threshold: float | None
    start_ns: int | None
    end_ns: int | None


@dataclass(frozen=True)
class LeftOutEntry:
    """A row of ``left_out.parquet``: an event that would have been a sample."""

    event_id: str
    episode_id: str
    source: str
    reason: str
    """``copy`` or ``licence``."""
    licence: str
    """For which it was left out; empty for copies."""
    kept_id: str
    """The event kept in its place; empty for licences, and where that one was taken down."""


@dataclass(frozen=True)
class CopyEntry:
    """A row of ``copies.parquet``: two episodes that share something."""

    episode_id: str
    source: str
    kept_id: str
    kept_source: str
    same_recording: bool
    n_shared: int
    n_events: int
