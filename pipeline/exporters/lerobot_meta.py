"""What stands beside the frames of a LeRobot v3.0 dataset: info, tasks, the list of episodes, where each came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.exporters.clip_files import FILES_PER_CHUNK, MAX_BYTES, ClipPlace
from pipeline.exporters.kinds import Kind
from pipeline.exporters.lerobot_rows import PICTURES, Feature, subtask_of, task_of
from pipeline.exporters.lerobot_stats import Merged, Moments
from pipeline.loader.sample import EventSample

CODEBASE = "v3.0"
MAX_TABLE_BYTES = 100 << 20
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EVENTS_FILE = "meta/events.parquet"
"""Ours: LeRobot has no columns for it, and reads no file of that name."""


@dataclass(frozen=True, eq=False)
class EpisodeEntry:
    """One row of the list of episodes."""

    index: int
    task: str
    length: int
    first_row: int
    data: tuple[int, int]
    """Chunk and file of its rows."""
    views: Mapping[str, ClipPlace]
    stats: Mapping[str, Moments]

    def row(self, fps: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "episode_index": self.index,
            "tasks": [self.task],
            "length": self.length,
            "data/chunk_index": self.data[0],
            "data/file_index": self.data[1],
            "dataset_from_index": self.first_row,
            "dataset_to_index": self.first_row + self.length,
        }
        for camera, place in self.views.items():
            at = f"videos/{PICTURES}{camera}"
            row |= {f"{at}/chunk_index": place.chunk, f"{at}/file_index": place.file}
            row[f"{at}/from_timestamp"] = place.start / fps
            row[f"{at}/to_timestamp"] = (place.start + place.n_frames) / fps
        for feature, stats in self.stats.items():
            row |= {f"stats/{feature}/{name}": value for name, value in stats.described().items()}
        return row | {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


def info(kind: Kind, features: Mapping[str, Feature], n_episodes: int, n_frames: int, n_tasks: int) -> dict[str, Any]:
    """``meta/info.json``."""
    return {
        "codebase_version": CODEBASE,
        "robot_type": kind.robot,
        "total_episodes": n_episodes,
        "total_frames": n_frames,
        "total_tasks": n_tasks,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": MAX_TABLE_BYTES >> 20,
        "video_files_size_in_mb": MAX_BYTES >> 20,
        "fps": kind.fps,
        "splits": {"train": f"0:{n_episodes}"},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": {**_views(kind), **{name: feature.described() for name, feature in features.items()}},
    }


def _views(kind: Kind) -> dict[str, Any]:
    return {
        f"{PICTURES}{view.camera}": {
            "dtype": "video",
            "shape": [view.height, view.width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": view.height,
                "video.width": view.width,
                "video.codec": "h264",
                "video.pix_fmt": "yuv420p",
                "video.is_depth_map": False,
                "video.fps": kind.fps,
                "video.channels": 3,
                "has_audio": False,
            },
        }
        for view in kind.views
    }


def provenance(index: int, sample: EventSample) -> dict[str, Any]:
    """What is known of an event and has no column in LeRobot: a row of ``meta/events.parquet``."""
    record = sample.record
    return {
        "episode_index": index,
        "key": sample.key,
        "event_id": sample.event_id,
        "episode_id": sample.episode_id,
        "source": record["lineage"]["source"],
        "locator": record["lineage"]["locator"],
        "licence": record["licence"],
        "consent": record["consent"],
        "level": sample.level,
        "verb": record["event"]["verb"],
        "task": task_of(sample),
        "subtask": subtask_of(sample),
        "caption": sample.caption,
        "start_ns": sample.span.start_ns,
        "end_ns": sample.span.end_ns,
        "vision_language": sample.vision_language,
        "action": sample.action,
        "weight": sample.weight,
        "action_kind": sample.action_kind,
        "action_frame": record["action_frame"],
        "calib": sample.calib_json.decode(),
    }


def write_texts(path: Path, column: str, texts: Sequence[str]) -> None:
    """``tasks.parquet`` and ``subtasks.parquet``: texts are the index of a pandas frame, which names them so."""
    index = "__index_level_0__"
    table = pa.table({column: pa.array(range(len(texts)), pa.int64()), index: pa.array(texts, pa.string())})
    described = [
        {"name": name, "field_name": field, "pandas_type": kind, "numpy_type": dtype, "metadata": None}
        for name, field, kind, dtype in ((column, column, "int64", "int64"), (None, index, "unicode", "object"))
    ]
    level = {"name": None, "field_name": None, "pandas_type": "unicode", "numpy_type": "object"}
    pandas = {
        "index_columns": [index],
        "column_indexes": [level | {"metadata": {"encoding": "UTF-8"}}],
        "columns": described,
        "pandas_version": "2.2.3",
    }
    write_table(path, table.replace_schema_metadata({"pandas": json.dumps(pandas)}))


def write_table(path: Path, table: pa.Table) -> None:
    """Parquet as LeRobot compresses it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="snappy")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Indented as LeRobot's own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=4, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_listing(root: Path, kind: Kind, entries: Sequence[EpisodeEntry], events: Sequence[Mapping[str, Any]]) -> None:
    """The list of episodes and where each came from."""
    rows = [entry.row(kind.fps) for entry in entries]
    write_table(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet", pa.Table.from_pylist(rows))
    write_table(root / EVENTS_FILE, pa.Table.from_pylist([dict(event) for event in events]))


def write_stats(root: Path, stats: Mapping[str, Merged]) -> None:
    """``meta/stats.json``."""
    write_json(root / "meta" / "stats.json", {name: part.get().described() for name, part in stats.items()})


def readme(kind: Kind, n_episodes: int, n_frames: int, shard_set_id: str, card: str) -> str:
    """The dataset's page: rights first, how it was made, and the shard set's own card behind it."""
    body = card.split("\n---\n", 1)[-1].lstrip("\n")
    return f"""---
license: other
license_name: {json.dumps(kind.licence, ensure_ascii=False)}
task_categories:
- robotics
tags:
- LeRobot
- joinery
configs:
- config_name: default
  data_files: data/*/*.parquet
---
# {kind.robot}, {kind.fps} frames/s

{n_episodes} episodes, {n_frames} frames, exported from the shard set `{shard_set_id}`. Each episode is one event, as
often as the plan draws it, in the order of the plan. Licence: {kind.licence}. `{EVENTS_FILE}` has source, consent,
cell, span, captions and calibration of each. Poses are absolute, in metres, rotations the first two rows of the matrix,
openings 0 closed … 1 open; rows whose `valid.state` or `valid.action` is false are not vouched for.

The card of the shard set follows; its splits and files are those of the set.

{body}"""
