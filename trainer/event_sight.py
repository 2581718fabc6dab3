"""The sight masks of one event: its cameras' calibration, applied to the tokens its pictures become."""

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.sample import EventSample
from schemas.array import Floats, Ints
from trainer import latents
from trainer.batch import PATCH
from trainer.sight import Cones, SightConfig, patch_cones, visible

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""
TOKEN_PIXELS = PATCH * latents.SPACE_STRIDE
"""Side of a token on the canvas."""


def sight_masks(
    event: EventSample,
    cameras: dict[str, tuple[int, int]],
    times_ns: Ints,
    canvas: tuple[int, int],
    config: SightConfig,
) -> Tensor | None:
    """bool [F, n, n] for the n tokens of a latent frame, ordered (view, row, column); F = 1 where nothing moves.

    ``cameras`` gives each view used the size of its picture on the ``canvas``. None where masks say
    nothing: one view, no calibrated pair, or ``config.test`` "none". A latent frame stands where its last picture does.
    """
    calibrated = event.calibration().get("cameras", {})
    known = [name for name in cameras if _is_known(calibrated.get(name))]
    if config.test == "none" or len(known) < 2:
        return None
    instants = times_ns[:: latents.TIME_STRIDE]
    moves = any(
        np.ndim(calibrated[name]["extrinsics"]) == 3 and len(calibrated[name]["extrinsics"]) > 1 for name in known
    )
    n_patches = (canvas[0] // TOKEN_PIXELS) * (canvas[1] // TOKEN_PIXELS)
    masks = []
    for t_ns in instants if moves else instants[:1]:
        cones = [
            _cones(calibrated[name], event.view_times_ns[name], int(t_ns), size, canvas, config)
            if name in known
            else None
            for name, size in cameras.items()
        ]
        masks.append(visible(cones, n_patches, config))
    return torch.stack(masks)


def _is_known(camera: dict[str, object] | None) -> bool:
    return camera is not None and camera.get("intrinsics") is not None and camera.get("extrinsics") is not None


def _cones(  # noqa: PLR0917 - a camera, when, and its picture on the canvas
    camera: dict[str, object],
    shown_ns: Ints,
    t_ns: int,
    size: tuple[int, int],
    canvas: tuple[int, int],
    config: SightConfig,
) -> Cones:
    poses = np.asarray(camera["extrinsics"], np.float64).reshape(-1, 4, 4)
    frame = int(np.clip(np.searchsorted(shown_ns, t_ns, side="right") - 1, 0, len(poses) - 1))
    distortion = camera.get("distortion")
    scale = np.array([size[1] / int(str(camera["width"])), size[0] / int(str(camera["height"]))])
    return patch_cones(
        token_corners(canvas) / scale - 0.5,  # whole numbers are pixel centres
        np.asarray(camera["intrinsics"], np.float64),
        None if distortion is None else np.asarray(distortion, np.float64),
        poses[min(frame, len(poses) - 1)],
        config.scale,
    )


def token_corners(canvas: Size) -> Floats:
    """Corners (x, y) of every token on the canvas, float64 [N, 4, 2], rows first."""
    rows, columns = np.meshgrid(*(np.arange(0, side, TOKEN_PIXELS) for side in canvas), indexing="ij")
    first = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    offsets: Floats = first + TOKEN_PIXELS * np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    return offsets
