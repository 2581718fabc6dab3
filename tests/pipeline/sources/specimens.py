"""One small whole source per format, for tests that go over all of them: fuzzing, round trips, recipes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.pipeline.films import drifting, film
from tests.pipeline.sources import datasets
from tests.pipeline.sources.written import agibot, droid_raw, fastumi, rlds, self_collected, stills

CARD = {"licence": "CC0-1.0"}

Writer = Callable[[Path, Path], dict[str, Any]]
"""Writes a source below the first path with recordings of the second; returns its recipe section without the path."""


def _lerobot_v2(root: Path, _real: Path) -> dict[str, Any]:
    datasets.write_v2(root, [6])
    return {"format": "lerobot"}


def _lerobot_v3(root: Path, _real: Path) -> dict[str, Any]:
    datasets.write_v3(root, [6, 7])
    return {"format": "lerobot"}


def _lerobot_stills(root: Path, _real: Path) -> dict[str, Any]:
    stills.write_stills(root, [6])
    return {"format": "lerobot"}


def _rlds(root: Path, real: Path) -> dict[str, Any]:
    records, features = rlds.bridge_records(real)[:2], rlds.bridge_features(real)
    rlds.write_files(root, {"train": [records]}, features)
    return {"format": "rlds", "fps": 5}


def _video_folder(root: Path, _real: Path) -> dict[str, Any]:
    for name in ("a.mp4", "b.mkv", "c.webm"):
        container = "matroska" if name.endswith(("mkv", "webm")) else "mp4"
        (root / name).write_bytes(film(drifting(12), container=container))
    return {"format": "video_folder"}


def _self_collected(root: Path, real: Path) -> dict[str, Any]:
    self_collected.write(root / "0001", real, n_frames=12)
    return {"format": "self_collected"}


def _agibot(root: Path, real: Path) -> dict[str, Any]:
    agibot.write(root, agibot.recording(real, n_rows=10))
    return {"format": "agibot"}


def _droid_raw(root: Path, real: Path) -> dict[str, Any]:
    droid_raw.write_episode(root / "episode", droid_raw.recording(real, n_rows=10))
    droid_raw.write_sentences(root)
    return {"format": "droid_raw"}


def _fastumi(root: Path, real: Path) -> dict[str, Any]:
    rec = fastumi.recording(real, n_rows=10)
    fastumi.write_episode(root / "pick_up_can/episode_0.hdf5", rec)
    fastumi.write_episode(root / "pick_up_can/episode_1.hdf5", rec, with_gripper=True)
    fastumi.write_times(root / "pick_up_can", rec)
    return {"format": "fastumi"}


SPECIMENS: dict[str, Writer] = {
    "agibot": _agibot,
    "droid_raw": _droid_raw,
    "fastumi": _fastumi,
    "lerobot_v2": _lerobot_v2,
    "lerobot_stills": _lerobot_stills,
    "lerobot_v3": _lerobot_v3,
    "rlds": _rlds,
    "self_collected": _self_collected,
    "video_folder": _video_folder,
}


def section(name: str, root: Path, real: Path) -> dict[str, Any]:
    """Write a specimen and return its whole recipe section."""
    root.mkdir(parents=True, exist_ok=True)
    return {**SPECIMENS[name](root, real), "name": "specimen", "path": str(root), "card": CARD}
