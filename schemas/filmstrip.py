"""The filmstrip: everything later stages need to know about a view without decoding it again.

Ingest decodes each video once and keeps per-frame signals and a few thumbnails per second. Sync, cleaning,
boundary search, contact sheets, embeddings and reports read these; pixels are touched again only when a
shard's clip is cut (architecture.md, "One decode").
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Annotated

from schemas.array import ArraySpec, Floats, Ints

FLOW_GRID = 8
"""Flow is kept on a FLOW_GRID × FLOW_GRID grid."""
DESCRIPTOR_SIZE = 48
"""Appearance: mean RGB of a 4×4 grid."""


class FrameFlag(IntFlag):
    """Bits of `Filmstrip.flags`."""

    DUPLICATE = 1
    """Pixel-identical (after down-scaling) to the frame before."""
    BLACK = 2
    """Nearly all of it is: grey mean plus two deviations is below ``black_luma``."""
    FROZEN = 4
    """Part of a run of duplicates of at least half a second."""
    HARD_CUT = 8
    """The first frame of a new shot: it differs by ``hard_cut_difference``, its neighbours by less than half."""


@dataclass(frozen=True, eq=False)
class Filmstrip:
    """Per-frame signals of one view; row i belongs to frame i of the camera."""

    episode_id: str
    camera: str
    luma: Annotated[Floats, ArraySpec("float32", "N")]
    """Mean grey value, 0 … 255."""
    sharpness: Annotated[Floats, ArraySpec("float32", "N")]
    """Variance of the Laplacian at the signal resolution."""
    difference: Annotated[Floats, ArraySpec("float32", "N")]
    """Mean absolute grey difference to the frame before, 0 … 255; 0 for the first frame."""
    flow: Annotated[Floats, ArraySpec("float32", "N", FLOW_GRID, FLOW_GRID, 2)]
    """Mean optical flow per cell since the frame before, (x right, y down), in fractions of the image width."""
    descriptor: Annotated[Ints, ArraySpec("uint8", "N", DESCRIPTOR_SIZE)]
    flags: Annotated[Ints, ArraySpec("uint8", "N")]


@dataclass(frozen=True)
class Thumbnail:
    """One sampled picture of a view."""

    episode_id: str
    camera: str
    frame: int
    t_ns: int
    jpeg: bytes
