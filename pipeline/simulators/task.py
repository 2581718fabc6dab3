"""What a simulator must offer so that a policy can be judged in it: a scene per seed, setpoints, and the events done.

Everything is in the terms of a source: poses in the robot's base frame, openings 0 closed … 1 open as the source's
recipe reads them. What shards make of it, calibrated openings and captions, is the business of whoever asks (`jobs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment
from schemas.episode import Arm
from schemas.event import Verb


@dataclass(frozen=True)
class TaskEvent:
    """One step of a task, in the vocabulary of event trees."""

    verb: Verb
    arm: Arm
    item: str
    """What it is about, e.g. ``red cube``."""
    goal: str = ""
    """Where to, with its preposition, e.g. ``on the green plate``."""
    shift_m: tuple[float, float, float] | None = None
    """From where the item starts to where it shall be; None where nothing is carried."""


class SimulatedTask(Protocol):
    """Scenes of one task. The same seed and the same setpoints lead to the same moments."""

    @property
    def version(self) -> str:
        """Of everything that decides what happens."""

    @property
    def embodiment(self) -> str:
        """Whose statistics its actions have."""

    @property
    def source(self) -> str:
        """Of which source of a shard set its scenes are."""

    @property
    def rate_hz(self) -> float:
        """Setpoints, and moments, per second."""

    @property
    def instruction(self) -> str:
        """The whole task in one sentence."""

    @property
    def events(self) -> Sequence[TaskEvent]:
        """In the order a demonstration does them."""

    @property
    def demonstration(self) -> Sequence[Mapping[Arm, Pose]]:
        """Setpoints, one per period, of an expert that knows the scene; empty where there is none beforehand."""

    def reset(self, seed: int) -> Moment:
        """A fresh scene; every other answer is about it from now on."""

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        """One period with the arms told to be at the setpoints; what it is like then."""

    def done(self) -> Sequence[bool]:
        """Of every event whether it has been done, by physics alone. What is done stays done."""

    def success(self) -> bool:
        """Whether the scene is now as the task wants it."""

    def close(self) -> None:
        """Let go of what it holds."""
