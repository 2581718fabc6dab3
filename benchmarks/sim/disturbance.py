"""What makes a scripted episode less than perfect: its pace, a drifting hand, pauses, a forced drop (events.md).

Drawn once per episode from its seed, before anything moves, so that what is drawn does not depend on what happens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from schemas.array import Floats

SCALE = (0.75, 1.0)
MOST_NOISE, PERSISTENCE = 0.05, 0.9
PAUSE_STEPS = (6, 20)
MOST_PAUSES, PAUSE_BEFORE = 2, 120
DROP_SHARE, DROP_AFTER, DROP_STEPS = 0.4, 12, 10


@dataclass(frozen=True, eq=False)
class Disturbance:
    """One episode's imperfections."""

    scale: float
    """The share of each action that is carried out."""
    noise: Floats
    """float64 [steps, 3] Ornstein-Uhlenbeck, in units of the largest action."""
    paused: frozenset[int]
    """Steps in which the arm rests."""
    drops: bool
    """Whether the gripper opens for ten steps once the object was held for twelve."""


def draw(rng: Generator, steps: int) -> Disturbance:
    """The imperfections of an episode of at most so many steps."""
    scale, sigma = float(rng.uniform(*SCALE)), float(rng.uniform(0.0, MOST_NOISE))
    white = rng.normal(size=(steps, 3)) * sigma * np.sqrt(1.0 - PERSISTENCE**2)
    noise = np.zeros((steps, 3))
    for k in range(1, steps):
        noise[k] = PERSISTENCE * noise[k - 1] + white[k]
    paused: set[int] = set()
    for _ in range(int(rng.integers(0, MOST_PAUSES + 1))):
        start = int(rng.integers(5, PAUSE_BEFORE))
        paused |= set(range(start, start + int(rng.integers(PAUSE_STEPS[0], PAUSE_STEPS[1] + 1))))
    return Disturbance(scale, noise, frozenset(paused), bool(rng.random() < DROP_SHARE))


@dataclass
class Dropper:
    """Says when the gripper is forced open: once, for ten steps, after ``after`` in which the object was held."""

    armed: bool
    after: int = DROP_AFTER
    held_for: int = 0
    left: int = 0

    def opens(self, held: bool) -> bool:
        """To be called once per step."""
        self.held_for = self.held_for + 1 if held else 0
        if self.armed and self.held_for >= self.after:
            self.armed, self.left = False, DROP_STEPS
        self.left -= 1
        return self.left >= 0
