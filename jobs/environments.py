"""Simulated tasks as environments of the trainer: what a source says, in the units of the shards a policy has learnt.

Three things differ between a source and its shards, and each is silently wrong when forgotten: openings are on the
dataset's calibrated scale, cameras have plain names, and events are captioned by the river's own templates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from annotators.words.captions import direction_along
from annotators.words.template import Templates, load_templates, render
from pipeline.action_layout import layout_of
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment
from pipeline.simulators.task import SimulatedTask, TaskEvent
from schemas.array import Bools, Floats
from schemas.arrow import from_row
from schemas.calibration import Calibration, OpeningScale
from schemas.displacement import ARM_DIMS
from schemas.episode import Arm, ArmTrack
from schemas.event import Verb
from schemas.pose import matrix_of, orthonormalise
from trainer.policy import Observation

Watch: TypeAlias = Callable[["TaskEnvironment", Observation], None]
_FIRST = {Arm.LEFT: 0, Arm.RIGHT: ARM_DIMS}


class TaskEnvironment:
    """A `SimulatedTask` as `trainer.eval.environment.Environment`."""

    def __init__(self, task: SimulatedTask, openings: Sequence[OpeningScale]) -> None:
        self.task = task
        self._scales = {scale.arm: scale for scale in openings}
        self._calibration = Calibration("", task.source, task.embodiment, tuple(openings))
        self.watch: Watch | None = None
        """Shown every moment that follows a step."""
        self._templates = load_templates("en")
        self._now = Moment({}, {})
        self._done: Sequence[bool] | None = ()
        self._fresh: tuple[int, Observation] | None = None

    @property
    def control_hz(self) -> float:
        return self.task.rate_hz

    @property
    def events(self) -> Sequence[str]:
        return [caption_of(event, self._templates) for event in self.task.events]

    @property
    def verbs(self) -> Sequence[str]:
        return [event.verb.value for event in self.task.events]

    @property
    def events_done(self) -> int:
        done = self.which_done()
        return done.index(False) if False in done else len(done)

    @property
    def instruction(self) -> str:
        return self.task.instruction

    @property
    def done(self) -> bool:
        return self.task.success() and all(self.which_done())

    @property
    def success(self) -> bool:
        return self.task.success()

    def reset(self, seed: int) -> Observation:
        """A scene nothing has happened in yet is not set up again."""
        if self._fresh is None or self._fresh[0] != seed:
            self._fresh = seed, self.observed(self.task.reset(seed))
        return self._fresh[1]

    def step(self, pose_20: Floats) -> Observation:
        self._fresh = None
        seen = self.observed(self.task.step({arm: self._told(arm, pose_20) for arm in self._now.arms}))
        if self.watch is not None:
            self.watch(self, seen)
        return seen

    def which_done(self) -> list[bool]:
        if self._done is None:
            self._done = self.task.done()
        return list(self._done)

    def progress(self) -> float:
        done = self.which_done()
        return 100.0 * sum(done) / len(done)

    def close(self) -> None:
        self.task.close()

    def demonstration(self) -> list[Floats]:
        """What an expert would tell, float32 [20] per control period; on the dataset's scale like everything else."""
        return [self._layout(told)[0] for told in self.task.demonstration]

    def observed(self, moment: Moment) -> Observation:
        """What a policy is shown of a moment of the task."""
        self._now, self._done = moment, None
        values_20, known_20 = self._layout(moment.arms)
        next_one = self.events_done
        text = "" if next_one == len(self.task.events) else caption_of(self.task.events[next_one], self._templates)
        return Observation(moment.pictures, values_20, known_20, text)

    def _layout(self, arms: Mapping[Arm, Pose]) -> tuple[Floats, Bools]:
        layout = layout_of(tuple(_track(arm, pose) for arm, pose in arms.items()), 1, self._calibration)
        return layout.values[0], layout.known

    def _told(self, arm: Arm, pose_20: Floats) -> Pose:
        """One arm's setpoint. An opening that the shards do not have leaves the fingers as they are."""
        mine = np.asarray(pose_20, np.float64)[_FIRST[arm] : _FIRST[arm] + ARM_DIMS]
        rotation = matrix_of(orthonormalise(mine[None, 3:9]))[0]
        scale = self._scales.get(arm)
        if scale is None or not scale.informative:
            return Pose(mine[:3], rotation, self._now.arms[arm].opening)
        share = float(np.clip(mine[9], 0.0, 1.0))
        return Pose(mine[:3], rotation, scale.closed + share * (scale.open - scale.closed))


def caption_of(event: TaskEvent, templates: Templates) -> str:
    """An event in the words of the river's templates, as captions of the training set are."""
    name = "action.move.carrying" if event.verb is Verb.MOVE else f"action.{event.verb.value.replace(' ', '_')}"
    slots = {
        "instruction": "", "seconds": "", "verb": event.verb.value,
        "object": f"the {event.item}" if event.item else "the object",
        "destination": event.goal,
        "arm": event.arm.value,
        "direction": "" if event.shift_m is None else direction_along(event.shift_m),
    }  # fmt: skip
    return render(templates.find(name, "action.any"), slots)


def openings_of(shards: ShardSet, source: str) -> list[OpeningScale]:
    """How a source's openings became those of a shard set. Raises JoineryError when it has no events of the source."""
    for split in shards.splits:
        sources = shards.manifest(split, ["source"])["source"].to_pylist()
        if source in sources:
            rows = shards.read(split, sources.index(source)).calibration()["openings"]
            return [from_row(OpeningScale, row | {"arm": Arm(row["arm"])}) for row in rows]
    raise JoineryError(
        f"shard set {shards.shard_set_id}: has no events of source {source!r}, so what its openings mean is not known; "
        "name the set the policy was trained on, or another source of the simulator"
    )


def _track(arm: Arm, pose: Pose) -> ArmTrack:
    return ArmTrack(
        arm=arm,
        position=pose.position[None].astype(np.float32),
        rotation=pose.rotation[:2].reshape(1, 6).astype(np.float32),
        opening=np.array([pose.opening], np.float32),
        fingers=None,
        n_fingers=0,
    )
