"""Which events can share a dataset that knows one robot, and which have no place in any.

A dataset of LeRobot or VLA Foundry has one robot, one whole number of frames a second, the same cameras of the same
sizes and the same columns in every row, and one licence. A shard set mixes all of these, so it becomes one dataset for
each kind.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np

from pipeline.exporters.folder import Losses
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample, sample_from_members
from pipeline.shards.names import camera_names
from pipeline.shards.npz import read_npz
from schemas.array import Ints
from schemas.time import NS_PER_S

RATE_TOLERANCE = 0.01
"""29.97 becomes 30; 12.5 is no whole number of frames a second."""
GAP_TOLERANCE = 0.5
"""In frames. A picture missing in between would make the robot jump."""
NATIVE = ("joints", "fingers_left", "fingers_right")


@dataclass(frozen=True, order=True)
class KindView:
    """A camera of a kind."""

    camera: str
    width: int
    height: int


@dataclass(frozen=True, order=True)
class Native:
    """Numbers in the source's own units: joints or fingers, of the state or the action."""

    side: str
    array: str
    names: tuple[str, ...]

    @property
    def feature(self) -> str:
        """Its column. Not ``observation…`` or ``action…``, which LeRobot's policies would take for inputs."""
        return f"native.{self.side}.{self.array}"


@dataclass(frozen=True, order=True)
class Kind:
    """What all episodes of a dataset share."""

    robot: str
    """As statistics are kept: the embodiment, or ``<embodiment>:pseudo``."""
    fps: int
    views: tuple[KindView, ...]
    state: tuple[int, ...]
    """Known columns of the 20-D layout; empty without states."""
    action: tuple[int, ...]
    native: tuple["Native", ...]
    licence: str


@dataclass(frozen=True)
class Placed:
    """An event's kind, or why it has none."""

    kind: Kind | None = None
    refused: str = ""
    lost: tuple[str, ...] = field(default=())
    """Sentences on what of it stays behind."""


def kind_of(sample: EventSample, members: dict[str, bytes]) -> Placed:
    """Where an event belongs. ``members`` are the sample's own."""
    times = sample.view_times_ns[sample.master_view]
    fps = fps_of(times)
    if isinstance(fps, str):
        return Placed(refused=fps)
    views, lost = [], []
    for camera, own in sample.view_times_ns.items():
        if len(own) != len(times) or np.any(np.abs(own - times) * fps > GAP_TOLERANCE * NS_PER_S):
            lost.append(f"view {camera}: its frames are not those of the master view, one for one")
        else:
            views.append(KindView(camera, *_size(members[f"{camera}.mp4"])))
    has_actions = sample.action_T20 is not None and len(sample.action_T20) > 0
    kind = Kind(
        robot=sample.statistics_group,
        fps=fps,
        views=tuple(views),
        state=_columns(sample.state_known_20) if has_actions else (),
        action=_columns(sample.known_20) if has_actions else (),
        native=_native(members) if has_actions else (),
        licence=sample.record["licence"],
    )
    return Placed(kind=kind, lost=tuple(lost))


def fps_of(times_ns: Ints) -> int | str:
    """Whole frames a second of even frame times, or a sentence why there are none."""
    if len(times_ns) < 2:
        return "an event of a single frame has no rate"
    steps = np.diff(times_ns)
    rate = NS_PER_S / float(np.median(steps))
    fps = max(1, round(rate))
    if abs(rate - fps) > RATE_TOLERANCE * fps:
        return f"{rate:.4g} frames/s is no whole number, and the format has no other rates"
    if np.any(np.abs(steps * rate / NS_PER_S - 1) > GAP_TOLERANCE):
        return "frames are not evenly spaced, and the format knows no others"
    return fps


def retiming_ns(times_ns: Ints, fps: int) -> int:
    """How far a frame of an event is moved at most: i/fps against its own time since the first frame."""
    even = np.arange(len(times_ns)) * (NS_PER_S / fps)
    return int(np.max(np.abs(even - (times_ns - times_ns[0])).round()))


def _columns(known: Any) -> tuple[int, ...]:
    return tuple(int(column) for column in np.flatnonzero(known))


def _size(mp4: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(mp4)) as container:
        context = container.streams.video[0].codec_context
        return context.width, context.height


def _native(members: dict[str, bytes]) -> tuple[Native, ...]:
    found = []
    for side in ("state", "action"):
        arrays = read_npz(members[f"{side}.npz"])
        for array in NATIVE:
            if array in arrays:
                named = array == "joints" and len(arrays.get("joint_names", ())) == arrays[array].shape[1]
                names = arrays["joint_names"] if named else range(arrays[array].shape[1])
                found.append(Native(side, array, tuple(map(str, names))))
    return tuple(found)


def sorted_by_kind(shards: ShardSet, split: str) -> tuple[dict[Kind, list[int]], Losses]:
    """Draws of each kind in the order of the plan, and what has no place."""
    kinds: dict[Kind, list[int]] = {}
    losses = Losses()
    for t in range(shards.n_samples(split)):
        event = read_event(shards, split, t)
        placed = kind_of(event.sample, event.members)
        for sentence in placed.lost:
            losses.add(sentence)
        if placed.kind is None:
            losses.add(f"not carried: {placed.refused}")
        else:
            kinds.setdefault(placed.kind, []).append(t)
    return kinds, losses


def folder_names(kinds: Iterable[Kind]) -> dict[str, Kind]:
    """A folder for each kind: robot and rate, numbered where several kinds share both."""
    ordered = sorted(kinds)
    plain = [f"{next(iter(camera_names([kind.robot]).values()))}_{kind.fps}fps" for kind in ordered]
    return {
        name if plain.count(name) == 1 else f"{name}_{plain[: i + 1].count(name)}": kind
        for i, (name, kind) in enumerate(zip(plain, ordered, strict=True))
    }


@dataclass(frozen=True, eq=False)
class ReadEvent:
    """A draw: parsed, and its members as they are."""

    sample: EventSample
    members: dict[str, bytes]


def read_event(shards: ShardSet, split: str, t: int) -> ReadEvent:
    """Draw ``t`` of a split."""
    key, members = shards.read_members(split, t)
    return ReadEvent(sample_from_members(key, members), members)
