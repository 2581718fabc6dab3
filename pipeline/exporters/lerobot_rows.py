"""The rows of one LeRobot episode: one event, one row per frame of its master view.

Control rows need not lie on frames: each frame takes the row nearest in time, and rows no frame takes are counted.
Language stands in LeRobot's own columns. The event's ancestors are its context: the task is the episode's task, the
subtask a ``subtask`` row, the event's own caption a ``motion`` row, all active from the first frame on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.exporters.kinds import Kind
from pipeline.exporters.target import Language
from pipeline.loader.sample import EventSample
from pipeline.shards.npz import read_npz
from schemas.array import Ints
from schemas.event import Level

STATE, ACTION = "observation.state", "action"
STATE_VALID, ACTION_VALID, TIME_NS = "valid.state", "valid.action", "time_ns"
PERSISTENT, EVENTS = "language_persistent", "language_events"
SUBTASK_INDEX, CAPTION = "subtask_index", "caption"
PICTURES = "observation.images."
_ARM = ("x", "y", "z", "r00", "r01", "r02", "r10", "r11", "r12", "opening")
COLUMN_NAMES = tuple(f"{arm}_{part}" for arm in ("left", "right") for part in _ARM)
"""Of the 20-D layout: position, first two rows of the rotation matrix, opening."""


@dataclass(frozen=True)
class Feature:
    """A column as ``info.json`` describes it."""

    dtype: str
    shape: tuple[int, ...] = (1,)
    names: tuple[str, ...] | None = None

    def described(self) -> dict[str, Any]:
        return {"dtype": self.dtype, "shape": list(self.shape), "names": list(self.names) if self.names else None}


def features_of(kind: Kind, language: Language) -> dict[str, Feature]:
    """The columns of a kind's tables, in order; views are described in `pipeline.exporters.lerobot_meta`."""
    found: dict[str, Feature] = {}
    for name, columns in ((STATE, kind.state), (ACTION, kind.action)):
        if columns:
            found[name] = Feature("float32", (len(columns),), tuple(COLUMN_NAMES[column] for column in columns))
    for native in kind.native:
        found[native.feature] = Feature("float32", (len(native.names),), native.names)
    found |= {
        name: Feature("bool") for name, known in ((STATE_VALID, kind.state), (ACTION_VALID, kind.action)) if known
    }
    found |= {TIME_NS: Feature("int64"), "timestamp": Feature("float32")}
    found |= {name: Feature("int64") for name in ("frame_index", "episode_index", "index", "task_index")}
    if language is Language.COLUMNS:
        return found | {PERSISTENT: Feature("language"), EVENTS: Feature("language")}
    return found | {SUBTASK_INDEX: Feature("int64"), CAPTION: Feature("string")}


@dataclass(frozen=True, eq=False)
class FrameRows:
    """Numbers of an episode by column, one row per frame, and what is left over."""

    columns: dict[str, NDArray[Any]]
    rows_left_over: int
    """Control rows that no frame takes."""
    off_ns: int
    """The largest distance between a frame and its control row."""


def frame_rows(sample: EventSample, members: Mapping[str, bytes], kind: Kind) -> FrameRows:
    """State, action and times at the frames of the master view."""
    times = sample.view_times_ns[sample.master_view]
    columns: dict[str, NDArray[Any]] = {}
    left_over = off_ns = 0
    if kind.state or kind.action:
        assert sample.action_times_ns is not None
        rows = nearest(sample.action_times_ns, times)
        left_over = len(sample.action_times_ns) - len(np.unique(rows))
        off_ns = int(np.abs(sample.action_times_ns[rows] - times).max())
        sides = (
            (STATE, STATE_VALID, sample.state_T20, sample.state_valid_T, kind.state),
            (ACTION, ACTION_VALID, sample.action_T20, sample.action_valid_T, kind.action),
        )
        for name, valid_name, values, valid, known in sides:
            if known:
                assert values is not None
                assert valid is not None
                columns[name] = values[rows][:, list(known)]
                columns[valid_name] = valid[rows]
        for native in kind.native:
            columns[native.feature] = read_npz(members[f"{native.side}.npz"])[native.array][rows].astype(np.float32)
    columns[TIME_NS] = times
    columns["timestamp"] = (np.arange(len(times)) / kind.fps).astype(np.float32)
    columns["frame_index"] = np.arange(len(times), dtype=np.int64)
    return FrameRows(columns, left_over, off_ns)


def nearest(times_ns: Ints, at_ns: Ints) -> Ints:
    """For each moment the row nearest in time, the earlier of two equally near; times ascend, at least one."""
    after = np.clip(np.searchsorted(times_ns, at_ns), 1, max(1, len(times_ns) - 1))
    before = after - 1
    after = np.minimum(after, len(times_ns) - 1)
    return np.where(at_ns - times_ns[before] <= times_ns[after] - at_ns, before, after)


def task_of(sample: EventSample) -> str:
    """The episode's task: the caption of the event's Task, or the source's own words where there is none."""
    return sample.captions.get(str(Level.TASK)) or sample.instruction


def subtask_of(sample: EventSample) -> str:
    """The caption of the Subtask the event belongs to; its own where it is a Task."""
    return sample.captions.get(str(Level.SUBTASK)) or sample.caption


def persistent_rows(sample: EventSample) -> list[dict[str, Any]]:
    """What is so for the whole event, as LeRobot's persistent rows: from the first frame on."""
    found = []
    if sample.captions.get(str(Level.SUBTASK)):
        found.append(_row(sample.captions[str(Level.SUBTASK)], "subtask"))
    if Level(sample.level).depth > Level.SUBTASK.depth and sample.caption:
        found.append(_row(sample.caption, "motion"))
    return found


def _row(content: str, style: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "style": style, "timestamp": 0.0}


def _texts(*, with_time: bool) -> list[pa.Field]:
    content, style, camera = (pa.field(name, pa.string()) for name in ("content", "style", "camera"))
    moment = [pa.field("timestamp", pa.float32(), nullable=False)] if with_time else []
    calls = pa.field("tool_calls", pa.list_(pa.json_()))
    return [pa.field("role", pa.string(), nullable=False), content, style, *moment, camera, calls]


def language_array(rows: list[dict[str, Any]], n: int, *, with_time: bool) -> pa.Array:
    """The same rows on each of ``n`` frames, as LeRobot's list of structs; without cameras and tool calls."""
    fields = _texts(with_time=with_time)
    arrays = []
    for column in fields:
        if column.name in ("camera", "tool_calls"):
            arrays.append(pa.nulls(len(rows) * n, column.type))
        else:
            arrays.append(pa.array([row[column.name] for row in rows] * n, column.type))
    offsets = pa.array(range(0, len(rows) * n + 1, len(rows)) if rows else [0] * (n + 1), pa.int32())
    structs = pa.StructArray.from_arrays(arrays, fields=fields)
    return pa.ListArray.from_arrays(offsets, structs)


def table_of(features: Mapping[str, Feature], columns: Mapping[str, Any]) -> pa.Table:
    """An episode's table. ``columns``: arrays [N] or [N, D], lists of texts, and Arrow arrays for language."""
    arrays = []
    for name, feature in features.items():
        values = columns[name]
        if feature.dtype == "language":
            arrays.append(values)
        elif feature.dtype == "string":
            arrays.append(pa.array(values, pa.string()))
        elif feature.shape == (1,):
            arrays.append(pa.array(np.asarray(values).reshape(-1)))
        else:
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), feature.shape[0]))
    return pa.table(dict(zip(features, arrays, strict=True)))
