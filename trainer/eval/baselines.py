"""What a policy is held against: one that does nothing, and one that knows beforehand what to do.

An evaluation in which the first scores more than 0, or the second less than 100, measures something else than policies.
"""

from collections.abc import Callable, Sequence

import numpy as np

from schemas.array import Floats
from schemas.displacement import relative_to
from trainer.policy import ActionChunk, Observation


class Idle:
    """Stays where it is."""

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:  # noqa: ARG002 - it is sure
        """One action: the pose it is in."""
        anchor_20 = _anchor(observation)
        here = relative_to(anchor_20[None], anchor_20)
        return ActionChunk(here, observation.state_known_20, np.zeros(1), duration_s)


class Repeat:
    """Does what a demonstration of the scene does, piece by piece, in displacements from what it observes."""

    def __init__(self, demonstration: Callable[[], Sequence[Floats]], control_hz: float) -> None:
        self._demonstration, self._hz = demonstration, control_hz
        self._poses: Sequence[Floats] | None = None
        self._next = 0

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:  # noqa: ARG002 - it is sure
        """The next rows; the last one again when they are over. The first call asks for them: the scene must be set."""
        if self._poses is None:
            self._poses = self._demonstration()
        n = max(1, round(duration_s * self._hz))
        rows = np.minimum(np.arange(self._next, self._next + n), len(self._poses) - 1)
        self._next += n
        told = np.stack([self._poses[row] for row in rows])
        times_s = np.arange(n) / self._hz
        return ActionChunk(relative_to(told, _anchor(observation)), observation.state_known_20, times_s, duration_s)


def _anchor(observation: Observation) -> Floats:
    """The observed pose, zero where it is not known, as shards have it."""
    anchor_20: Floats = np.where(observation.state_known_20, observation.state_20, 0.0).astype(np.float32)
    return anchor_20
