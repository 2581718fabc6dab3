"""A folder of video files without actions, as one gets from the internet or a head-mounted camera."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.synthetic.mp4 import write_mp4
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize


def write_video(folder: Path, name: str, pictures: Iterable[Picture], size: PictureSize, fps: int) -> int:
    """Write ``folder/name``; returns the number of frames. Raises ValueError for a name without ``.mp4``."""
    if not name.endswith(".mp4"):
        raise ValueError(f"name: found {name!r}, expected one that ends with .mp4")
    return write_mp4(folder / name, pictures, size, fps)
