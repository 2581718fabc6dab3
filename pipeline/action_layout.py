"""The 20-D layout a WALL-WM action tower reads: two arms × (position 3, rotation 6, opening 1).

Left arm in columns 0–9, right arm in 10–19 (wall_wm.md §3.5). Columns an embodiment does not have are zero
and say so in the ``known`` mask; nothing is ever guessed into them.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Bools, Floats
from schemas.calibration import Calibration, OpeningScale
from schemas.displacement import ACTION_DIMS, ARM_OFFSETS
from schemas.episode import Arm, ArmTrack

_OFFSET = dict(zip((Arm.LEFT, Arm.RIGHT), ARM_OFFSETS, strict=True))


@dataclass(frozen=True, eq=False)
class Layout:
    """``values`` float32 [T, 20] in absolute units and ``known`` bool [20]."""

    values: Floats
    known: Bools


def opening_of(track: ArmTrack, scale: OpeningScale | None) -> Floats | None:
    """One arm's opening, float32 [T], 0 closed … 1 open on the dataset's scale; None when it has no such signal."""
    if scale is None or not scale.informative:
        return None
    if scale.signal == "fingers":
        if track.fingers is None:
            return None
        raw: Floats = (track.fingers.reshape(-1, track.n_fingers) - scale.finger_mean) @ scale.finger_axis
    elif track.opening is not None:
        raw = track.opening
    else:
        return None
    normalised: Floats = np.clip((raw - scale.closed) / (scale.open - scale.closed), 0.0, 1.0).astype(np.float32)
    return normalised


def layout_of(arms: tuple[ArmTrack, ...], n_rows: int, calibration: Calibration) -> Layout:
    """The arms' tracks, each with ``n_rows`` rows, in the 20-D layout."""
    values = np.zeros((n_rows, ACTION_DIMS), np.float32)
    known = np.zeros(ACTION_DIMS, np.bool_)
    for track in arms:
        base = _OFFSET[track.arm]
        parts = [(0, 3, track.position), (3, 9, track.rotation)]
        opening = opening_of(track, calibration.opening(track.arm))
        parts.append((9, 10, None if opening is None else opening[:, None]))
        for start, stop, part in parts:
            if part is not None:
                values[:, base + start : base + stop] = part
                known[base + start : base + stop] = True
    return Layout(values, known)
