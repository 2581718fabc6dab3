"""Small LeRobot datasets for tests, written the way the format's own tools write them, and then bent."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.lerobot import lerobot
from schemas.finding import Finding
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef
from schemas.source_card import SourceCard
from tests.pipeline.films import drifting, film

FPS = 20
CAMERA = "observation.images.front"


def spec_for(root: Path, **more: Any) -> LeRobotSource:
    return LeRobotSource(format="lerobot", name="made", path=str(root), card=SourceCard(licence="CC0-1.0"), **more)


def discovered(spec: LeRobotSource) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(lerobot.discover(spec, SourceFiles(spec.path), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def columns(index: int, n_rows: int) -> dict[str, Any]:
    """The columns every LeRobot table has, and a two-joint arm that moves evenly."""
    return {
        "observation.state": pa.array([[0.1 * i, 1.0 + index] for i in range(n_rows)], pa.list_(pa.float32())),
        "action": pa.array([[0.1 * i + 0.1, 1.0 + index] for i in range(n_rows)], pa.list_(pa.float32())),
        "timestamp": pa.array([i / FPS for i in range(n_rows)], pa.float32()),
        "frame_index": pa.array(range(n_rows), pa.int64()),
        "episode_index": pa.array([index] * n_rows, pa.int64()),
        "task_index": pa.array([index % 2] * n_rows, pa.int64()),
    }


def _features(names: object, cameras: tuple[str, ...], extra: dict[str, Any]) -> dict[str, Any]:
    vector = {"dtype": "float32", "shape": [2], "names": names}
    video = {"dtype": "video", "shape": [96, 128, 3], "names": ["height", "width", "channel"]}
    scalar = {"dtype": "int64", "shape": [1], "names": None}
    plain = dict.fromkeys(("timestamp", "frame_index", "episode_index", "task_index"), scalar)
    return {"observation.state": vector, "action": vector, **dict.fromkeys(cameras, video), **plain, **extra}


def write_v2(
    root: Path,
    lengths: list[int],
    *,
    names: object = (("a", "b"),),
    cameras: tuple[str, ...] = (CAMERA,),
    extra: dict[str, Any] | None = None,
    extra_features: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    tasks_as: type = list,
) -> None:
    """A v2.1 dataset: one parquet and one mp4 per episode. ``extra`` adds columns made by ``f(index, n_rows)``."""
    episodes = []
    for index, n_rows in enumerate(lengths):
        table = {**columns(index, n_rows), **{key: make(index, n_rows) for key, make in (extra or {}).items()}}
        _write(root / f"data/chunk-000/episode_{index:06d}.parquet", pa.table(table))
        for key in cameras:
            path = root / f"videos/chunk-000/{key}/episode_{index:06d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(film(drifting(n_rows), rate=FPS))
        text = f"task {index % 2}"
        tasks = [text] if tasks_as is list else {"main": text}
        episodes.append({"episode_index": index, "tasks": tasks, "length": n_rows})
    stated = {
        "codebase_version": "v2.1",
        "robot_type": "two_joints",
        "total_episodes": len(lengths),
        "total_frames": sum(lengths),
        "chunks_size": 1000,
        "fps": FPS,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "features": _features(names, cameras, extra_features or {}),
        **(info or {}),
    }
    meta = root / "meta"
    meta.mkdir(parents=True, exist_ok=True)
    (meta / "info.json").write_text(json.dumps(stated))
    (meta / "episodes.jsonl").write_text("".join(json.dumps(episode) + "\n" for episode in episodes))
    tasks_table = [{"task_index": i, "task": f"task {i}"} for i in range(2)]
    (meta / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks_table))


def write_v3(root: Path, lengths: list[int], *, windows: bool = True, info: dict[str, Any] | None = None) -> None:
    """A v3.0 dataset: all episodes in one parquet and one mp4, tasks in a parquet with a pandas index."""
    tables = [pa.table(columns(index, n_rows)) for index, n_rows in enumerate(lengths)]
    _write(root / "data/chunk-000/file-000.parquet", pa.concat_tables(tables))
    path = root / f"videos/{CAMERA}/chunk-000/file-000.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(film(drifting(sum(lengths)), rate=FPS, options={"g": "10", "bf": "2"}))
    rows, start = [], 0.0
    for index, n_rows in enumerate(lengths):
        row = {
            "episode_index": index,
            "tasks": [f"task {index % 2}"],
            "length": n_rows,
            "stats/action/mean": [0.0, 0.0],
        }
        row |= {"data/chunk_index": 0, "data/file_index": 0}
        row |= {f"videos/{CAMERA}/chunk_index": 0, f"videos/{CAMERA}/file_index": 0}
        if windows:
            end = start + n_rows / FPS
            row |= {f"videos/{CAMERA}/from_timestamp": start, f"videos/{CAMERA}/to_timestamp": end}
            start = end
        rows.append(row)
    _write(root / "meta/episodes/chunk-000/file-000.parquet", pa.Table.from_pylist(rows))
    tasks = pa.table({"task_index": [0, 1], "__index_level_0__": ["task 0", "task 1"]})
    _write(root / "meta/tasks.parquet", tasks)
    stated = {
        "codebase_version": "v3.0",
        "robot_type": "two_joints",
        "total_episodes": len(lengths),
        "fps": FPS,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": _features({"motors": ["a", "b"]}, (CAMERA,), {}),
        **(info or {}),
    }
    (root / "meta/info.json").write_text(json.dumps(stated))


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
