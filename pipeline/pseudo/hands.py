"""One hand in one picture, and what finds it: the interface between ingest and a landmark library.

Landmarks are numbered as all hand models number them: 0 wrist, then four per finger from thumb to little finger,
root to tip (4 thumb tip, 8 index tip, 9 root of the middle finger).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.array import Floats
from schemas.episode import Arm

N_LANDMARKS = 21
WRIST, THUMB_TIP, INDEX_TIP, MIDDLE_ROOT = 0, 4, 8, 9


@dataclass(frozen=True, eq=False)
class Hand:
    """A hand as a tracker sees it."""

    side: Arm
    """Of the person it belongs to, where the picture is not mirrored."""
    confidence: float
    """0 … 1 that it is this side's hand."""
    picture: Floats
    """[21, 2] in picture widths, x to the right and y down from the upper left corner."""
    shape: Floats
    """[21, 3] metres around the hand's middle, in the camera's directions: x right, y down, z away."""


class HandTracker(Protocol):
    """Finds hands in pictures, each picture by itself."""

    def hands(self, rgb: NDArray[np.uint8]) -> list[Hand]:
        """The hands in a picture uint8 [H, W, 3]."""


def metres_to_widths(hand: Hand) -> float:
    """How many picture widths a metre at the hand's distance takes (weak perspective), 0 where it cannot be told.

    The least-squares scale between the hand's shape and its picture, which all landmarks share: a hand that is
    turned away from the camera gets shorter in both.
    """
    known = hand.shape[:, :2] - hand.shape[:, :2].mean(axis=0)
    size = float(np.sum(known * known))
    scale = float(np.sum(known * hand.picture)) / size if size > 0.0 else 0.0
    return scale if np.isfinite(scale) and scale > 0.0 else 0.0


def aperture(hand: Hand) -> float:
    """Distance of thumb tip and index tip over the palm's length; about 0.2 when they touch. NaN without a palm."""
    palm = float(np.linalg.norm(hand.shape[MIDDLE_ROOT] - hand.shape[WRIST]))
    return float(np.linalg.norm(hand.shape[THUMB_TIP] - hand.shape[INDEX_TIP])) / palm if palm > 0.0 else float("nan")
