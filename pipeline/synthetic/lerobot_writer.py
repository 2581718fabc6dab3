"""Writing LeRobot datasets as they lie on disk: codebase versions v2.0, v2.1 and v3.0.

v2.x keeps one parquet and one mp4 per episode and camera and lists episodes as JSON lines; v2.0 has statistics of the
whole dataset, v2.1 of each episode. v3.0 packs many episodes into each parquet and mp4 and lists them in parquet.
Written by hand rather than with the library, because one library version writes one codebase version, and because
bytes must not depend on its release.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.synthetic.lerobot_stats import FeatureStats, json_stats, merged, picture_stats, table_stats
from pipeline.synthetic.mp4 import Mp4Writer
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize
from schemas.array import Floats

CHUNK_SIZE = 1000
_INDEX_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")


class Codebase(StrEnum):
    """The versions of the format on disk."""

    V20 = "v2.0"
    V21 = "v2.1"
    V30 = "v3.0"


@dataclass(frozen=True)
class DatasetSpec:
    """What all episodes of a dataset share."""

    codebase: Codebase
    robot_type: str
    fps: int
    names: Mapping[str, tuple[str, ...]]
    """Numeric features and the names of their elements; a feature with one element is a scalar column."""
    cameras: Mapping[str, PictureSize]
    episodes_per_file: int = 4
    """v3.0 only; the real writer starts a new file by size."""


@dataclass(frozen=True, eq=False)
class RecordedEpisode:
    """One episode to write: its task, feature values [T, D], and how to get each camera's T pictures."""

    task: str
    features: Mapping[str, Floats]
    pictures: Mapping[str, Callable[[], Iterator[Picture]]]

    @property
    def n_frames(self) -> int:
        return len(next(iter(self.features.values())))


@dataclass(frozen=True, eq=False)
class _Written:
    """What the metadata needs to know of an episode that is on disk."""

    index: int
    task: str
    length: int
    first_row: int
    stats: dict[str, FeatureStats]
    file_index: int
    video_start_frame: int


def write_dataset(root: Path, spec: DatasetSpec, episodes: Iterable[RecordedEpisode]) -> None:
    """Write a whole dataset below ``root``. Episodes are taken one at a time; none is kept."""
    tasks: dict[str, int] = {}
    if spec.codebase is Codebase.V30:
        written = _write_packed(root, spec, episodes, tasks)
    else:
        written = _write_single(root, spec, episodes, tasks)
    (root / "meta").mkdir(parents=True, exist_ok=True)
    _write_json(root / "meta" / "info.json", _info(spec, written, len(tasks)))
    if spec.codebase is Codebase.V30:
        _write_v30_listing(root, spec, written, tasks)
    else:
        _write_v2_listing(root, spec, written, tasks)


# -- recordings ------------------------------------------------------------------------------------------------


def _write_single(
    root: Path, spec: DatasetSpec, episodes: Iterable[RecordedEpisode], tasks: dict[str, int]
) -> list[_Written]:
    written: list[_Written] = []
    row = 0
    for index, episode in enumerate(episodes):
        chunk = f"chunk-{index // CHUNK_SIZE:03d}"
        table = _table(spec, episode, index, row, tasks)
        _write_parquet(root / "data" / chunk / f"episode_{index:06d}.parquet", table)
        stats = table_stats(table)
        for camera, size in spec.cameras.items():
            writer = Mp4Writer(root / "videos" / chunk / camera / f"episode_{index:06d}.mp4", size, spec.fps)
            stats[camera] = picture_stats(writer.add(episode.pictures[camera]()))
            writer.close()
        written.append(_Written(index, episode.task, episode.n_frames, row, stats, 0, 0))
        row += episode.n_frames
    return written


def _write_packed(
    root: Path, spec: DatasetSpec, episodes: Iterable[RecordedEpisode], tasks: dict[str, int]
) -> list[_Written]:
    written: list[_Written] = []
    tables: list[pa.Table] = []
    writers: dict[str, Mp4Writer] = {}
    row = 0

    def close_file(file_index: int) -> None:
        _write_parquet(root / "data" / "chunk-000" / f"file-{file_index:03d}.parquet", pa.concat_tables(tables))
        tables.clear()
        for writer in writers.values():
            writer.close()

    for index, episode in enumerate(episodes):
        file_index = index // spec.episodes_per_file
        if index % spec.episodes_per_file == 0:
            if index:
                close_file(file_index - 1)
            writers = {
                camera: Mp4Writer(root / "videos" / camera / "chunk-000" / f"file-{file_index:03d}.mp4", size, spec.fps)
                for camera, size in spec.cameras.items()
            }
        start = next(iter(writers.values())).n_frames if writers else 0
        table = _table(spec, episode, index, row, tasks)
        stats = table_stats(table)
        for camera, writer in writers.items():
            stats[camera] = picture_stats(writer.add(episode.pictures[camera]()))
        tables.append(table)
        written.append(_Written(index, episode.task, episode.n_frames, row, stats, file_index, start))
        row += episode.n_frames
    close_file(written[-1].file_index)
    return written


def _table(spec: DatasetSpec, episode: RecordedEpisode, index: int, first_row: int, tasks: dict[str, int]) -> pa.Table:
    n = episode.n_frames
    task_index = tasks.setdefault(episode.task, len(tasks))
    columns: dict[str, pa.Array] = {}
    for name, elements in spec.names.items():
        values = np.asarray(episode.features[name], np.float32).reshape(n, len(elements))
        columns[name] = _vector_column(spec.codebase, values)
    columns["timestamp"] = pa.array((np.arange(n) / spec.fps).astype(np.float32))
    columns["frame_index"] = pa.array(np.arange(n, dtype=np.int64))
    columns["episode_index"] = pa.array(np.full(n, index, np.int64))
    columns["index"] = pa.array(np.arange(first_row, first_row + n, dtype=np.int64))
    columns["task_index"] = pa.array(np.full(n, task_index, np.int64))
    table = pa.table(columns)
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": _hf_features(spec)}})})


def _vector_column(codebase: Codebase, values: Floats) -> pa.Array:
    """Scalars as such; vectors as fixed-size lists, in v2.0 as plain lists (both occur in real datasets)."""
    width = values.shape[1]
    flat = pa.array(values.reshape(-1))
    if width == 1:
        return flat
    if codebase is Codebase.V20:
        return pa.ListArray.from_arrays(np.arange(0, values.size + 1, width, dtype=np.int32), flat)
    return pa.FixedSizeListArray.from_arrays(flat, width)


def _hf_features(spec: DatasetSpec) -> dict[str, Any]:
    features: dict[str, Any] = {}
    for name, elements in spec.names.items():
        value = {"dtype": "float32", "_type": "Value"}
        listed = {"feature": value, "length": len(elements), "_type": "Sequence"}
        features[name] = value if len(elements) == 1 else listed
    for name in _INDEX_COLUMNS:
        features[name] = {"dtype": "float32" if name == "timestamp" else "int64", "_type": "Value"}
    return features


# -- metadata --------------------------------------------------------------------------------------------------


def _info(spec: DatasetSpec, written: list[_Written], n_tasks: int) -> dict[str, Any]:
    packed = spec.codebase is Codebase.V30
    info: dict[str, Any] = {
        "codebase_version": spec.codebase.value,
        "robot_type": spec.robot_type,
        "total_episodes": len(written),
        "total_frames": sum(episode.length for episode in written),
        "total_tasks": n_tasks,
    }
    if packed:
        info |= {"chunks_size": CHUNK_SIZE, "data_files_size_in_mb": 100, "video_files_size_in_mb": 200}
        data = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
        video = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    else:
        info |= {
            "total_videos": len(written) * len(spec.cameras),
            "total_chunks": -(-len(written) // CHUNK_SIZE),
            "chunks_size": CHUNK_SIZE,
        }
        data = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        video = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    info |= {"fps": spec.fps, "splits": {"train": f"0:{len(written)}"}, "data_path": data, "video_path": video}
    return info | {"features": _features(spec)}


def _features(spec: DatasetSpec) -> dict[str, Any]:
    features: dict[str, Any] = {
        name: {"dtype": "float32", "shape": [len(elements)], "names": list(elements) if len(elements) > 1 else None}
        for name, elements in spec.names.items()
    }
    for camera, size in spec.cameras.items():
        video = {
            "video.height": size.height, "video.width": size.width, "video.codec": "h264", "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False, "video.fps": spec.fps, "video.channels": 3, "has_audio": False,
        }  # fmt: skip
        features[camera] = {
            "dtype": "video",
            "shape": [size.height, size.width, 3],
            "names": ["height", "width", "channels"],
            "video_info" if spec.codebase is Codebase.V20 else "info": video,
        }
    for name in _INDEX_COLUMNS:
        dtype = "float32" if name == "timestamp" else "int64"
        features[name] = {"dtype": dtype, "shape": [1], "names": None}
    return features


def _write_v2_listing(root: Path, spec: DatasetSpec, written: list[_Written], tasks: dict[str, int]) -> None:
    meta = root / "meta"
    _write_lines(meta / "tasks.jsonl", [{"task_index": index, "task": task} for task, index in tasks.items()])
    listing = [{"episode_index": e.index, "tasks": [e.task], "length": e.length} for e in written]
    _write_lines(meta / "episodes.jsonl", listing)
    if spec.codebase is Codebase.V20:
        _write_json(meta / "stats.json", json_stats(merged([e.stats for e in written]), with_count=False))
    else:
        per_episode = [{"episode_index": e.index, "stats": json_stats(e.stats)} for e in written]
        _write_lines(meta / "episodes_stats.jsonl", per_episode)


def _write_v30_listing(root: Path, spec: DatasetSpec, written: list[_Written], tasks: dict[str, int]) -> None:
    meta = root / "meta"
    _write_json(meta / "stats.json", json_stats(merged([e.stats for e in written])))
    rows = [_v30_row(spec, episode) for episode in written]
    _write_parquet(meta / "episodes" / "chunk-000" / "file-000.parquet", pa.Table.from_pylist(rows))
    _write_parquet(meta / "tasks.parquet", _tasks_table(tasks))


def _v30_row(spec: DatasetSpec, episode: _Written) -> dict[str, Any]:
    row: dict[str, Any] = {
        "episode_index": episode.index,
        "tasks": [episode.task],
        "length": episode.length,
        "data/chunk_index": 0,
        "data/file_index": episode.file_index,
        "dataset_from_index": episode.first_row,
        "dataset_to_index": episode.first_row + episode.length,
    }
    for camera in spec.cameras:
        row |= {
            f"videos/{camera}/chunk_index": 0,
            f"videos/{camera}/file_index": episode.file_index,
            f"videos/{camera}/from_timestamp": episode.video_start_frame / spec.fps,
            f"videos/{camera}/to_timestamp": (episode.video_start_frame + episode.length) / spec.fps,
        }
    for feature, stats in json_stats(episode.stats).items():
        row |= {f"stats/{feature}/{name}": value for name, value in stats.items()}
    return row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


def _tasks_table(tasks: dict[str, int]) -> pa.Table:
    """Task texts are the index of a pandas frame, which is why their column has pandas' name for a nameless index."""
    index = "__index_level_0__"
    table = pa.table({"task_index": pa.array(list(tasks.values()), pa.int64()), index: list(tasks)})

    def column(name: str | None, field: str, kind: str, dtype: str) -> dict[str, Any]:
        return {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": dtype, "metadata": None}

    names = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    pandas = {
        "index_columns": [index],
        "column_indexes": [names | {"metadata": {"encoding": "UTF-8"}}],
        "columns": [column("task_index", "task_index", "int64", "int64"), column(None, index, "unicode", "object")],
        "pandas_version": "2.2.3",
    }
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def _write_parquet(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="snappy")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=4, allow_nan=False) + "\n", encoding="utf-8")


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows), encoding="utf-8")
