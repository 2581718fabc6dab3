"""What stands in a shard set: cut clips, tar members, and the manifest (docs/shard.md)."""

from dataclasses import dataclass
from typing import Annotated

from schemas.array import ArraySpec, Floats, Ints


@dataclass(frozen=True, eq=False)
class Clip:
    """One event seen by one camera, cut and encoded once; shards copy the bytes."""

    event_id: str
    episode_id: str
    camera: str
    mp4: bytes
    n_frames: int
    width: int
    height: int
    times_ns: Annotated[Ints, ArraySpec("int64", "N")]
    """Frame times on the episode clock; the mp4's own PTS start at 0."""
    sha256: str


@dataclass(frozen=True)
class MemberRange:
    """One file of a sample as a range of its tar: enough to read one view and to know that it is whole."""

    name: str
    """The extension: ``front.mp4``, ``action.npz``, …; the tar calls it ``<key>.<name>``."""
    offset: int
    """Of its content in the tar."""
    n_bytes: int
    sha256: str
    n_frames: int
    """Of a view; 0 for other members, as are the two below."""
    width: int
    height: int


@dataclass(frozen=True)
class ShardEntry:
    """One sample of a shard: the row `manifest.parquet` holds."""

    shard: str
    key: str
    event_id: str
    episode_id: str
    source: str
    split: str
    t: int
    offset: int
    """Byte offset of the sample's first tar header."""
    n_bytes: int
    """Bytes up to the next sample's header."""
    sha256: str
    """Of those bytes."""
    members: tuple[MemberRange, ...]
    """In the order they lie in, without gaps but headers and padding: views, master first, then the rest."""
    n_frames: int
    """Frames of the master view."""
    n_action_rows: int
    """0 without actions."""
    start_ns: int
    end_ns: int
    vision_language: int
    action: int
    tail: bool
    """Far from every centroid of either space: rare, kept by every rule that drops events."""
    recovery: bool
    """Whether its source is one of recoveries, or it recovers from something itself."""
    target_share: float
    """π of the sample's cell; 0 outside the plan."""
    realised_share: float | None
    """Share of the cell in the split as published; None in the shard stage's rows, which see one shard only."""
    repeat: int
    repeat_cap: float
    """R: the plan's limit on an event's expected uses per epoch; 1 outside the plan."""
    verb: str = ""
    licence: str = ""
    """Of the sample's recording."""


@dataclass(frozen=True)
class ShardFile:
    """One tar as written."""

    shard: str
    path: str
    """Below the workspace root: ``tars/<work key>.tar``. A shard set links it as ``<shard>.tar``."""
    split: str
    n_samples: int
    n_bytes: int
    sha256: str


def statistics_group(embodiment: str, action_kind: str) -> str:
    """Under which name of stats.json an episode's actions are counted; pseudo ones never with measured ones."""
    return f"{embodiment}:{action_kind}" if action_kind == "pseudo" else embodiment


@dataclass(frozen=True, eq=False)
class ShardStatistics:
    """Moments and a histogram of one embodiment's control rows in one shard; publish merges them into stats.json."""

    shard: str
    split: str
    embodiment: str
    """As `statistics_group` names it."""
    quantity: str
    """``action_relative`` (to the span's first state) or ``state`` (absolute)."""
    n_rows: Annotated[Ints, ArraySpec("int64", 20)]
    """Valid rows in which the column is known."""
    mean: Annotated[Floats, ArraySpec("float64", 20)]
    squares: Annotated[Floats, ArraySpec("float64", 20)]
    """Sum of squared deviations from the mean."""
    low: Annotated[Floats, ArraySpec("float64", 20)]
    high: Annotated[Floats, ArraySpec("float64", 20)]
    bins: Annotated[Ints, ArraySpec("int64", "B")]
    """Filled histogram bins of all columns (`pipeline.shards.sketch`), ascending."""
    counts: Annotated[Ints, ArraySpec("int64", "B")]


@dataclass(frozen=True)
class ShardSet:
    """A published set of shards."""

    shard_set_id: str
    path: str
    """Below the workspace root."""
    plan_id: str
    n_shards: int
    n_samples: int
    manifest_sha256: str
