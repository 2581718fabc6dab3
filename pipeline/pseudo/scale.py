"""How open a hand is that was only seen: a scale of its own, never the one of a measured gripper.

Grippers are calibrated per dataset and embodiment, because their raw range differs. A hand's aperture is in palm
lengths on every person, and a dataset may hold both; so pseudo tracks take no part in the calibration and are read
with fixed ends.
"""

import dataclasses

import numpy as np

from schemas.calibration import Calibration, OpeningScale
from schemas.episode import ActionKind, ActionTrack, Arm

CLOSED, OPEN = 0.2, 1.2
"""Thumb and index tip apart, in palm lengths: touching (a tip is not a point), and spread."""
_NOTHING = np.zeros(0, np.float32)
_HANDS = tuple(OpeningScale(arm, "opening", CLOSED, OPEN, True, _NOTHING, _NOTHING) for arm in Arm)


def calibration_for(actions: ActionTrack | None, measured: Calibration) -> Calibration:
    """The calibration a track is read with: its group's, or the fixed one of hands that were only seen."""
    if actions is None or actions.kind is not ActionKind.PSEUDO:
        return measured
    return dataclasses.replace(measured, openings=_HANDS)
