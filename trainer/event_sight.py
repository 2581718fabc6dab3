"""The sight masks of one event: its cameras' calibration, applied to the tokens its pictures become."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.sample import EventSample
from schemas.array import Floats, Ints
from trainer.batch import PATCH
from trainer.codec import CodecConfig
from trainer.sight import Cones, SightConfig, patch_cones, visible


@dataclass(frozen=True)
class Canvas:
    """What a view is fitted into, in pixels, and the side of a token on it."""

    height: int
    width: int
    token: int

    @property
    def n_patches(self) -> int:
        return (self.height // self.token) * (self.width // self.token)


def canvas_of(height: int, width: int, codec: CodecConfig) -> Canvas:
    """A canvas of this size under a codec."""
    return Canvas(height, width, PATCH * codec.space_stride)


def sight_masks(
    event: EventSample,
    cameras: Mapping[str, tuple[int, int]],
    instants_ns: Ints,
    canvas: Canvas,
    config: SightConfig,
) -> Tensor | None:
    """bool [F, n, n] for the n tokens of a latent frame, ordered (view, row, column); F = 1 where nothing moves.

    ``cameras`` gives each view used the size (height, width) of its picture on the ``canvas``. None where masks say
    nothing: one view, no calibrated pair, or ``config.test`` "none". ``instants_ns`` has one instant per latent frame,
    which stands where its last picture does.
    """
    calibrated = event.calibration().get("cameras", {})
    known = [name for name in cameras if _is_known(calibrated.get(name))]
    if config.test == "none" or len(known) < 2:
        return None
    moves = any(
        np.ndim(calibrated[name]["extrinsics"]) == 3 and len(calibrated[name]["extrinsics"]) > 1 for name in known
    )
    masks = []
    for t_ns in instants_ns if moves else instants_ns[:1]:
        cones = [
            _cones(calibrated[name], event.view_times_ns[name], int(t_ns), size, canvas, config)
            if name in known
            else None
            for name, size in cameras.items()
        ]
        masks.append(visible(cones, canvas.n_patches, config))
    return torch.stack(masks)


def _is_known(camera: dict[str, object] | None) -> bool:
    return camera is not None and camera.get("intrinsics") is not None and camera.get("extrinsics") is not None


def _cones(  # noqa: PLR0917 - a camera, when, and its picture on the canvas
    camera: dict[str, object],
    shown_ns: Ints,
    t_ns: int,
    size: tuple[int, int],
    canvas: Canvas,
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


def token_corners(canvas: Canvas) -> Floats:
    """Corners (x, y) of every token on the canvas, float64 [N, 4, 2], rows first."""
    sides = (np.arange(0, side, canvas.token) for side in (canvas.height, canvas.width))
    rows, columns = np.meshgrid(*sides, indexing="ij")
    first = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    offsets: Floats = first + canvas.token * np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    return offsets
