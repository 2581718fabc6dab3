"""The seven sources of the demo corpus: one of each kind, each in the hand of another laboratory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.synthetic.defects import Defect
from pipeline.synthetic.layouts import DROID_LIKE, MILLIMETRES, PERCENT_WXYZ, TWO_ARMS_XYZW, UMI_LIKE, Layout
from pipeline.synthetic.lerobot_writer import Codebase, DatasetSpec, RecordedEpisode
from pipeline.synthetic.scene import Look, render
from pipeline.synthetic.solids import Colour, Manipulator
from pipeline.synthetic.trajectory import Noise, Trajectory, Variant, make_trajectory
from pipeline.synthetic.view import PictureSize, View, third_person, wrist
from schemas.episode import Arm
from schemas.source import SourceKind

THIRD_PERSON = PictureSize(224, 168, focal=1.3)
WRIST = PictureSize(192, 144)
WILD = PictureSize(224, 168, focal=0.95)

_PLAIN, _PAUSE, _PUSH = (Variant.PLAIN,), (Variant.PAUSE,), (Variant.PUSH,)
_MISS, _SLIP, _DROP, _ABANDON = (Variant.MISS,), (Variant.SLIP,), (Variant.DROP,), (Variant.ABANDON,)

Tasks = Mapping[Arm, tuple[Variant, ...]]


@dataclass(frozen=True, eq=False)
class RobotSource:
    """A LeRobot dataset of the corpus. Episode i does ``programme[i % len]``."""

    name: str
    kind: SourceKind
    codebase: Codebase
    robot_type: str
    fps: int
    layout: Layout
    cameras: Mapping[str, Arm | None]
    """By feature key: the arm whose wrist carries it, None for a still camera."""
    programme: tuple[Tasks, ...]
    defect: Defect
    table: Colour
    manipulator: Manipulator = Manipulator.ROBOT
    noise: Noise | None = None
    pace: float = 1.0
    idle_s: tuple[float, float] = (0.0, 0.2)
    share: float = 1.0
    """Episodes as a share of the number asked for per source; long recordings count for several."""

    def dataset(self) -> DatasetSpec:
        sizes = {camera: THIRD_PERSON if arm is None else WRIST for camera, arm in self.cameras.items()}
        return DatasetSpec(self.codebase, self.robot_type, self.fps, self.layout.names, sizes)

    def trajectory(self, seed: tuple[int, ...], index: int) -> Trajectory:
        return make_trajectory(
            [*seed, index],
            self.programme[index % len(self.programme)],
            rate_hz=self.fps,
            noise=self.noise,
            pace=self.pace,
            stagger_s=(0.5, 1.6, 3.5)[index % 3],
            idle_s=self.idle_s,
        )

    def recorded(self, trajectory: Trajectory, seed: tuple[int, ...], index: int) -> RecordedEpisode:
        """The episode as the dataset holds it; pictures are drawn when asked for."""
        views, looks = self.views(trajectory, seed, index), self.looks(index)
        pictures = {camera: partial(render, trajectory, views[camera], looks[camera]) for camera in self.cameras}
        return RecordedEpisode(trajectory.instruction, self.layout.features(trajectory), pictures)

    def looks(self, index: int) -> dict[str, Look]:
        """How an episode looks in each camera."""
        return {
            camera: Look(self.manipulator, self.table, seed=1000 * index + number)
            for number, camera in enumerate(self.cameras)
        }

    def views(self, trajectory: Trajectory, seed: tuple[int, ...], index: int) -> dict[str, View]:
        """Where the cameras of an episode are. Still ones do not depend on the trajectory but for its length."""
        rng = np.random.default_rng([*seed, index, 1])
        return {camera: _view(rng, trajectory, arm) for camera, arm in self.cameras.items()}


def _view(rng: np.random.Generator, trajectory: Trajectory, arm: Arm | None) -> View:
    if arm is None:
        return third_person(rng, THIRD_PERSON, trajectory.n_frames)
    motion = next(motion for motion in trajectory.arms if motion.arm is arm)
    return wrist(WRIST, motion)


@dataclass(frozen=True)
class VideoSource:
    """A folder of videos of the corpus."""

    name: str
    kind: SourceKind
    share: float = 0.5


ROBOT_SOURCES = (
    RobotSource(
        name="teleop",
        kind=SourceKind.TELEOP,
        codebase=Codebase.V21,
        robot_type="two_arm_leader_follower",
        fps=30,
        layout=TWO_ARMS_XYZW,
        cameras={"observation.images.cam_high": None, "observation.images.cam_left_wrist": Arm.LEFT},
        programme=(
            {Arm.LEFT: _PLAIN, Arm.RIGHT: _PLAIN},
            {Arm.LEFT: _PLAIN, Arm.RIGHT: _PAUSE},
            {Arm.LEFT: _PUSH, Arm.RIGHT: _PLAIN},
            {Arm.LEFT: _PAUSE, Arm.RIGHT: _MISS},
        ),
        defect=Defect.TRUNCATED_VIDEO,
        table=(150, 122, 92),
    ),
    RobotSource(
        name="open_robot",
        kind=SourceKind.OPEN_ROBOT,
        codebase=Codebase.V30,
        robot_type="single_arm",
        fps=20,
        layout=DROID_LIKE,
        cameras={"observation.images.exterior": None, "observation.images.wrist": Arm.RIGHT},
        programme=tuple({Arm.RIGHT: task} for task in (_PLAIN, _PUSH, _PAUSE, _PLAIN, _MISS)),
        defect=Defect.NAN_ROWS,
        table=(176, 176, 172),
    ),
    RobotSource(
        name="recovery",
        kind=SourceKind.RECOVERY,
        codebase=Codebase.V20,
        robot_type="single_arm_perturbed",
        fps=20,
        layout=MILLIMETRES,
        cameras={"observation.images.front": None},
        programme=tuple({Arm.LEFT: task} for task in (_SLIP, _MISS, _SLIP, _DROP, _SLIP, _ABANDON, _MISS)),
        defect=Defect.MISSING_FILES,
        table=(118, 128, 118),
    ),
    RobotSource(
        name="umi",
        kind=SourceKind.UMI,
        codebase=Codebase.V21,
        robot_type="umi_handheld",
        fps=20,
        layout=UMI_LIKE,
        cameras={"observation.images.gripper_cam": Arm.RIGHT},
        programme=tuple({Arm.RIGHT: task} for task in (_PLAIN, _PAUSE, _PLAIN, _SLIP)),
        defect=Defect.ACTION_LAG,
        table=(160, 138, 116),
        manipulator=Manipulator.HANDHELD,
        noise=Noise(position_m=0.0015, opening=0.01, tremor_m=0.001),
        pace=0.8,
    ),
    RobotSource(
        name="self_collected",
        kind=SourceKind.SELF_COLLECTED,
        codebase=Codebase.V21,
        robot_type="single_arm",
        fps=20,
        layout=PERCENT_WXYZ,
        cameras={"observation.images.top": None},
        programme=(
            {Arm.RIGHT: (Variant.PLAIN, Variant.SLIP, Variant.PUSH)},
            {Arm.RIGHT: (Variant.PAUSE, Variant.PLAIN, Variant.MISS)},
        ),
        defect=Defect.BLACK_HEAD,
        table=(132, 112, 104),
        idle_s=(0.3, 1.2),
        share=0.25,
    ),
)
VIDEO_SOURCES = (VideoSource("internet", SourceKind.INTERNET), VideoSource("egocentric", SourceKind.EGOCENTRIC))
