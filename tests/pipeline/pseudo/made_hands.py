"""Hands for tests: drawn by arithmetic, so that where they are and how open they are is known exactly."""

import numpy as np
from numpy.typing import NDArray

from pipeline.pseudo.hands import INDEX_TIP, MIDDLE_ROOT, N_LANDMARKS, THUMB_TIP, WRIST, Hand
from pipeline.pseudo.trackers import Tracking
from schemas.array import Floats
from schemas.episode import Arm
from schemas.recipe_kinematics import PseudoActionsSpec

PALM_M = 0.09
SPEC = PseudoActionsSpec(method="mediapipe_hands")


def shape(gap: float = 0.5) -> Floats:
    """Landmarks in metres around their middle; thumb and index tip ``gap`` palm lengths apart."""
    points = np.random.default_rng(0).uniform(-0.05, 0.05, (N_LANDMARKS, 3))
    points[WRIST], points[MIDDLE_ROOT] = (0.0, PALM_M, 0.0), (0.0, 0.0, 0.0)
    points[THUMB_TIP], points[INDEX_TIP] = (0.02, -0.05, 0.0), (0.02 + gap * PALM_M, -0.05, 0.0)
    return points - points.mean(axis=0)


def hand(
    wrist: tuple[float, float] = (0.5, 0.5),
    away_m: float = 0.5,
    *,
    gap: float = 0.5,
    side: Arm = Arm.RIGHT,
    confidence: float = 0.95,
    turned: Floats | None = None,
) -> Hand:
    """A hand seen by a camera whose focal length is one picture width; ``wrist`` in picture widths."""
    points = shape(gap) if turned is None else shape(gap) @ turned.T
    flat = points[:, :2] / away_m
    return Hand(side, confidence, flat - flat[WRIST] + np.array(wrist), points)


class FakeTracker:
    """Says what it was told to, picture after picture, and remembers the pictures' shapes."""

    def __init__(self, *told: list[Hand]) -> None:
        self.told, self.seen = list(told), list[tuple[int, ...]]()

    def hands(self, rgb: NDArray[np.uint8]) -> list[Hand]:
        self.seen.append(rgb.shape)
        return self.told[(len(self.seen) - 1) % len(self.told)]


def tracking(tracker: FakeTracker, revision: str = "fake 1") -> dict[str, Tracking]:
    """In place of `pipeline.pseudo.trackers.TRACKERS`."""
    return {"mediapipe_hands": Tracking(lambda: revision, lambda: tracker)}
