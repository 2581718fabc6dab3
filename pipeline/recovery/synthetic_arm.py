"""The made-up world of the demo corpus as a simulator: no weights, no network, no graphics driver.

The corpus is a function of its parameters, so that any moment of any of its episodes can be made again, and what the
hand then does meets the same small physics (`pipeline.synthetic.contact`). That physics knows a hand's place and
heading; tilt is followed and drawn, and changes nothing. A hand is stopped by the table and by what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment, SceneError, check_same_scene
from pipeline.synthetic.catalogue import ROBOT_SOURCES, RobotSource
from pipeline.synthetic.contact import Grip, Hand
from pipeline.synthetic.corpus import GENERATOR, STAMP
from pipeline.synthetic.scene import Painter
from pipeline.synthetic.script import FINE_HZ
from pipeline.synthetic.trajectory import ArmMotion, ItemMotion, Reading, Trajectory
from pipeline.synthetic.view import View
from pipeline.synthetic.world import Support, support_height
from schemas.array import Floats
from schemas.episode import Arm, CameraRole
from schemas.recording import RecordedCamera
from schemas.recovery_plan import PlannedEvent

VERSION = 1
"""Goes up whenever the same setpoints would lead elsewhere."""
FINGERS_PER_S = 3.0
"""How fast fingers open and close, in whole openings."""
TIP_M = 0.003
"""How near fingertips come to what is below them."""
_AGREE_M = 0.01
"""A corpus made again and its recording agree better than this, or they are not the same."""


class SyntheticSimulator:
    """Scenes of corpora that ``python -m pipeline.synthetic`` made."""

    @property
    def version(self) -> str:
        return f"{VERSION}, corpus generator {GENERATOR}"

    def scene(self, event: PlannedEvent) -> SyntheticScene:
        """Raises SceneError when the episode is not one of a corpus of this version."""
        root, locator = Path(event.scene.root), event.scene.locator
        source = next((source for source in ROBOT_SOURCES if source.name == root.name), None)
        number = locator.removeprefix("episode_index=")
        if source is None or not number.isdecimal():
            raise SceneError(f"{root}, {locator}: no episode of a made-up corpus")
        seed = (_corpus_seed(root.parent / STAMP), ROBOT_SOURCES.index(source))
        trajectory = source.trajectory(seed, int(number))
        row = event.scene.row
        if not 0 <= row < trajectory.n_frames:
            raise SceneError(f"{locator}: has {trajectory.n_frames} rows when made again, the plan wants row {row}")
        scene = SyntheticScene(source, seed, int(number), trajectory, row)
        check_same_scene(event, scene.look(), _AGREE_M)
        return scene


def _corpus_seed(stamp: Path) -> int:
    try:
        made_with = json.loads(stamp.read_text(encoding="utf-8"))
        generator, seed = int(made_with["generator"]), int(made_with["seed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SceneError(f"{stamp}: does not say what the corpus was made with ({type(error).__name__})") from error
    if generator != GENERATOR:
        raise SceneError(f"{stamp}: made by generator {generator}, this is {GENERATOR}; make the corpus again")
    return seed


class SyntheticScene:
    """One episode of the corpus from one of its rows on."""

    def __init__(self, source: RobotSource, seed: tuple[int, ...], index: int, whole: Trajectory, row: int) -> None:
        self._source, self._whole = source, whole
        self._hands = {motion.arm: _hand_at(whole, motion, row) for motion in whole.arms}
        self._poses = {motion.arm: _pose_at(motion, row) for motion in whole.arms}
        self._views = source.views(whole, seed, index)
        self._painters = {
            camera: Painter(self._views[camera].size, look) for camera, look in source.looks(index).items()
        }

    @property
    def rate_hz(self) -> float:
        return float(self._source.fps)

    @property
    def cameras(self) -> Sequence[RecordedCamera]:
        return [_camera(name, arm) for name, arm in self._source.cameras.items()]

    def look(self) -> Moment:
        moment = self._moment()
        pictures = {}
        for name, painter in self._painters.items():
            arm = self._source.cameras[name]
            pictures[_plain(name)] = painter.paint(moment, self._view(name, arm, moment))
        return Moment(dict(self._poses), pictures)

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        n_steps = FINE_HZ // self._source.fps
        for arm, goal in setpoints.items():
            self._poses[arm] = _moved(self._hands[arm], self._poses[arm], goal, n_steps, self._whole.supports)
        return self.look()

    def success(self) -> bool | None:
        """Whether every item that the demonstration brought to its support is on one now."""
        goals = [item for item in self._whole.items if _rests_on_support(item, self._whole.supports)]
        if not goals:
            return None
        bodies = {id(body.item): body for hand in self._hands.values() for body in hand.bodies}
        heights = [support_height(self._whole.supports, bodies[id(g.item)].x, bodies[id(g.item)].y) for g in goals]
        resting = [bodies[id(g.item)].z - g.item.size_m[2] / 2 for g in goals]
        return all(height > 0 and abs(z - height) < 1e-3 for height, z in zip(heights, resting, strict=True))

    def close(self) -> None:
        """Nothing is held."""

    def _view(self, name: str, arm: Arm | None, moment: Trajectory) -> View:
        if arm is None:
            still = self._views[name]
            return replace(still, rotation=still.rotation[:1], translation=still.translation[:1])
        return self._source.views(moment, (0,), 0)[name]

    def _moment(self) -> Trajectory:
        """The present as a trajectory of one frame."""
        arms, items = [], []
        for motion in self._whole.arms:
            pose, hand = self._poses[motion.arm], self._hands[motion.arm]
            reading = Reading(pose.position[None], pose.rotation[None], np.array([pose.opening]))
            arms.append(ArmMotion(motion.arm, reading, reading, reading, np.array([-1])))
            items += [
                ItemMotion(body.item, np.array([[body.x, body.y, body.z]]), np.array([body.yaw]), motion.arm)
                for body in hand.bodies
            ]
        times_ns = np.zeros(1, np.int64)
        return replace(self._whole, times_ns=times_ns, arms=tuple(arms), items=tuple(items), boundaries=(), phases=())


def _hand_at(whole: Trajectory, motion: ArmMotion, row: int) -> Hand:
    """A hand and the items of its region as they were."""
    mine = [item for item in whole.items if item.arm is motion.arm]
    hand = Hand(tuple(item.item for item in mine), whole.supports)
    for body, item in zip(hand.bodies, mine, strict=True):
        body.x, body.y, body.z = map(float, item.position[row])
        body.yaw = float(item.yaw[row])
    hand.opening = float(motion.true.opening[row])
    held = int(motion.held[row])
    if held >= 0:
        body, (x, y, z) = hand.bodies[held], map(float, motion.true.position[row])
        yaw = _heading(motion.true.rotation[row])
        hand.grip = Grip(held, body.x - x, body.y - y, body.z - z, body.yaw - yaw)
    return hand


def _pose_at(motion: ArmMotion, row: int) -> Pose:
    true = motion.true
    return Pose(true.position[row].copy(), true.rotation[row].copy(), float(true.opening[row]))


def _moved(hand: Hand, pose: Pose, goal: Pose, n_steps: int, supports: tuple[Support, ...]) -> Pose:
    """Where a hand gets in some steps towards a setpoint: straight, and not through what is below it."""
    turn = Rotation.from_matrix(goal.rotation @ pose.rotation.T).as_rotvec()
    opening = pose.opening
    position = pose.position
    for step in range(1, n_steps + 1):
        share = step / n_steps
        rotation = Rotation.from_rotvec(share * turn).as_matrix() @ pose.rotation
        x, y, z = map(float, pose.position + share * (goal.position - pose.position))
        reach = FINGERS_PER_S / FINE_HZ
        wanted = opening + float(np.clip(goal.opening - opening, -reach, reach))
        lowest = support_height(supports, x, y) + TIP_M
        height, opening, *_ = hand.step(x, y, max(z, lowest), _heading(rotation), wanted)
        position = np.array([x, y, height])
    return Pose(position, goal.rotation, opening)


def _heading(rotation: Floats) -> float:
    """Yaw of a tool that points down: the direction from finger to finger."""
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))


def _rests_on_support(item: ItemMotion, supports: tuple[Support, ...]) -> bool:
    """Whether it ended somewhere that is not the table."""
    x, y, z = item.position[-1]
    height = support_height(supports, float(x), float(y))
    return height > 0 and abs(float(z) - item.item.size_m[2] / 2 - height) < 1e-3


def _plain(camera: str) -> str:
    """A camera's name without the prefix of its dataset."""
    return camera.rpartition(".")[2]


def _camera(name: str, arm: Arm | None) -> RecordedCamera:
    roles = {None: CameraRole.THIRD_PERSON, Arm.LEFT: CameraRole.WRIST_LEFT, Arm.RIGHT: CameraRole.WRIST_RIGHT}
    return RecordedCamera(name=_plain(name), file=f"{_plain(name)}.mp4", role=roles[arm])
