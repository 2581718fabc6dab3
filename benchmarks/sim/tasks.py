"""The tasks detectors may be developed on, and the guard that keeps all others for acceptance (events.md).

A threshold tuned on a task knows that task. So whatever is measured in the end is measured on tasks nobody has looked
at, and the only way to keep it so is that nothing here can make their episodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import JoineryError


class Simulator(StrEnum):
    """Which simulator a task comes from; also the name of the source its recordings make up."""

    METAWORLD = "metaworld"
    ROBOSUITE = "robosuite"


class Split(StrEnum):
    """What an episode may be used for."""

    TUNE = "tune"
    HELD_OUT = "held_out"


@dataclass(frozen=True)
class Task:
    """One task, and the object it is about."""

    simulator: Simulator
    name: str
    instruction: str
    item: str
    """What the object is called in the truth."""
    body: str
    """Name of the object's outermost moving body in the model."""


_METAWORLD = (
    ("pick-place", "bring the puck to the goal", "puck", "obj"),
    ("pick-place-wall", "bring the puck over the wall", "puck", "obj"),
    ("shelf-place", "put the block on the shelf", "block", "obj"),
    ("basketball", "put the ball into the hoop", "ball", "bsktball"),
    ("assembly", "put the nut on the peg", "nut", "RoundNut"),
    ("hammer", "hit the nail with the hammer", "hammer", "hammerbody"),
    ("drawer-open", "open the drawer", "drawer", "drawer_link"),
    ("window-open", "slide the window open", "window", "windowb_a"),
    ("button-press", "press the button", "button", "button"),
    ("push", "push the puck to the goal", "puck", "obj"),
)
_ROBOSUITE = (
    ("Lift", "lift the cube and put it back", "cube", "cube_main"),
    ("PickPlaceCan", "put the can into its bin", "can", "Can_main"),
    ("PickPlaceMilk", "put the milk into its bin", "milk", "Milk_main"),
)
DEVELOPMENT = {
    name: Task(simulator, name, *words)
    for simulator, known in ((Simulator.METAWORLD, _METAWORLD), (Simulator.ROBOSUITE, _ROBOSUITE))
    for name, *words in known
}
"""Every task there is, by name."""


class ReservedError(JoineryError):
    """A task that is kept for acceptance, or that nobody knows: which of the two is not looked at either."""


def development_tasks(names: Sequence[str]) -> list[Task]:
    """Tasks by name, all when none is named. Raises ReservedError for any that is no development task."""
    reserved = [name for name in names if name.removesuffix("-v3") not in DEVELOPMENT]
    if reserved:
        listed = ", ".join(DEVELOPMENT)
        raise ReservedError(f"{', '.join(reserved)}: reserved for acceptance; the development tasks are {listed}")
    return [DEVELOPMENT[name.removesuffix("-v3")] for name in names or DEVELOPMENT]


def split_of(seed: int) -> Split:
    """Even seeds are for tuning, odd ones are held out."""
    return Split.HELD_OUT if seed % 2 else Split.TUNE
