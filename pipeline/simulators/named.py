"""The simulated tasks there are, by the names ``joinery evaluate --simulator`` takes."""

from __future__ import annotations

from pipeline.errors import JoineryError
from pipeline.simulators.piped import PipedTask
from pipeline.simulators.task import SimulatedTask
from pipeline.synthetic.task import DemoTask, demo_sources

DEMO, ROBOSUITE_LIFT = "demo", "robosuite-lift"
DEMO_DEFAULT = "open_robot"


def task_names() -> list[str]:
    """``demo`` stands for the first."""
    return [*(f"{DEMO}:{name}" for name in demo_sources()), ROBOSUITE_LIFT]


def task_named(name: str) -> SimulatedTask:
    """Raises JoineryError when there is none, or what it needs is not installed."""
    family, _, which = name.partition(":")
    sources = demo_sources()
    if family == DEMO and (which or DEMO_DEFAULT) in sources:
        return DemoTask(sources[which or DEMO_DEFAULT])
    if name == ROBOSUITE_LIFT:
        return PipedTask.started("pipeline.simulators.robosuite_lift:RobosuiteLift")
    raise JoineryError(f"--simulator {name}: no such task; there are {', '.join([DEMO, *task_names()])}")
