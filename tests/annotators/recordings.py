"""Episodes for these tests: made up, hand-written, or read from the real simulated recordings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotators.segment import segment
from pipeline.synthetic.trajectory import Trajectory, as_action_track
from schemas.array import Floats, Ints
from schemas.calibration import Calibration, OpeningScale
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
from schemas.event import BoundaryKind, Event, Level
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, Filmstrip
from schemas.pose import RotationEncoding
from schemas.recipe import SegmentSpec
from schemas.rotation import rotation_6d
from schemas.source import SourceKind
from schemas.time import NS_PER_S

EPISODE_ID = "ep-test"
NOTHING = np.zeros(0, np.float32)


def even_times(n: int, fps: float) -> Ints:
    return np.round(np.arange(n) * NS_PER_S / fps).astype(np.int64)


def make_episode(times_ns: Ints, end_ns: int, kind: ActionKind = ActionKind.MEASURED, instruction: str = "") -> Episode:
    camera = Camera("main", CameraRole.EGO, VideoWindow("video/main", 0, 0, end_ns), 64, 48, times_ns, end_ns)
    return Episode(
        episode_id=EPISODE_ID,
        source="test",
        kind=SourceKind.SELF_COLLECTED,
        dataset="test",
        locator="episode_index=0",
        embodiment="test_arm",
        instruction=instruction,
        protocol=Protocol.STRUCTURED,
        action_kind=kind,
        cameras=(camera,),
        annotations=(),
        licence="CC0-1.0",
        consent="not needed",
    )


def all_kept(episode: Episode, *ranges_ns: tuple[int, int], offset_ns: int = 0) -> Alignment:
    ranges = ranges_ns or ((0, episode.master.end_ns),)
    kept = tuple(KeptRange(start, end) for start, end in ranges)
    return Alignment(episode.episode_id, SyncVerdict.CONFIRMED, offset_ns, 1.0, 1.0, kept)


def make_arm(
    position: Floats | None = None,
    opening: Floats | None = None,
    arm: Arm = Arm.RIGHT,
    rotation: Floats | None = None,
    fingers: Floats | None = None,
    n_fingers: int = 0,
) -> ArmTrack:
    return ArmTrack(arm, position, rotation, opening, fingers, n_fingers)


def make_track(
    times_ns: Ints,
    *state: ArmTrack,
    target: tuple[ArmTrack, ...] = (),
    joints: Floats | None = None,
    joint_names: tuple[str, ...] = (),
    valid: Sequence[bool] | None = None,
) -> ActionTrack:
    mask = np.ones(len(times_ns), np.bool_) if valid is None else np.asarray(valid, np.bool_)
    flat = None if joints is None else joints.astype(np.float32).reshape(-1)
    return ActionTrack(EPISODE_ID, ActionKind.MEASURED, "test", times_ns, mask, state, target, joint_names, flat, None)


def opening_scale(arm: Arm, closed: float = 0.0, opened: float = 1.0) -> OpeningScale:
    return OpeningScale(arm, "opening", closed, opened, True, NOTHING, NOTHING)


def calibration_of(*scales: OpeningScale) -> Calibration:
    scales = scales or tuple(opening_scale(arm) for arm in Arm)
    return Calibration("test/test_arm", "test", "test_arm", scales)


def blank_strip(n: int, flags: Ints | None = None, flow: Floats | None = None, difference: float = 4.0) -> Filmstrip:
    return Filmstrip(
        EPISODE_ID,
        "main",
        luma=np.full(n, 100, np.float32),
        sharpness=np.ones(n, np.float32),
        difference=np.full(n, difference, np.float32),
        flow=np.zeros((n, FLOW_GRID, FLOW_GRID, 2), np.float32) if flow is None else flow,
        descriptor=np.zeros((n, DESCRIPTOR_SIZE), np.uint8),
        flags=np.zeros(n, np.uint8) if flags is None else flags,
    )


@dataclass(frozen=True)
class Recording:
    """An episode with its actions, ready for `segment`."""

    episode: Episode
    actions: ActionTrack
    calibration: Calibration

    def tree(self, spec: SegmentSpec | None = None) -> list[Event]:
        alignment = all_kept(self.episode)
        return segment(
            self.episode, self.actions, (), alignment, self.calibration, spec=SegmentSpec() if spec is None else spec
        )


def synthetic(trajectory: Trajectory) -> Recording:
    episode = make_episode(trajectory.times_ns, trajectory.end_ns, instruction=trajectory.instruction)
    return Recording(episode, as_action_track(trajectory, EPISODE_ID), calibration_of())


def simulated(folder: Path, name: str) -> Recording:
    """A robosuite recording; opening on the scale of both recordings (widest and narrowest pad distance)."""
    with np.load(folder / f"{name}.npz") as data:
        position, quaternion, fingers = data["eef_pos"], data["eef_quat"], data["gripper_qpos"]
    about = json.loads((folder / f"{name}.json").read_text())
    width = fingers[:, 0] - fingers[:, 1]
    rotation = rotation_6d(quaternion, RotationEncoding.QUATERNION_XYZW)
    arm = make_arm(position.astype(np.float32), width.astype(np.float32), rotation=rotation)
    times = even_times(len(position), about["fps"])
    episode = make_episode(times, int(times[-1]) + NS_PER_S // int(about["fps"]), instruction=about["instr"])
    return Recording(episode, make_track(times, arm), calibration_of(opening_scale(Arm.RIGHT, 0.047, 0.079)))


def boundaries(events: Sequence[Event], level: Level = Level.ACTION) -> list[tuple[BoundaryKind, float]]:
    """(kind, seconds) of every inner boundary of a level, in time order."""
    found = {event.start.frame: event.start for event in events if event.level is level}
    inner = [boundary for _, boundary in sorted(found.items()) if boundary.kind is not BoundaryKind.RANGE_EDGE]
    return [(boundary.kind, boundary.t_ns / NS_PER_S) for boundary in inner]
