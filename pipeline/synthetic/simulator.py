"""The demo corpus's world, stepped by setpoints: the same items, hands, contacts and pictures, whoever moves the hands.

A script's path is known beforehand and lived through at once (`contact.live_through`); here the next setpoint is only
known once the last one was obeyed. Physics (`contact.Hand`), truth (`HandHistory`) and drawing (`scene.Painter`) are
those of the corpus. That physics knows a hand's place and heading; tilt is followed and drawn, and changes nothing. A
hand is stopped by the table and by what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.simulators.pictures import Pictures
from pipeline.synthetic.catalogue import RobotSource
from pipeline.synthetic.contact import Grip, Hand, HandHistory
from pipeline.synthetic.scene import Painter, Picture
from pipeline.synthetic.script import FINE_HZ
from pipeline.synthetic.trajectory import ArmMotion, ItemMotion, Reading, Trajectory
from pipeline.synthetic.view import View
from pipeline.synthetic.world import Support, support_height
from schemas.array import Floats
from schemas.episode import Arm

VERSION = 1
"""Goes up whenever the same setpoints would lead elsewhere."""
FINGERS_PER_S = 3.0
"""How fast fingers open and close, in whole openings."""
TIP_M = 0.003
"""How near fingertips come to what is below them."""


class RunningEpisode:
    """An episode of a source from one of its rows on, in which hands do what they are told from outside."""

    def __init__(self, source: RobotSource, whole: Trajectory, row: int, views: Mapping[str, View]) -> None:
        self.source, self.whole = source, whole
        self.hands = {motion.arm: _LivingHand(whole, motion, row) for motion in whole.arms}
        self._views = views
        self.tick = 0

    @property
    def poses(self) -> dict[Arm, Pose]:
        """Where the hands truly are."""
        return {arm: hand.pose for arm, hand in self.hands.items()}

    def step(self, setpoints: Mapping[Arm, Pose]) -> None:
        """One frame of the source: hands go straight to their setpoints; those told nothing stay, as all that rests."""
        n_steps = FINE_HZ // self.source.fps
        for arm, hand in self.hands.items():
            if arm in setpoints:
                hand.go(setpoints[arm], n_steps, self.whole.supports)
        self.tick += 1

    def pictures(self, painters: Mapping[str, Painter], *, by_tick: bool) -> Pictures:
        """What the cameras see now, by their names in shards.

        With ``by_tick`` the noise does not depend on which pictures were looked at.
        """
        moment, tick = self._moment(), self.tick if by_tick else None

        features = {plain_name(camera): camera for camera in painters}

        def draw(name: str) -> Picture:
            camera = features[name]
            return painters[camera].paint(moment, self._view(camera, moment), tick)

        return Pictures(tuple(features), draw)

    def _view(self, camera: str, moment: Trajectory) -> View:
        if self.source.cameras[camera] is None:
            still = self._views[camera]
            return replace(still, rotation=still.rotation[:1], translation=still.translation[:1])
        return self.source.views(moment, (0,), 0)[camera]

    def _moment(self) -> Trajectory:
        """The present as a trajectory of one frame."""
        arms, items = [], []
        for arm, hand in self.hands.items():
            pose = hand.pose
            reading = Reading(pose.position[None], pose.rotation[None], np.array([pose.opening]))
            arms.append(ArmMotion(arm, reading, reading, reading, np.array([-1])))
            items += [
                ItemMotion(body.item, np.array([[body.x, body.y, body.z]]), np.array([body.yaw]), arm)
                for body in hand.hand.bodies
            ]
        times_ns = np.zeros(1, np.int64)
        return replace(self.whole, times_ns=times_ns, arms=tuple(arms), items=tuple(items), boundaries=(), phases=())


@dataclass(frozen=True, eq=False)
class _Block:
    """What a hand lived through in one control period of n steps."""

    way: Floats
    """float64 [n, 3]: x, y and yaw."""
    outcomes: Floats
    """float64 [n, 5], as `contact.Outcome`."""
    items: Floats
    """float64 [n, m, 4]: x, y, z and yaw of every item."""


class _LivingHand:
    """One hand, the items of its region, and what it has lived through."""

    def __init__(self, whole: Trajectory, motion: ArmMotion, row: int) -> None:
        mine = [item for item in whole.items if item.arm is motion.arm]
        self.hand = Hand(tuple(item.item for item in mine), whole.supports)
        for body, item in zip(self.hand.bodies, mine, strict=True):
            body.x, body.y, body.z = map(float, item.position[row])
            body.yaw = float(item.yaw[row])
        true = motion.true
        self.pose = Pose(true.position[row].copy(), true.rotation[row].copy(), float(true.opening[row]))
        self.hand.opening = self.pose.opening
        held = int(motion.held[row])
        if held >= 0:
            body, (x, y, z) = self.hand.bodies[held], map(float, self.pose.position)
            self.hand.grip = Grip(held, body.x - x, body.y - y, body.z - z, body.yaw - heading(self.pose.rotation))
        self._past: list[_Block] = []

    def go(self, goal: Pose, n_steps: int, supports: tuple[Support, ...]) -> None:
        """As far as it gets in some steps towards a setpoint: straight, and not through what is below it."""
        pose = self.pose
        turn = Rotation.from_matrix(goal.rotation @ pose.rotation.T).as_rotvec()
        shares = np.arange(1, n_steps + 1) / n_steps
        yaws = _headings(Rotation.from_rotvec(shares[:, None] * turn).as_matrix() @ pose.rotation)
        way = pose.position + shares[:, None] * (goal.position - pose.position)
        opening, reach = pose.opening, FINGERS_PER_S / FINE_HZ
        x, y, height = map(float, pose.position)
        outcomes, items = [], []
        for (x, y, z), yaw in zip(way.tolist(), yaws.tolist(), strict=True):
            wanted = opening + min(max(goal.opening - opening, -reach), reach)
            outcome = self.hand.step(x, y, max(z, support_height(supports, x, y) + TIP_M), yaw, wanted)
            height, opening = outcome[0], outcome[1]
            outcomes.append(outcome)
            items.append([(body.x, body.y, body.z, body.yaw) for body in self.hand.bodies])
        block = _Block(np.column_stack([way[:, :2], yaws]), np.array(outcomes, np.float64), np.array(items))
        self._past.append(block)
        self.pose = Pose(np.array([x, y, height]), goal.rotation, opening)

    def history(self) -> HandHistory | None:
        """What `truth.boundaries_of` reads; None before the first step."""
        if not self._past:
            return None
        way, outcomes, items = (
            np.concatenate([getattr(block, name) for block in self._past]) for name in ("way", "outcomes", "items")
        )
        height, opening, held, supported, pushing = outcomes.T
        return HandHistory(
            position=np.column_stack([way[:, :2], height]),
            yaw=way[:, 2],
            opening=opening,
            held=held.astype(np.int64),
            supported=supported.astype(np.bool_),
            pushing=pushing.astype(np.int64),
            item_position=items[:, :, :3].transpose(1, 0, 2),
            item_yaw=items[:, :, 3].T,
            shared=np.zeros(len(way), np.bool_),
        )


def heading(rotation: Floats) -> float:
    """Yaw of a tool that points down: the direction from finger to finger."""
    return float(np.arctan2(rotation[1, 0], rotation[0, 0]))


def _headings(rotations: Floats) -> Floats:
    """`heading` of rotations [n, 3, 3]."""
    yaws: Floats = np.arctan2(rotations[:, 1, 0], rotations[:, 0, 0])
    return yaws


def plain_name(camera: str) -> str:
    """A camera's name without the prefix of its dataset, as events and shards have it."""
    return camera.rpartition(".")[2]
