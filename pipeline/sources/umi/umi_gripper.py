"""How wide a UMI gripper is open, measured from its own camera: the distance between the tags on its two fingers.

UMI's scripts do the same and leave the result in ``tag_detection.pkl``, a pickle, which is never read. Tags are of
OpenCV's 4×4 dictionary of 50; gripper g carries tags 6·g (left) and 6·g + 1 (right). With the lens known the width is
metric; without, it is the distance in pixels, which grows with the width because the fingers slide across the view
at a fixed depth, and is put into the range it has in the gripper's calibration video or in the episode itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.sources.storage.json_file import dict_of, number_of
from pipeline.video import Picture
from schemas.array import Floats, Ints

_DEPTH_M = (0.064, 0.080)
"""How far in front of the lens the finger tags slide, by UMI's construction (0.072 ± 0.008 m); others are mistaken."""
_RANGE_PERCENTILES = (1.0, 99.0)
_FEWEST = 10
"""Frames with both tags that a range can be taken from."""


@dataclass(frozen=True, eq=False)
class Lens:
    """A fisheye lens (Kannala and Brandt): intrinsics float64 [3, 3] and four distortion numbers, at one size."""

    width: int
    height: int
    matrix: Floats
    distortion: Floats

    def scaled(self, width: int, height: int) -> "Lens":
        """The same lens for pictures of another size. As in UMI's scripts they are as high as the sensor, and cut or
        widened alike on both sides: pixels stay square."""
        factor = height / self.height
        matrix = self.matrix * [[factor], [factor], [1.0]]
        matrix[0, 2] = (self.matrix[0, 2] - self.width / 2) * factor + width / 2
        return Lens(width, height, matrix, self.distortion)


def lens_of(stated: object, name: str) -> Lens:
    """UMI's ``gopro_intrinsics_*.json``. Raises SourceError for another lens model or missing numbers."""
    whole = dict_of(stated)
    if whole.get("intrinsic_type") != "FISHEYE":
        raise SourceError(f"{name}: intrinsic_type is {str(whole.get('intrinsic_type'))[:40]!r}, expected 'FISHEYE'")
    inner = dict_of(whole.get("intrinsics"))
    keys = ("image_width", "image_height", "focal_length", "principal_pt_x", "principal_pt_y")
    bends = tuple(f"radial_distortion_{i}" for i in range(1, 5))
    numbers = {key: number_of({**inner, **whole}.get(key)) for key in (*keys, *bends)}
    found = {key: value for key, value in numbers.items() if value is not None}
    if len(found) != len(numbers) or min(found[key] for key in keys) <= 0 or max(map(abs, found.values())) > 1e6:
        bad = sorted(set(numbers) - set(found)) or list(keys)
        raise SourceError(f"{name}: {', '.join(bad)} must be numbers as UMI's calibration writes them; calibrate again")
    width, height, focal, x, y = (found[key] for key in keys)
    matrix = np.array([[focal, 0.0, x], [0.0, focal, y], [0.0, 0.0, 1.0]])
    return Lens(round(width), round(height), matrix, np.array([found[key] for key in bends]))


@dataclass(frozen=True)
class FingerTags:
    """The two tags of a gripper."""

    left: int
    right: int
    size_m: float


def widths(pictures: Iterable[Picture], tags: FingerTags, lens: Lens | None) -> Iterator[float]:
    """Per picture the distance between the fingers, metres with a lens and pixels without; NaN where it is not seen."""
    options = cv2.aruco.DetectorParameters()
    options.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), options)
    fitted: Lens | None = None
    for picture in pictures:
        grey = picture.frame.to_ndarray(format="gray")
        if lens is not None and fitted is None:
            fitted = lens.scaled(grey.shape[1], grey.shape[0])
        found = {} if picture.damaged else _corners(detector, grey)
        left, right = found.get(tags.left), found.get(tags.right)
        yield _pixels(left, right) if fitted is None else _metres(left, right, tags.size_m, fitted)


def _corners(detector: Any, grey: NDArray[np.uint8]) -> Mapping[int, Floats]:
    """Corners [4, 2] by tag; of a tag that is seen twice (UMI's side mirrors), the larger."""
    corners, ids, _ = detector.detectMarkers(grey)
    found: dict[int, Floats] = {}
    for quad, tag in zip(corners, [] if ids is None else ids.reshape(-1).tolist(), strict=True):
        quad_42 = np.asarray(quad, np.float64).reshape(4, 2)
        if tag not in found or cv2.contourArea(quad_42.astype(np.float32)) > cv2.contourArea(
            found[tag].astype(np.float32)
        ):
            found[tag] = quad_42
    return found


def _pixels(left: Floats | None, right: Floats | None) -> float:
    if left is None or right is None:
        return np.nan
    return float(np.linalg.norm(right.mean(axis=0) - left.mean(axis=0)))


def _metres(left: Floats | None, right: Floats | None, size_m: float, lens: Lens) -> float:
    """As UMI measures it: the fingers move alike, so one of them tells as much as both."""
    left_x, right_x = (None if quad is None else _sideways(quad, size_m, lens) for quad in (left, right))
    if left_x is not None and right_x is not None:
        return right_x - left_x
    one = left_x if left_x is not None else right_x
    return np.nan if one is None else 2.0 * abs(one)


def _sideways(quad: Floats, size_m: float, lens: Lens) -> float | None:
    """How far right of the lens a tag is, in metres; None when it is not where fingers are."""
    half = size_m / 2.0
    square = np.array([[-half, half, 0], [half, half, 0], [half, -half, 0], [-half, -half, 0]])
    straight = cv2.fisheye.undistortPoints(quad[:, None], lens.matrix, lens.distortion, P=lens.matrix)
    if not np.isfinite(straight).all():
        return None
    solved, _, place = cv2.solvePnP(square, straight, lens.matrix, None, flags=cv2.SOLVEPNP_IPPE_SQUARE)
    x, _, z = place.reshape(3).tolist() if solved else (0.0, 0.0, 0.0)
    return float(x) if _DEPTH_M[0] < z < _DEPTH_M[1] else None


def range_of(measured: Floats) -> tuple[float, float] | None:
    """The closed and open ends of widths [N], outliers left out; None when there are too few or they never change."""
    seen = measured[np.isfinite(measured)]
    if len(seen) < _FEWEST:
        return None
    low, high = (float(end) for end in np.percentile(seen, _RANGE_PERCENTILES))
    return (low, high) if high > low else None


def bridged(values: Floats, times_ns: Ints, max_gap_ns: int) -> Floats:
    """Values [N] with gaps filled in a straight line where the frames around them are at most that far apart."""
    seen = np.flatnonzero(np.isfinite(values))
    out = np.array(values, np.float64)
    if len(seen) < 2:
        return out
    place = np.clip(np.searchsorted(seen, np.arange(len(values))), 1, len(seen) - 1)
    before, after = seen[place - 1], seen[place]
    inside = (np.arange(len(values)) > before) & (np.arange(len(values)) < after)
    short = inside & (times_ns[after] - times_ns[before] <= max_gap_ns)
    out[short] = np.interp(times_ns[short], times_ns[seen], values[seen])
    return out
