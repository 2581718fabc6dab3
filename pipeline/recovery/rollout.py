"""One start of a plan, rolled out: perturb, recover, repeat the demonstration; recorded as a self-collected recording.

The parts of a recording: the way to the start (set-up, declared invalid, so that nobody learns to leave a contact), a
moment of standing there (the error), the way back to the contact (the recovery), the demonstration from there on.
A start at the contact pose itself has only the last part. Success is the simulator's word; a failure is kept and says
so.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.recorder import EpisodeRecorder
from pipeline.recovery.approach import apart, approach
from pipeline.recovery.demonstration import SQUEEZE, Demonstration, Pose
from pipeline.recovery.plan import pose_of
from pipeline.recovery.simulator import Moment, RunningScene
from schemas.episode import Arm, CommandMode, CommandSpace, SpanMeaning
from schemas.event import Verb
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_commands import Commands
from schemas.recording import Actor, Annotation, FailureMode, Recording, RecoveryNote
from schemas.recovery_plan import PlannedEvent, Start, StartKind
from schemas.time import NS_PER_S

REACHED_M = 0.005
REACHED_RAD = 0.05
"""An arm this near to a pose is there."""
_SETTLE_S = 1.0
"""A controller that follows with a lag is given this long to arrive."""
_STAND_S = 0.25
SET_UP, ERROR, RECOVERY, ORIGINAL = "set_up", "perturbed", "recovery", "original"
"""Phases of a recording's rows."""


class UnreachableStartError(Exception):
    """The arm did not get to a start; the message says how near it came."""


@dataclass(frozen=True)
class Outcome:
    """How a rollout that was recorded ended."""

    recovered: bool
    success: bool | None
    reason: str
    """Why it is a failure; empty otherwise."""


def roll_out(
    event: PlannedEvent, start: Start, demonstration: Demonstration, scene: RunningScene, folder: Path
) -> Outcome:
    """Record one start into ``folder``. Raises UnreachableStartError, and then there is no recording."""
    runner = _Runner(event, start, demonstration, scene, EpisodeRecorder(folder, _recording(event, scene)))
    try:
        with runner.recorder:
            return runner.run()
    except UnreachableStartError:
        shutil.rmtree(folder)
        raise


@dataclass
class _Runner:
    """A rollout on its way."""

    event: PlannedEvent
    start: Start
    demonstration: Demonstration
    scene: RunningScene
    recorder: EpisodeRecorder
    now: Moment = field(init=False)
    steps: int = 0

    def __post_init__(self) -> None:
        self.now = self.scene.look()

    @property
    def now_ns(self) -> int:
        return round(self.steps * NS_PER_S / self.scene.rate_hz)

    @property
    def arm(self) -> Arm:
        assert self.event.arm is not None
        return self.event.arm

    def run(self) -> Outcome:
        contact = self.demonstration.at(0)
        recovered, reason = True, ""
        if self.start.kind is StartKind.PERTURBED:
            recovered, reason = self._perturb_and_recover(contact)
        original_ns = self.now_ns
        period_ns = NS_PER_S / self.scene.rate_hz
        for step in range(1, int(self.demonstration.times_ns[-1] / period_ns) + 1):
            self._step(self.demonstration.at(round(step * period_ns)), ORIGINAL)
        said = f"repeats {self.event.event_id} of {self.event.episode_id} from {self.event.scene_ns / NS_PER_S:.3f} s"
        self._say("recovery.original", original_ns, said, SpanMeaning.OTHER)
        success = self.scene.success()
        if success is False and self.event.cut_short:
            success = None  # it might have been done later
        outcome = Outcome(recovered, success, reason or ("the task was not done" if success is False else ""))
        self.recorder.recording = self.recorder.recording.model_copy(update={"success": success})
        if self.start.kind is StartKind.PERTURBED:
            self._note(outcome, original_ns)
        return outcome

    @property
    def opening(self) -> float:
        """What the fingers are told until the demonstration goes on: to stay open, or to keep hold."""
        assert self.event.opening is not None
        return self.event.opening if self.event.verb is Verb.GRASP else max(0.0, self.event.opening - SQUEEZE)

    def _perturb_and_recover(self, contact: Mapping[Arm, Pose]) -> tuple[bool, str]:
        """Whether the arm came back, and if not, how near."""
        others = {arm: pose for arm, pose in contact.items() if arm is not self.arm}
        start = pose_of(self.start.pose, self.opening)
        self._go(start, others, SET_UP)
        left = self._arrive(start, others, SET_UP)
        if left:
            raise UnreachableStartError(f"the arm stopped {left}")
        self._say("recovery.set_up", 0, "the arm is brought to its start", SpanMeaning.INVALID)
        self.set_up_ns = self.now_ns
        for _ in range(max(1, round(_STAND_S * self.scene.rate_hz))):
            self._step({**others, self.arm: start}, ERROR)
        self.recovery_ns = self.now_ns
        back = Pose(contact[self.arm].position, contact[self.arm].rotation, self.opening)
        self._go(back, others, RECOVERY)
        left = self._arrive(back, others, RECOVERY)
        return not left, f"the contact pose was not reached again: the arm stopped {left}" if left else ""

    def _go(self, goal: Pose, others: Mapping[Arm, Pose], phase: str) -> None:
        for pose in approach(self.now.arms[self.arm], goal, self.scene.rate_hz):
            self._step({**others, self.arm: pose}, phase)

    def _arrive(self, goal: Pose, others: Mapping[Arm, Pose], phase: str) -> str:
        """Wait until the arm is there; what is missing when it never is."""
        for _ in range(round(_SETTLE_S * self.scene.rate_hz)):
            distance, angle = apart(self.now.arms[self.arm], goal)
            if distance <= REACHED_M and angle <= REACHED_RAD:
                return ""
            self._step({**others, self.arm: goal}, phase)
        distance, angle = apart(self.now.arms[self.arm], goal)
        if distance <= REACHED_M and angle <= REACHED_RAD:
            return ""
        return f"{1000 * distance:.0f} mm and {np.degrees(angle):.0f}° away"

    def _step(self, setpoints: Mapping[Arm, Pose], phase: str) -> None:
        """Write what it is like and what is told now, then let a period pass."""
        for camera, picture in self.now.pictures.items():
            self.recorder.picture(camera, picture, self.now_ns)
        numbers = {**_columns("", self.now.arms), **_columns("target_", setpoints)}
        self.recorder.row(self.now_ns, **numbers, control_mode=Actor.SCRIPT.value, phase=phase)
        self.now = self.scene.step(setpoints)
        self.steps += 1

    def _say(self, track: str, start_ns: int, text: str, meaning: SpanMeaning) -> None:
        span = Annotation(track=track, start_ns=start_ns, end_ns=self.now_ns, text=text, meaning=meaning)
        self.recorder.annotate(span)

    def _note(self, outcome: Outcome, recovered_ns: int) -> None:
        words: dict[bool | None, Literal["success", "failure", "unknown"]]
        words = {True: "success", False: "failure", None: "unknown"}
        self.recorder.recovery(
            RecoveryNote(
                parent_episode=self.event.episode_id,
                failure_mode=FailureMode.PERTURBED_START,
                t_failure_onset_ns=self.set_up_ns,
                t_recovery_start_ns=self.recovery_ns,
                t_recovery_end_ns=recovered_ns,
                actor=Actor.SCRIPT,
                outcome=words[outcome.success],
            )
        )

    set_up_ns: int = 0
    recovery_ns: int = 0


def _columns(prefix: str, arms: Mapping[Arm, Pose]) -> dict[str, list[float] | float]:
    """An arm's row; rotations are written as the two rows, so that nothing is converted twice."""
    columns: dict[str, list[float] | float] = {}
    for arm, pose in arms.items():
        columns[f"{arm}_{prefix}position"] = pose.position.tolist()
        columns[f"{arm}_{prefix}rotation_6d"] = pose.rotation[:2].reshape(-1).tolist()
        columns[f"{arm}_{prefix}opening"] = float(pose.opening)
    return columns


def _recording(event: PlannedEvent, scene: RunningScene) -> Recording:
    arms = sorted(scene.look().arms)
    return Recording(
        joinery_recording=1,
        instruction=event.instruction,
        embodiment=event.embodiment,
        cameras=list(scene.cameras),
        state=_arm_columns("", arms),
        target=_arm_columns("target_", arms),
        frame=event.frame,
        commands=Commands(mode=CommandMode.ABSOLUTE, space=CommandSpace.END_EFFECTOR, frame=event.frame),
    )


def _arm_columns(prefix: str, arms: Iterable[Arm]) -> list[ArmColumns]:
    return [
        ArmColumns(
            arm=arm,
            position=Columns(column=f"{arm}_{prefix}position"),
            rotation=RotationColumns(column=f"{arm}_{prefix}rotation_6d", encoding=RotationEncoding.ROT6D_ROWS),
            opening=OpeningColumns(column=f"{arm}_{prefix}opening"),
        )
        for arm in arms
    ]
