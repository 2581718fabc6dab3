"""LeRobot datasets recorded without video: pictures inside the table, as Hugging Face's ``Image`` writes them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from tests.pipeline.sources.datasets import write_v2

KEY = "observation.images.wrist"
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})
FEATURE: dict[str, Any] = {KEY: {"dtype": "image", "shape": [48, 64, 3], "names": ["height", "width", "channel"]}}


def pixels(index: int, row: int) -> NDArray[np.uint8]:
    """A picture that says whose it is."""
    found = np.full((48, 64, 3), 40 + 10 * index, np.uint8)
    found[:, : 4 + row] = 200
    return found


def png(index: int, row: int) -> bytes:
    """The same as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels(index, row)).save(buffer, "PNG")
    return buffer.getvalue()


def column(index: int, n_rows: int) -> pa.Array:
    """One episode's pictures."""
    rows = [{"bytes": png(index, row), "path": f"frame_{row:06d}.png"} for row in range(n_rows)]
    return pa.array(rows, STRUCT)


def write_stills(root: Path, lengths: list[int], make: Any = column, cameras: tuple[str, ...] = ()) -> None:
    """A v2.1 dataset with one view of pictures and any number of films."""
    write_v2(root, lengths, cameras=cameras, extra={KEY: make}, extra_features=FEATURE)
