"""Displacements from an observation pose: what a WALL-WM action is (wall_wm.md §3.5), and back to poses.

The 20-D layout is two arms × (position 3, rotation 6, opening 1). Positions and rotations are taken in the tool frame
of the observation pose, openings stay absolute.
"""

import numpy as np

from schemas.array import Bools, Floats
from schemas.pose import matrix_of, orthonormalise

ARM_DIMS = 10
ACTION_DIMS = 2 * ARM_DIMS
ARM_OFFSETS = (0, ARM_DIMS)
"""Left arm first."""


def relative_to(values_T20: Floats, anchor_20: Floats) -> Floats:
    """Displacements [T, 20] from an observation pose [20], in the anchor's tool frame; openings stay absolute.

    position: R₀ᵀ(p − p₀); rotation: first two rows of R₀ᵀR. Where the anchor has no rotation (all zero rows),
    positions are plain differences and rotations stay as they are.
    """
    out = np.array(values_T20, np.float32)
    for base in ARM_OFFSETS:
        moved = values_T20[:, base : base + 3].astype(np.float64) - anchor_20[base : base + 3]
        if np.any(anchor_20[base + 3 : base + 9]):
            frame = matrix_of(anchor_20[None, base + 3 : base + 9])[0].T
            moved = moved @ frame.T
            rotation = frame @ matrix_of(values_T20[:, base + 3 : base + 9])
            out[:, base + 3 : base + 9] = rotation[:, :2].reshape(-1, 6)
        out[:, base : base + 3] = moved
    return out


def absolute_from(displacements_T20: Floats, anchor_20: Floats, known_20: Bools) -> Floats:
    """Poses float32 [T, 20] that lie these displacements from an observation pose [20]: the inverse of `relative_to`.

    What is not known of the displacements stays as it was observed; NaN in the anchor counts as zero. Rotations need
    not be orthonormal, as a model's never are. Raises ValueError where they mean no rotation.
    """
    anchor = np.nan_to_num(np.asarray(anchor_20, np.float64))
    moves = np.where(known_20, displacements_T20, 0.0)
    out: Floats = np.where(known_20, displacements_T20, anchor).astype(np.float32)
    for base in ARM_OFFSETS:
        place, turn = slice(base, base + 3), slice(base + 3, base + 9)
        moved, turned = moves[:, place], bool(known_20[turn].all())
        rotation = (
            matrix_of(orthonormalise(moves[:, turn])) if turned else np.broadcast_to(np.eye(3), (len(moves), 3, 3))
        )
        if np.any(anchor[turn]):
            frame = matrix_of(anchor[None, turn])[0]
            moved, rotation, turned = moved @ frame.T, frame @ rotation, True
        out[:, place] = anchor[place] + moved
        if turned:
            out[:, turn] = rotation[:, :2].reshape(-1, 6)
    return out
