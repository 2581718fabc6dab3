"""The `tiny` configuration's stand-in for the video VAE: fixed arithmetic, no weights.

Stride (4, 8, 8), four channels, causal as Wan's: 1 + 4N frames become 1 + N latents, the first from one frame
alone. A latent cell holds the mean red, green and blue of its 4 × 8 × 8 pixels and how much brighter its last two
frames are than its first two. It keeps what moves and where, which is what a world model of a minute's training
can learn, and decodes well enough to look at. A cell of one colour that brightens linearly comes back exactly.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TIME_STRIDE = 4
SPACE_STRIDE = 8
CHANNELS = 4

LUMA = (0.299, 0.587, 0.114)
COLOUR_MEAN, COLOUR_STD = 0.5, 0.25
DRIFT_STD = 0.05
"""Fixed, like the per-channel mean and standard deviation of Wan's VAE: latents of roughly unit variance."""


def latent_frames(frames: int, time_stride: int = TIME_STRIDE) -> int:
    """1 + N for 1 + 4N frames; raises ValueError for any other number."""
    if frames < 1 or (frames - 1) % time_stride:
        raise ValueError(
            f"found {frames} frames, expected 1 + {time_stride}N: choose them with "
            "`pipeline.loader.frames.even_indices`"
        )
    return 1 + (frames - 1) // time_stride


def encode(pixels_THW3: NDArray[np.uint8]) -> Tensor:
    """RGB uint8 [1 + 4N, H, W, 3], H and W multiples of 8, to float32 [1 + N, 4, H/8, W/8]."""
    frames, height, width, _ = pixels_THW3.shape
    latent_frames(frames)
    rows, columns = height // SPACE_STRIDE, width // SPACE_STRIDE
    if (rows * SPACE_STRIDE, columns * SPACE_STRIDE) != (height, width):
        raise ValueError(f"found pictures of {height}×{width}, expected multiples of {SPACE_STRIDE}")
    cells = torch.from_numpy(pixels_THW3).float() / 255.0
    cells = cells.reshape(frames, rows, SPACE_STRIDE, columns, SPACE_STRIDE, 3).mean(dim=(2, 4))
    # The first frame counts as a block in which nothing changes.
    blocks = torch.cat([cells[:1].expand(TIME_STRIDE, -1, -1, -1), cells[1:]])
    blocks = blocks.reshape(-1, TIME_STRIDE, rows, columns, 3)
    luma = blocks @ torch.tensor(LUMA)
    drift = luma[:, 2:].mean(dim=1) - luma[:, :2].mean(dim=1)
    colour = (blocks.mean(dim=1) - COLOUR_MEAN) / COLOUR_STD
    return torch.cat([colour, drift[..., None] / DRIFT_STD], dim=-1).permute(0, 3, 1, 2).contiguous()


def decode(latents_FCHW: Tensor) -> NDArray[np.uint8]:
    """Float [1 + N, 4, H/8, W/8] to RGB uint8 [1 + 4N, H, W, 3], for previews."""
    colour = latents_FCHW[:, :3].permute(0, 2, 3, 1) * COLOUR_STD + COLOUR_MEAN
    drift = latents_FCHW[:, 3, :, :, None] * DRIFT_STD
    # A linear ramp with this drift between its halves, about the mean of its four frames.
    places = (torch.arange(TIME_STRIDE) - (TIME_STRIDE - 1) / 2) / 2
    blocks = colour[:, None] + places[:, None, None, None] * drift[:, None]
    frames = torch.cat([colour[:1], blocks[1:].flatten(0, 1)])
    pixels = frames.repeat_interleave(SPACE_STRIDE, dim=1).repeat_interleave(SPACE_STRIDE, dim=2)
    out: NDArray[np.uint8] = (pixels * 255.0).round().clamp(0, 255).to(torch.uint8).numpy()
    return out
