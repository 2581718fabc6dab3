"""Whether several cameras imagine one world: errors at places that two views both show.

A pair of latent cells, one in each of two views of the same latent frame, shows one place. Where a prediction is wrong
about the place in both views alike, the views still agree; where only one of them moves the cup, they do not. So what
is measured is the difference of the two views' errors at such pairs:

    disagreement = mean ‖e_a − e_b‖²,  e = predicted − true latent cell
    share        = disagreement ÷ mean (‖e_a‖² + ‖e_b‖²):  0 they err together, 1 each for itself, 2 against each other

Which cells are pairs comes from the best of three sources, and the result says which:

- ``points``: positions of the tools, known from the state, projected into both calibrated cameras;
- ``sight``: calibrated cameras without known points: true latents that are each other's nearest neighbours among the
  tokens whose sight cones meet (`trainer.sight`);
- ``likeness``: no calibration: the same, among all cells. It finds places that *look* alike, which on a plain table
  need not be the same place, so it says least.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
import torch
from torch import Tensor

from schemas.array import Floats, Ints
from trainer.batch import PATCH
from trainer.configs import DataConfig
from trainer.event_sight import canvas_of, sight_masks
from trainer.example import Shown, fitted

Source: TypeAlias = Literal["points", "sight", "likeness"]
_ARMS = (0, 10)
"""Where an arm's position starts in the 20-D layout."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Cells of two views that show one place."""

    source: Source
    first: int
    second: int
    """The two views."""
    place_P3: Tensor
    """int64: latent frame, cell in the first view, cell in the second; cells numbered row by row."""


@dataclass(frozen=True)
class Agreement:
    """Sums over pairs, which add up over events."""

    source: Source
    n_pairs: int
    apart: float
    """Σ‖e_a − e_b‖²."""
    own: float
    """Σ‖e_a‖² + ‖e_b‖²."""


def pairs_of(shown: Shown, latents_VFCHW: Tensor, picture_VHW: Tensor, data: DataConfig) -> tuple[Pairs, ...]:
    """Pairs of every two views of an event; the observed latent frame is left out."""
    cameras = list(shown.pixels)[: data.max_views]
    sizes = {name: fitted(shown.pixels[name].shape[1], shown.pixels[name].shape[2], data) for name in cameras}
    seen = _cells_of_tools(shown, sizes, data)
    canvas = canvas_of(data.height, data.width, data.codec)
    visible = sight_masks(shown.event, sizes, shown.times_ns[:: data.codec.time_stride], canvas, data.sight)
    calibrated = {name for name in cameras if _calibrated(shown.event.calibration().get("cameras", {}).get(name))}
    found = []
    for a, b in combinations(range(len(cameras)), 2):
        both = {cameras[a], cameras[b]} <= calibrated
        points = _of_points(seen.get(cameras[a], {}), seen.get(cameras[b], {}))
        if len(points):
            found.append(Pairs("points", a, b, points))
            continue
        mask_FNN = _between(visible, a, b, data) if both and visible is not None else None
        alike = _of_likeness(latents_VFCHW, picture_VHW, a, b, mask_FNN)
        found.append(Pairs("sight" if mask_FNN is not None else "likeness", a, b, alike))
    return tuple(found)


def agreement(predicted_VFCHW: Tensor, true_VFCHW: Tensor, pairs: tuple[Pairs, ...]) -> Iterator[Agreement]:
    """How far two views' errors at their pairs are apart."""
    error_VFNC = (predicted_VFCHW - true_VFCHW).double().flatten(3).transpose(2, 3)
    for pair in pairs:
        frame, cell_a, cell_b = pair.place_P3.unbind(1)
        e_a, e_b = error_VFNC[pair.first, frame, cell_a], error_VFNC[pair.second, frame, cell_b]
        yield Agreement(
            pair.source,
            len(frame),
            float((e_a - e_b).square().sum()),
            float(e_a.square().sum() + e_b.square().sum()),
        )


def _calibrated(camera: dict[str, Any] | None) -> bool:
    return camera is not None and camera.get("intrinsics") is not None and camera.get("extrinsics") is not None


def _cells_of_tools(
    shown: Shown, sizes: dict[str, tuple[int, int]], data: DataConfig
) -> dict[str, dict[tuple[int, int], int]]:
    """Per calibrated camera, (latent frame, arm) to the cell its tool is seen in; a frame stands where its last is."""
    event, cameras = shown.event, shown.event.calibration().get("cameras", {})
    if event.state_T20 is None or event.state_valid_T is None or event.action_times_ns is None:
        return {}
    rows = np.flatnonzero(event.state_valid_T)
    if not rows.size:
        return {}
    times_ns = shown.times_ns[:: data.codec.time_stride]
    nearest = rows[np.abs(event.action_times_ns[rows][None] - times_ns[:, None]).argmin(axis=1)]
    found: dict[str, dict[tuple[int, int], int]] = {}
    for name, size in sizes.items():
        if not _calibrated(cameras.get(name)):
            continue
        own = found.setdefault(name, {})
        for frame, row in enumerate(nearest):
            for arm, start in enumerate(_ARMS):
                if not event.state_known_20[start]:
                    continue
                shown_at = _frame_at(event.view_times_ns[name], int(times_ns[frame]))
                cell = _cell(cameras[name], event.state_T20[row, start : start + 3], shown_at, size, data)
                if cell is not None and frame:
                    own[frame, arm] = cell
    return found


def _frame_at(times_ns: Ints, t_ns: int) -> int:
    return max(int(np.searchsorted(times_ns, t_ns, side="right")) - 1, 0)


def _cell(camera: dict[str, Any], point_3: Floats, frame: int, size: tuple[int, int], data: DataConfig) -> int | None:
    """The latent cell a point in the world falls in; None outside the picture or behind the camera."""
    poses = np.asarray(camera["extrinsics"], np.float64).reshape(-1, 4, 4)
    world_from_camera = poses[min(frame, len(poses) - 1)]
    local = world_from_camera[:3, :3].T @ (np.asarray(point_3, np.float64) - world_from_camera[:3, 3])
    if local[2] <= 0:
        return None
    lens = None if camera.get("distortion") is None else np.asarray(camera["distortion"], np.float64)
    intrinsics = np.asarray(camera["intrinsics"], np.float64)
    (pixel,), _ = cv2.projectPoints(local.reshape(1, 1, 3), np.zeros(3), np.zeros(3), intrinsics, lens)
    scale = np.array([size[1] / int(camera["width"]), size[0] / int(camera["height"])])
    x, y = (pixel.reshape(2) + 0.5) * scale  # whole numbers are pixel centres
    if not (0 <= x < size[1] and 0 <= y < size[0]):
        return None
    stride = data.codec.space_stride
    return int(y // stride) * (data.width // stride) + int(x // stride)


def _of_points(first: dict[tuple[int, int], int], second: dict[tuple[int, int], int]) -> Tensor:
    places = [(frame, first[frame, arm], second[frame, arm]) for frame, arm in sorted(first.keys() & second.keys())]
    return torch.tensor(places, dtype=torch.int64).reshape(-1, 3)


def _between(visible_FNN: Tensor, a: int, b: int, data: DataConfig) -> Tensor:
    """Which cells of view a may see which of view b [F, n, n], from the mask of tokens."""
    stride = data.codec.space_stride
    rows, columns = data.height // stride, data.width // stride
    grid = torch.arange(rows * columns)
    token = (grid // columns // PATCH) * (columns // PATCH) + grid % columns // PATCH
    per_view = (rows // PATCH) * (columns // PATCH)
    block = visible_FNN[:, a * per_view : (a + 1) * per_view, b * per_view : (b + 1) * per_view]
    return block[:, token][:, :, token]


def _of_likeness(latents_VFCHW: Tensor, picture_VHW: Tensor, a: int, b: int, mask_FNN: Tensor | None) -> Tensor:
    """Cells that are each other's nearest neighbours in the true latents, frame by frame."""
    cells_VFNC = latents_VFCHW.flatten(3).transpose(2, 3)
    shown_VN = picture_VHW.flatten(1)
    places = []
    for frame in range(1, cells_VFNC.shape[1]):
        distance_NN = torch.cdist(cells_VFNC[a, frame].double(), cells_VFNC[b, frame].double())
        hidden_NN = ~(shown_VN[a][:, None] & shown_VN[b][None])
        if mask_FNN is not None:
            hidden_NN = hidden_NN | ~mask_FNN[min(frame, len(mask_FNN) - 1)]
        distance_NN = distance_NN.masked_fill(hidden_NN, float("inf"))
        nearest_a, nearest_b = distance_NN.argmin(dim=1), distance_NN.argmin(dim=0)
        for cell, other in enumerate(nearest_a.tolist()):
            if int(nearest_b[other]) == cell and bool(torch.isfinite(distance_NN[cell, other])):
                places.append((frame, cell, other))
    return torch.tensor(places, dtype=torch.int64).reshape(-1, 3)
