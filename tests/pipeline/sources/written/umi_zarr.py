"""UMI replay buffers as UMI's 07_generate_replay_buffer.py writes them, by the zarr library.

Low-dimensional arrays are float32 in chunks of many rows, packed with Blosc; demo poses are float64 and repeat; the
pictures are JPEG XL, one per chunk; the zip stores and does not pack again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import zarr
from imagecodecs.numcodecs import Jpegxl, register_codecs
from numcodecs import Blosc
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

register_codecs(verbose=False)
CHUNK_ROWS = 32
"""Smaller than an episode, so that chunks and episodes cross."""


@dataclass(frozen=True, eq=False)
class Demo:
    """One gripper's share of one episode."""

    position: NDArray[np.float32]
    rotation_vector: NDArray[np.float32]
    width: NDArray[np.float32]
    pictures: NDArray[np.uint8]
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)
    """More arrays of ``data/`` by name."""

    def rows(self, start: int, stop: int) -> "Demo":
        parts = (self.position, self.rotation_vector, self.width, self.pictures)
        return Demo(*(part[start:stop] for part in parts))


def sim_demo(real: Path, run: str, size: int = 32, n_rows: int = 40) -> Demo:
    """A robosuite run of ``../shared/real/sim`` as if a UMI gripper had recorded it: poses, fingers, pictures."""
    numbers = np.load(real / "sim" / f"{run}.npz")
    with av.open(str(real / "sim" / f"{run}.mp4")) as film:
        frames = [frame for frame, _ in zip(film.decode(video=0), range(n_rows), strict=False)]
        pictures = np.stack([frame.reformat(size, size, "rgb24").to_ndarray() for frame in frames])
    fingers = numbers["gripper_qpos"][:n_rows]
    return Demo(
        numbers["eef_pos"][:n_rows].astype(np.float32),
        Rotation.from_quat(numbers["eef_quat"][:n_rows]).as_rotvec().astype(np.float32),
        (fingers[:, :1] - fingers[:, 1:]).astype(np.float32),
        pictures,
    )


def umi_pictures(real: Path, size: int = 224) -> NDArray[np.uint8]:
    """The real fisheye clip at the size that UMI keeps."""
    with av.open(str(real / "umi/mouse_arrangement/videos/umi.mp4")) as film:
        return np.stack([frame.reformat(size, size, "rgb24").to_ndarray() for frame in film.decode(video=0)])


def write_buffer(
    path: Path,
    episodes: Sequence[Sequence[Demo]],
    *,
    zarr_format: int = 2,
    compressor: Any = None,
    picture_chunk: int = 1,
    pictures_codec: Any = None,
) -> None:
    """``episodes[e][k]`` is gripper k in episode e. A path ending in ``.zip`` becomes a zip, another one a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    store = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else zarr.storage.LocalStore(path)
    root = zarr.create_group(store, zarr_format=zarr_format)  # type: ignore[arg-type]
    meta, data = root.create_group("meta"), root.create_group("data")
    lengths = [len(grippers[0].position) for grippers in episodes]
    packed = compressor if compressor is not None else Blosc(cname="lz4", clevel=5, shuffle=Blosc.SHUFFLE)

    def put(group: Any, name: str, values: NDArray[Any], chunk: int, codec: Any) -> None:
        chunks = (chunk, *values.shape[1:])
        more = {"compressors": [codec] if codec is not None else None} if zarr_format == 3 else {"compressors": codec}
        array = group.create_array(name, shape=values.shape, chunks=chunks, dtype=values.dtype, **more)
        array[...] = values

    put(meta, "episode_ends", np.cumsum(lengths).astype(np.int64), 1000, None)
    for k in range(len(episodes[0])):
        demos = [grippers[k] for grippers in episodes]
        joined = {
            "eef_pos": np.concatenate([demo.position for demo in demos]),
            "eef_rot_axis_angle": np.concatenate([demo.rotation_vector for demo in demos]),
            "gripper_width": np.concatenate([demo.width for demo in demos]),
            "demo_start_pose": np.concatenate([_repeated(demo, 0) for demo in demos]),
            "demo_end_pose": np.concatenate([_repeated(demo, -1) for demo in demos]),
        }
        for name, values in joined.items():
            put(data, f"robot{k}_{name}", values, CHUNK_ROWS, packed)
        pictures = np.concatenate([demo.pictures for demo in demos])
        codec = pictures_codec or Jpegxl(level=99, numthreads=1)
        put(data, f"camera{k}_rgb", pictures, picture_chunk, codec)
        for name in demos[0].extra:
            put(data, name, np.concatenate([demo.extra[name] for demo in demos]), CHUNK_ROWS, packed)
    store.close()


def _repeated(demo: Demo, row: int) -> NDArray[np.float64]:
    pose = np.concatenate([demo.position[row], demo.rotation_vector[row]]).astype(np.float64)
    return np.repeat(pose[None], len(demo.position), axis=0)
