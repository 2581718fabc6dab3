"""Small hand-made records for these tests: what matters to a test is an argument, the rest is filled in."""

from collections.abc import Iterable

import cv2
import numpy as np

from clustering.strata import Strata, strata_of
from schemas.array import Floats
from schemas.cluster import Assignment, Embedding, Membership, Space, Split
from schemas.episode import (
    ActionKind,
    ActionTrack,
    Alignment,
    Arm,
    ArmTrack,
    Camera,
    CameraRole,
    Episode,
    KeptRange,
    Protocol,
    SyncVerdict,
    VideoWindow,
)
from schemas.event import Boundary, BoundaryKind, Event, Level, Provenance, RecoveryKind, ReviewState, Verb
from schemas.filmstrip import Thumbnail
from schemas.source import SourceKind
from schemas.time import NS_PER_S, FrameClock, Span

FPS = 20
EPISODE = "ep-1"


def clock(n_frames: int) -> FrameClock:
    times = (np.arange(n_frames) * NS_PER_S) // FPS
    return FrameClock(times.astype(np.int64), n_frames * NS_PER_S // FPS)


def episode(n_frames: int = 40, cameras: tuple[str, ...] = ("front",), episode_id: str = EPISODE) -> Episode:
    frames = clock(n_frames)
    views = [
        Camera(
            name,
            CameraRole.EGO,
            VideoWindow(f"video/{name}", 0, 0, frames.end_ns),
            64,
            48,
            frames.times_ns,
            frames.end_ns,
        )
        for name in cameras
    ]
    return Episode(
        episode_id=episode_id, source="lab", kind=SourceKind.TELEOP, dataset="lab/cups", locator="episode=0",
        embodiment="arm", instruction="move the cup", protocol=Protocol.STRUCTURED, action_kind=ActionKind.MEASURED,
        cameras=tuple(views), annotations=(), licence="CC0-1.0", consent="not needed",
    )  # fmt: skip


def event(
    start: int = 0, end: int = 40, *, name: str = "ev-1", caption: str = "grasp the cup", verb: Verb = Verb.GRASP,
    level: Level = Level.ACTION, recovery: RecoveryKind = RecoveryKind.NONE, objects: tuple[str, ...] = ("cup",),
    n_actions: bool = True, n_frames: int = 1000, arm: Arm | None = None, of: str = EPISODE,
) -> Event:  # fmt: skip
    frames = clock(n_frames)
    span = frames.span(start, end, frames.times_ns if n_actions else None)
    edges = [Boundary(BoundaryKind.GRASP, f, frames.edge_ns(f), 0.9, 0.1, ("test",)) for f in (start, end)]
    return Event(
        event_id=name, episode_id=of, level=level, parent_id="", span=span, start=edges[0], end=edges[1],
        verb=verb, caption=caption, objects=objects, arm=arm, recovery=recovery, static_fraction=0.0, motion=None,
        needs_vlm=False, boundaries_by=Provenance("kinematic"), caption_by=None, review=ReviewState.PROPOSED,
        revision=0,
    )  # fmt: skip


def span(n_frames: int) -> Span:
    frames = clock(n_frames)
    return frames.span(0, n_frames, frames.times_ns)


def arm(
    position: Floats | None, opening: Floats | None = None, which: Arm = Arm.RIGHT, rotation: bool = True
) -> ArmTrack:
    n = len(position) if position is not None else len(opening) if opening is not None else 0
    upright = np.tile(np.float32([1, 0, 0, 0, 1, 0]), (n, 1))
    return ArmTrack(
        arm=which,
        position=None if position is None else position.astype(np.float32),
        rotation=upright if rotation and position is not None else None,
        opening=None if opening is None else opening.astype(np.float32),
        fingers=None,
        n_fingers=0,
    )


def track(*arms: ArmTrack, joints: Floats | None = None, n_rows: int = 40) -> ActionTrack:
    return ActionTrack(
        episode_id=EPISODE, kind=ActionKind.MEASURED, provenance="test", times_ns=clock(n_rows).times_ns,
        valid=np.ones(n_rows, np.bool_), state=arms, target=(),
        joint_names=() if joints is None else tuple(f"j{i}" for i in range(joints.shape[1])),
        joint_state=None if joints is None else joints.astype(np.float32).reshape(-1), joint_target=None,
    )  # fmt: skip


def alignment(end_ns: int = 2 * NS_PER_S, offset_ns: int = 0, episode_id: str = EPISODE) -> Alignment:
    return Alignment(episode_id, SyncVerdict.CONFIRMED, offset_ns, 1.0, 1.0, (KeptRange(0, end_ns),))


def jpeg(colour: tuple[int, int, int], size: int = 48) -> bytes:
    """A picture of one colour (R, G, B) with a diagonal edge."""
    picture = np.full((size, size, 3), colour[::-1], np.uint8)
    picture[np.tri(size, dtype=np.bool_)] //= 2
    return bytes(cv2.imencode(".jpg", picture)[1].tobytes())


def thumbnail(frame: int, colour: tuple[int, int, int] = (200, 100, 50), camera: str = "front") -> Thumbnail:
    return Thumbnail(EPISODE, camera, frame, int(clock(1000).times_ns[frame]), jpeg(colour))


def embedding(
    name: str, vector: Floats, space: Space = Space.ACTION, model: str = "joinery-poses-v2:32x6"
) -> Embedding:
    return Embedding(name, EPISODE, space, model, np.asarray(vector, np.float32))


def assignment(
    name: str,
    v: int = 0,
    a: int = 0,
    of: str = EPISODE,
    *,
    tail: bool = False,
    recovery: bool = False,
    start_s: float = 0.0,
) -> Assignment:
    return Assignment(name, of, "lab", "lab/cups", "action", v, a, 0.0, 0.0, tail, recovery, 20, start_s, 1.0)


def membership(
    name: str, v: int = 0, a: int = 0, split: str = "train", of: str = EPISODE, duplicate_of: str = "",
    source: str = "lab", recovery: bool = False, n_frames: int = 20, duration_s: float = 1.0,
) -> Membership:  # fmt: skip
    group = "dg-1" if duplicate_of else ""
    return Membership(
        name, of, source, "lab/cups", "action", v, a, False, recovery, Split(split), group, duplicate_of, n_frames,
        duration_s,
    )  # fmt: skip


def strata(
    counts: Iterable[int], v: Iterable[int], a: Iterable[int], source: Iterable[str] | None = None,
    recovery: Iterable[bool] | None = None, units: Iterable[float] | None = None,
) -> Strata:  # fmt: skip
    """Kinds of events; they come back in the order of clusters, source and recovery."""
    counts, v, a = list(counts), list(v), list(a)
    n = len(counts)
    sources = ["lab"] * n if source is None else list(source)
    recoveries = [False] * n if recovery is None else list(recovery)
    weights = [float(count) for count in counts] if units is None else list(units)
    kinds = [(int(v[i]), int(a[i]), sources[i], bool(recoveries[i])) for i in range(n)]
    assert len(set(kinds)) == n, "the same kind came twice"
    return strata_of({kinds[i]: (int(counts[i]), float(weights[i])) for i in range(n)})
