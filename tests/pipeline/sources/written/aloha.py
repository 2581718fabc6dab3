"""ALOHA episodes as ACT's `record_sim_episodes.py` and Mobile ALOHA's `record_episodes.py` write them.

Re-packed from robosuite runs of ``../shared/real/sim``: six of the Panda's joints and its gripper are the right arm, a
shifted copy is the left one, and the command is the state of the next row, because a leader arm leads.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

OPEN_M = 0.04
"""Travel of one of the Panda's fingers."""
RUN = "robosuite_pickplacecan_seed0_normal"
LONG_RUN = "robosuite_pickplacecan_seed1_recover"


def sim_pictures(real: Path, run: str, n_rows: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The first pictures of a run, RGB [T, H, W, 3]."""
    height, width = size
    with av.open(str(real / "sim" / f"{run}.mp4")) as film:
        frames = [frame for frame, _ in zip(film.decode(video=0), range(n_rows), strict=False)]
    return np.stack([frame.reformat(width, height, "rgb24").to_ndarray() for frame in frames])


def sim_joints(real: Path, run: str, n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``qpos`` and ``action`` [T, 14] of two arms that do what one did, half a second apart."""
    with np.load(real / "sim" / f"{run}.npz") as numbers:
        opening = np.clip(np.abs(numbers["gripper_qpos"]).mean(axis=1) / OPEN_M, 0, 1)
        arm = np.concatenate([numbers["joint_pos"][:, :6], opening[:, None]], axis=1)
    late = np.concatenate([np.repeat(arm[:1], 10, axis=0), arm[:-10]])
    both = np.concatenate([late, arm], axis=1)
    return both[:n_rows], both[1 : n_rows + 1]


def write_act(
    path: Path,
    qpos: NDArray[Any],
    action: NDArray[Any],
    images: Mapping[str, NDArray[np.uint8]],
    *,
    sim: bool = False,
    base_action: NDArray[Any] | None = None,
    compress: bool = False,
) -> None:
    """One ``episode_N.hdf5`` of ACT; with ``compress`` and ``base_action``, of Mobile ALOHA.

    Tables are float32, because that is what h5py makes where the recorders do not say it.
    """
    n_rows = len(qpos)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", rdcc_nbytes=1024**2 * 2) as root:
        root.attrs["sim"] = sim
        if compress:
            root.attrs["compress"] = True
        obs = root.create_group("observations")
        image = obs.create_group("images")
        lengths = np.zeros((len(images), n_rows))
        for number, (name, pictures) in enumerate(images.items()):
            if compress:
                padded, lengths[number] = padded_jpegs(pictures)
                image.create_dataset(name, padded.shape, dtype="uint8", chunks=(1, padded.shape[1]))[...] = padded
            else:
                shape = pictures.shape
                image.create_dataset(name, shape, dtype="uint8", chunks=(1, *shape[1:]))[...] = pictures
        for name, values in (("qpos", qpos), ("qvel", np.gradient(qpos, axis=0)), ("effort", np.zeros_like(qpos))):
            if sim and name == "effort":
                continue
            obs.create_dataset(name, values.shape, "f4")[...] = values
        root.create_dataset("action", action.shape, "f4")[...] = action
        if base_action is not None:
            root.create_dataset("base_action", base_action.shape, "f4")[...] = base_action
        if compress:
            root.create_dataset("compress_len", lengths.shape, "f4")[...] = lengths


def padded_jpegs(pictures: NDArray[np.uint8], *, colours: str = "bgr") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Rows [T, L] of JPEG files and their lengths. ``bgr``: as the recorders do, which hand RGB pixels to OpenCV."""
    files = jpegs(pictures, colours=colours)
    lengths = np.array([len(file) for file in files])
    padded = np.zeros((len(files), lengths.max()), np.uint8)
    for row, file in zip(padded, files, strict=True):
        row[: len(file)] = file
    return padded, lengths


def jpegs(pictures: NDArray[np.uint8], *, colours: str = "bgr") -> list[NDArray[np.uint8]]:
    swapped = pictures if colours == "bgr" else pictures[..., ::-1]
    return [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 50])[1].reshape(-1) for picture in swapped]


def write_agilex(path: Path, qpos: NDArray[Any], action: NDArray[Any], images: Mapping[str, Any]) -> None:
    """AgileX's `collect_data.py`, with pictures as RoboTwin's `pkl2hdf5.py` keeps them: one text of bytes per row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", rdcc_nbytes=1024**2 * 2) as root:
        root.attrs["sim"] = False
        root.attrs["compress"] = False
        for name, pictures in images.items():
            files = [file.tobytes() for file in jpegs(pictures)]
            longest = max(map(len, files))
            padded = [file.ljust(longest, b"\0") for file in files]
            root.create_dataset(f"observations/images/{name}", data=padded, dtype=f"S{longest}")
            depth = np.zeros((len(qpos), 4, 4), np.uint16)
            root.create_dataset(f"observations/images_depth/{name}", data=depth, chunks=(1, 4, 4))
        for name, values in (("qpos", qpos), ("qvel", np.zeros_like(qpos)), ("effort", np.zeros_like(qpos))):
            root[f"observations/{name}"] = values
        root["action"] = action
        root["base_action"] = np.zeros((len(qpos), 2))
