"""What a policy is let loose in: a scene that obeys absolute tool poses and knows how far its task has come.

Whoever implements it says everything in the units of the shards a policy was trained on (docs/shard.md): poses in the
robot's base frame, openings on the dataset's scale, pictures by the names of its cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from schemas.array import Floats

if TYPE_CHECKING:
    from trainer.policy import Observation


class Environment(Protocol):
    """One scene at a time; deterministic given the seed and the poses."""

    @property
    def control_hz(self) -> float:
        """Poses, and observations, per second."""

    @property
    def events(self) -> Sequence[str]:
        """Captions of the task's events in the order a demonstration does them: event mode's text by a person."""

    @property
    def verbs(self) -> Sequence[str]:
        """The verb of each: what its usual duration is looked up by."""

    @property
    def events_done(self) -> int:
        """The first of them that is not done, judged by physics alone; their number when all are."""

    @property
    def instruction(self) -> str:
        """The whole task in one sentence."""

    @property
    def success(self) -> bool:
        """Whether the scene is now as the task wants it; all may be done and yet undone again."""

    @property
    def done(self) -> bool:
        """Whether every event of the task is done and the scene is as the task wants it: nothing is left to do."""

    def reset(self, seed: int) -> Observation:
        """A fresh scene, the same for the same seed. The observation's text is ``events[0]``."""

    def step(self, pose_20: Floats) -> Observation:
        """One control period with the tools told to be at absolute poses, float32 [20]; what it is like then.

        Columns an arm does not have are ignored. The observation's text is that of the next event.
        """

    def which_done(self) -> Sequence[bool]:
        """Of every event whether it has been done. What is done stays done."""

    def progress(self) -> float:
        """0 … 100: the share of the task's events done so far."""

    def close(self) -> None:
        """Let go of what it holds: processes, renderers."""
