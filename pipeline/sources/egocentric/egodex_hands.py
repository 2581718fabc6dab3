"""EgoDex's tracked joints as arms: a person's wrists, finger tips and pinch, and how far the headset trusted them.

ARKit gives every joint as a pose in its own world, metres. A hand has no gripper: the distance between the tips of
thumb and index finger stands in for one, and the track's provenance says so.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.storage.hdf5 import Hdf5
from schemas.array import Bools, Floats
from schemas.episode import Arm, ArmTrack
from schemas.pose import RotationEncoding
from schemas.rotation import rotation_6d

TIPS = ("ThumbTip", "IndexFingerTip", "MiddleFingerTip", "RingFingerTip", "LittleFingerTip")
MAX_ROWS = 200_000
"""Almost two hours; EgoDex's episodes last seconds to minutes."""
_RIGID = 0.02
"""How far R·Rᵀ may be from the identity, in any element, for R to be a rotation; float32 noise is below 1e-5."""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand over T rows."""

    track: ArmTrack
    tracked: Bools
    """bool [T]: all poses are finite, rigid, and at least as trusted as asked."""
    doubted: int
    """Rows left out for lack of trust alone."""
    confident: bool
    """The file says how far each joint can be trusted."""


def joints_of(arm: Arm) -> list[str]:
    """The wrist and the five finger tips, thumb first, as ARKit calls them."""
    return [f"{arm}Hand", *(f"{arm}{tip}" for tip in TIPS)]


def n_rows_of(file: Hdf5, joint: str) -> int:
    """How many rows the file has. Raises SourceError for none, or for more than an episode has."""
    shape = file.shape(f"/transforms/{joint}")
    if len(shape) != 3 or shape[1:] != (4, 4) or not 0 < shape[0] <= MAX_ROWS:
        raise SourceError(
            f"{file.name}: /transforms/{joint} has shape {list(shape)}, expected [N, 4, 4] with 1 to {MAX_ROWS} rows"
        )
    return shape[0]


def poses(file: Hdf5, joint: str, n_rows: int) -> tuple[Floats, Bools]:
    """A joint's poses [T, 4, 4] in the world, and where they are poses. Raises SourceError for other shapes."""
    if n_rows_of(file, joint) != n_rows:
        raise SourceError(
            f"{file.name}: /transforms/{joint} has {file.shape(f'/transforms/{joint}')[0]} rows, other joints {n_rows}"
        )
    matrices = file.numbers(f"/transforms/{joint}", 16).reshape(-1, 4, 4)
    with np.errstate(all="ignore"):
        turns = matrices[:, :3, :3]
        unit = np.abs(turns @ turns.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) < _RIGID
        proper = np.linalg.det(np.where(unit[:, None, None], turns, np.eye(3))) > 0
        finite = np.isfinite(matrices.astype(np.float32)).all(axis=(1, 2))
    return matrices, np.asarray(unit & proper & finite)


def hand(file: Hdf5, arm: Arm, n_rows: int, pinch_open_m: float, min_confidence: float) -> Hand:
    """One hand. Raises SourceError when a joint is missing or of another length."""
    wrist, tracked = poses(file, f"{arm}Hand", n_rows)
    turns = np.where(tracked[:, None, None], wrist[:, :3, :3], np.eye(3))
    tips = []
    for joint in joints_of(arm)[1:]:
        pose, fine = poses(file, joint, n_rows)
        tracked = tracked & fine
        with np.errstate(all="ignore"):
            tips.append(np.einsum("tji,tj->ti", turns, pose[:, :3, 3] - wrist[:, :3, 3]))
    confidence = _confidence(file, arm, n_rows)
    trusted = np.ones(n_rows, np.bool_) if confidence is None else confidence >= min_confidence
    doubted = int(np.count_nonzero(tracked & ~trusted))
    tracked = tracked & trusted
    with np.errstate(all="ignore"):
        opening = np.linalg.norm(tips[0] - tips[1], axis=1) / pinch_open_m
    rotation = rotation_6d(turns[:, :2].reshape(-1, 6), RotationEncoding.ROT6D_ROWS)
    track = ArmTrack(
        arm=arm,
        position=_where(tracked, wrist[:, :3, 3]),
        rotation=_where(tracked, rotation),
        opening=_where(tracked, opening[:, None])[:, 0],
        fingers=_where(tracked, np.concatenate(tips, axis=1)).reshape(-1),
        n_fingers=3 * len(TIPS),
    )
    return Hand(track, tracked, doubted, confidence is not None)


def _confidence(file: Hdf5, arm: Arm, n_rows: int) -> Floats | None:
    """Per row the least trust in any joint that is used [T]; None where the file does not say. NaN is no trust."""
    found = [path for joint in joints_of(arm) if file.has(path := f"/confidences/{joint}")]
    least = np.full(n_rows, np.inf)
    for path in found:
        if file.shape(path)[:1] != (n_rows,):
            raise SourceError(f"{file.name}: {path} has shape {list(file.shape(path))}, the joints {n_rows} rows")
        least = np.minimum(least, file.numbers(path, 1)[:, 0])
    return least if found else None


def _where(tracked: Bools, values: Floats) -> Floats:
    """float32 [T, W], NaN in rows that were not tracked."""
    kept = np.full(values.shape, np.nan, np.float32)
    kept[tracked] = values[tracked]
    return kept
