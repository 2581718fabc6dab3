"""What a simulator must offer so that recoveries can be rolled out in it, and which simulators there are.

A simulator sets a recorded scene up again and then only obeys setpoints; perturbing, recovering and repeating the
demonstration is the same everywhere (`pipeline.recovery.rollout`). A laboratory registers its own as an entry point of
the group ``joinery.simulators`` that names a function without arguments (docs/recovery.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import JoineryError
from pipeline.recovery.demonstration import Pose
from schemas.episode import Arm
from schemas.recording import RecordedCamera
from schemas.recovery_plan import PlannedEvent

GROUP = "joinery.simulators"
OURS = {
    "robosuite": "pipeline.recovery.robosuite_arm:RobosuiteSimulator",
    "synthetic": "pipeline.recovery.synthetic_arm:SyntheticSimulator",
}
"""Imported when they are asked for: one needs robosuite, which the core does not install."""


class SceneError(JoineryError):
    """A simulator cannot set a scene up; the message is the reason that stands in the results."""


@dataclass(frozen=True, eq=False)
class Moment:
    """What a scene is like now."""

    arms: Mapping[Arm, Pose]
    """Measured; openings in the source's terms, 0 closed … 1 open."""
    pictures: Mapping[str, NDArray[np.uint8]]
    """[H, W, 3] with even sides, by camera."""


def check_same_scene(event: PlannedEvent, moment: Moment, tolerance_m: float) -> None:
    """Raises SceneError when the arm of a scene is not where it was recorded: it is another scene or moment."""
    if event.arm is None or event.scene.tool_m is None or event.arm not in moment.arms:
        raise SceneError(f"{event.scene.locator}: has no {event.arm} arm when it is set up again")
    apart = float(np.linalg.norm(moment.arms[event.arm].position - np.asarray(event.scene.tool_m)))
    if not apart <= tolerance_m:
        where = f"{event.scene.root}, {event.scene.locator}, row {event.scene.row}"
        raise SceneError(f"{where}: set up again, the arm is {1000 * apart:.0f} mm from where it was recorded")


class RunningScene(Protocol):
    """A scene that runs. Poses are in the frame of the planned event, the one its source's poses are in."""

    @property
    def rate_hz(self) -> float:
        """Setpoints, and moments, per second."""

    @property
    def cameras(self) -> Sequence[RecordedCamera]:
        """The first one is the master view."""

    def look(self) -> Moment:
        """What it is like before the first step."""

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        """Let one period pass with the arms told to be at the setpoints, and say what it is like then."""

    def success(self) -> bool | None:
        """Whether the demonstrated task is done now; None when it cannot tell."""

    def close(self) -> None:
        """Let go of what it holds. It is not used afterwards."""


class Simulator(Protocol):
    """One way to run scenes."""

    @property
    def version(self) -> str:
        """Of everything that decides what happens."""

    def scene(self, event: PlannedEvent) -> RunningScene:
        """The event's scene as it was at ``event.scene_ns``, at rest. Raises SceneError saying why it cannot be."""


def simulator_names() -> list[str]:
    """What ``--simulator`` takes."""
    return sorted({*OURS, *(point.name for point in entry_points(group=GROUP))})


def simulator_named(name: str) -> Simulator:
    """A registered simulator. Raises JoineryError when there is none, or what it needs is not installed."""
    try:
        return _factory(name)()
    except ImportError as error:
        advice = "; it has an environment of its own: docs/recovery.md says how to make it" if name in OURS else ""
        raise JoineryError(f"simulator {name}: {error}{advice}") from error


def _factory(name: str) -> Callable[[], Simulator]:
    """Those of a laboratory come first, so that it can put its own in the place of one of ours."""
    theirs = entry_points(group=GROUP, name=name)
    if theirs:
        return cast(Callable[[], Simulator], next(iter(theirs)).load())
    if name not in OURS:
        raise JoineryError(f"--simulator {name}: no such simulator; there are {', '.join(simulator_names())}")
    module, _, attribute = OURS[name].partition(":")
    return cast(Callable[[], Simulator], getattr(import_module(module), attribute))
