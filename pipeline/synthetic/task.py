"""The demo corpus's tasks for a policy: fresh scenes drawn as the corpus draws them, on which nobody was trained.

A scene is an episode of one source, furnished, filmed and measured as the corpus does it, from a seed no corpus uses.
An episode of a corpus can be set up as well, to see that its own actions lead where they led.

Arms obey as those of the corpus do: `TARGET_LEAD_S` after they are told, fingers at once. Without that lag an arm would
be ahead of its recordings wherever an event begins in motion, and all displacements from there would end beside the
mark: repeated from its shards, an episode of ``self_collected`` then misses its second item. Nothing moves faster than
`TOP_SPEED_M_S`, so that nothing is anywhere at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment
from pipeline.simulators.task import TaskEvent
from pipeline.synthetic.catalogue import ROBOT_SOURCES, RobotSource
from pipeline.synthetic.contact import TOUCH_M, HandHistory
from pipeline.synthetic.corpus import GENERATOR
from pipeline.synthetic.scene import Painter
from pipeline.synthetic.script import Variant
from pipeline.synthetic.simulator import VERSION, RunningEpisode
from pipeline.synthetic.task_events import NEARER_M, PUSHED, PUT, nearer_by, over, pushed_to, put_on
from pipeline.synthetic.trajectory import TARGET_LEAD_S, Noise, Trajectory, make_trajectory
from pipeline.synthetic.world import Item, Support
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import BoundaryKind, Verb

EVALUATION = 7_411_331
"""In place of a corpus's seed: no scene of an evaluation is one of a corpus."""
TOP_SPEED_M_S = 2.0
"""Twice as fast as scripts ever are."""
_NEAR_M = 0.3
"""No event of an item is done by a hand that is farther away, and in one period no hand gets farther than a third."""
_OTHER_TABLES = 100_000
"""Added to an episode's number where tables and sensors are drawn."""
_ENDS_WITH = {
    Verb.REACH: (BoundaryKind.GRASP, BoundaryKind.CONTACT), Verb.GRASP: (BoundaryKind.LIFT,),
    Verb.LIFT: (BoundaryKind.TRANSPORT,), Verb.MOVE: (BoundaryKind.SUPPORT,), Verb.PLACE: (BoundaryKind.RELEASE,),
    Verb.RELEASE: (BoundaryKind.RETREAT,), Verb.PUSH: (BoundaryKind.RETREAT,),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Goal:
    """One item and what is to become of it."""

    arm: Arm
    index: int
    """Among the items of its arm."""
    items: tuple[Item, ...]
    """Of the arm."""
    support: Support
    pushed: bool

    @property
    def item(self) -> Item:
        return self.items[self.index]

    @property
    def verbs(self) -> tuple[Verb, ...]:
        return PUSHED if self.pushed else PUT

    def done(self, history: HandHistory | None) -> int:
        """How many of its events are done."""
        if history is None:
            return 0
        judged = pushed_to if self.pushed else put_on
        return len(judged(history, self.items, self.index, self.support, self.arm))

    def event(self, verb: Verb) -> TaskEvent:
        way = (*np.subtract(self.support.centre, self.item.start[:2]).tolist(), 0.0)
        place = f"{'towards' if self.pushed else 'on'} the {self.support.label}"
        return TaskEvent(verb, self.arm, self.item.label, place, way if verb is Verb.MOVE else None)


class DemoTask:
    """Scenes of one robot source of the demo corpus."""

    def __init__(self, source: RobotSource) -> None:
        self._source = source
        self._number = ROBOT_SOURCES.index(source)
        self._goals: list[_Goal] = []
        self._counts: dict[_Goal, int] = {}
        """Events done of each, when last looked at."""
        self._changed: set[_Goal] = set()
        """Those to which something may have happened since."""

    @property
    def version(self) -> str:
        return f"demo {VERSION}, corpus generator {GENERATOR}"

    @property
    def embodiment(self) -> str:
        return self._source.robot_type

    @property
    def source(self) -> str:
        return self._source.name

    @property
    def rate_hz(self) -> float:
        return float(self._source.fps)

    @property
    def instruction(self) -> str:
        return self._whole.instruction

    @property
    def events(self) -> Sequence[TaskEvent]:
        return [goal.event(verb) for goal, verb in self._order]

    @property
    def demonstration(self) -> Sequence[Mapping[Arm, Pose]]:
        """What the corpus would have recorded as commands here."""
        told = {motion.arm: motion.target for motion in self._whole.arms}
        return [
            {arm: Pose(each.position[row], each.rotation[row], float(each.opening[row])) for arm, each in told.items()}
            for row in range(self._whole.n_frames)
        ]

    def reset(self, seed: int) -> Moment:
        """A scene of its own for every seed. Each task goes plainly: nothing in it slips or misses by intent."""
        source, whole = self._source, (EVALUATION, self._number)
        tasks = source.programme[seed % len(source.programme)]
        plain = {arm: [v if v is Variant.PUSH else Variant.PLAIN for v in each] for arm, each in tasks.items()}
        drawn = make_trajectory(
            [*whole, seed], plain, rate_hz=source.fps, noise=source.noise, pace=source.pace, idle_s=source.idle_s
        )
        return self._begin(drawn, {arm: tuple(each) for arm, each in plain.items()}, whole, seed, _OTHER_TABLES + seed)

    def again(self, corpus_seed: int, index: int) -> Moment:
        """An episode of a corpus from its beginning."""
        seed = (corpus_seed, self._number)
        tasks = self._source.programme[index % len(self._source.programme)]
        return self._begin(self._source.trajectory(seed, index), tasks, seed, index, index)

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        before = self._running.poses
        obeyed = {}
        for arm, pose in before.items():
            told = setpoints.get(arm, pose)
            self._told[arm].append(told)
            obeyed[arm] = self._slowly(pose, replace(self._told[arm].popleft(), opening=told.opening))
        self._running.step(obeyed)
        self._changed.update(filter(self._near, self._goals))
        return self._look()

    def done(self) -> Sequence[bool]:
        for goal in self._changed:
            self._counts[goal] = goal.done(self._running.hands[goal.arm].history())
        self._changed = set()
        return [goal.verbs.index(verb) < self._counts[goal] for goal, verb in self._order]

    def success(self) -> bool:
        """Every item lies where it shall, in nobody's hand; a pushed one is nearer by 5 cm, as the corpus has it."""
        return all(self._reached(goal) for goal in self._goals)

    def close(self) -> None:
        """Nothing is held."""

    def _begin(
        self, whole: Trajectory, tasks: Mapping[Arm, Sequence[Variant]], seed: tuple[int, ...], index: int, table: int
    ) -> Moment:
        self._whole = whole
        self._goals = _goals(whole, tasks)
        self._order = _in_order(whole, self._goals)
        self._counts = dict.fromkeys(self._goals, 0)
        self._changed = set()
        views = self._source.views(whole, seed, index)
        self._running = RunningEpisode(self._source, whole, 0, views)
        late = round(TARGET_LEAD_S * self.rate_hz) - 1  # a period passes anyway
        self._told = {arm: deque([pose] * max(late, 0)) for arm, pose in self._running.poses.items()}
        looks = self._source.looks(table)
        self._painters = {camera: Painter(views[camera].size, look) for camera, look in looks.items()}
        self._noise = np.random.default_rng([*seed, index, 2])
        return self._look()

    def _look(self) -> Moment:
        noise = Noise() if self._source.noise is None else self._source.noise
        measured = {arm: _measured(self._noise, pose, noise) for arm, pose in self._running.poses.items()}
        return Moment(measured, self._running.pictures(self._painters, by_tick=True))

    def _slowly(self, now: Pose, goal: Pose) -> Pose:
        way = goal.position - now.position
        share = min(1.0, TOP_SPEED_M_S / self.rate_hz / max(float(np.linalg.norm(way)), 1e-9))
        return Pose(now.position + share * way, goal.rotation, goal.opening)

    def _near(self, goal: _Goal) -> bool:
        """Whether anything can have happened to an item; looking through the whole past takes milliseconds."""
        hand = self._running.hands[goal.arm]
        body = hand.hand.bodies[goal.index]
        return float(np.linalg.norm(hand.pose.position - (body.x, body.y, body.z))) < _NEAR_M

    def _reached(self, goal: _Goal) -> bool:
        hand = self._running.hands[goal.arm].hand
        body = hand.bodies[goal.index]
        where = np.array([[body.x, body.y, body.z]])
        if goal.pushed:
            return bool(nearer_by(goal.item, goal.support, where)[0] > NEARER_M)
        low = body.z - goal.item.size_m[2] / 2 <= goal.support.height_m + TOUCH_M
        return bool(over(goal.support, where)[0]) and low and hand.held != goal.index


def demo_sources() -> Mapping[str, RobotSource]:
    """Those whose robots can be told something; a hand-held device cannot."""
    return {source.name: source for source in ROBOT_SOURCES if source.noise is None}


def _goals(whole: Trajectory, tasks: Mapping[Arm, Sequence[Variant]]) -> list[_Goal]:
    """Items and supports are in the order of their tasks, arm by arm."""
    goals, supports = [], iter(whole.supports)
    for motion in whole.arms:
        items = tuple(item.item for item in whole.items if item.arm is motion.arm)
        goals += [
            _Goal(motion.arm, index, items, next(supports), variant is Variant.PUSH)
            for index, variant in enumerate(tasks[motion.arm])
        ]
    return goals


def _in_order(whole: Trajectory, goals: Sequence[_Goal]) -> list[tuple[_Goal, Verb]]:
    """Events by when the demonstration is done with them; a retreat ends after the last of them."""

    def ends(goal: _Goal, verb: Verb) -> int:
        kinds = _ENDS_WITH.get(verb, ())
        mine = [b for b in whole.boundaries if b.arm is goal.arm and b.item == goal.item.label]
        found = [boundary.t_ns for boundary in mine if boundary.kind in kinds]
        return max(found) if found else max((b.t_ns for b in mine), default=0) + (verb is Verb.RETREAT)

    every = [(goal, verb) for goal in goals for verb in goal.verbs]
    return sorted(every, key=lambda each: (ends(*each), each[0].verbs.index(each[1])))


def _measured(rng: np.random.Generator, pose: Pose, noise: Noise) -> Pose:
    """What sensors say of a pose, with the noise of the source's recordings."""
    turn, tilt = rng.normal(0.0, noise.rotation_rad, 2)
    rotation: Floats = (
        Rotation.from_rotvec([0.0, 0.0, turn]).as_matrix()
        @ pose.rotation
        @ Rotation.from_rotvec([0.0, tilt, 0.0]).as_matrix()
    )
    position = pose.position + rng.normal(0.0, noise.position_m, 3)
    return Pose(position, rotation, float(np.clip(pose.opening + rng.normal(0.0, noise.opening), 0.0, 1.0)))
