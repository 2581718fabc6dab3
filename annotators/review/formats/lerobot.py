"""LeRobot v3's language columns: ``timestamp`` and ``language_persistent`` of one episode, as Parquet.

A subtask is in force from its timestamp until the next one, an action likewise as a ``motion`` row; the timestamps are
float32 and equal to those of the table's own frames, to the bit: LeRobot looks them up. The first five pictures are a
row at ``timestamp[0]``, ended by the row at ``timestamp[5]`` or by the episode's end. The format has no ends of its
own, so a part that cleaning left out is a row without content, and it carries no verbs, objects, arms or states, no
tasks and no segments.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotators.review.formats.row import FormatError, Recording, Row, checked
from annotators.tracks.words import verb_of
from pipeline.exporters.lerobot_rows import PERSISTENT, language_array
from schemas.event import Level

SUFFIX = ".parquet"
STYLES = {Level.SUBTASK: "subtask", Level.ACTION: "motion"}


def written(rows: Sequence[Row], recording: Recording) -> bytes:
    """The whole file: a row per frame, with the same persistent rows on each."""
    seconds = recording.seconds
    persistent = [item for level, style in STYLES.items() for item in _items(rows, level, style, seconds)]
    n = len(recording.clock)
    table = pa.table(
        {
            "timestamp": pa.array(seconds, pa.float32()),
            "frame_index": pa.array(range(n), pa.int64()),
            PERSISTENT: language_array(persistent, n, with_time=True),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _items(rows: Sequence[Row], level: Level, style: str, seconds: Any) -> Iterator[dict[str, Any]]:
    at_level = sorted((row for row in rows if row.level is level), key=lambda row: row.frame_start)
    for row, following in zip(at_level, [*at_level, None][1:], strict=True):
        yield _item(row.caption, style, seconds[row.frame_start])
        ended = following is None and row.frame_end < len(seconds)
        if ended or (following is not None and following.frame_start > row.frame_end):
            yield _item(None, style, seconds[row.frame_end])


def _item(content: str | None, style: str, timestamp: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "style": style, "timestamp": timestamp}


def read(raw: bytes, recording: Recording, file: str) -> list[Row]:
    """Subtasks and actions. Raises FormatError, also for a timestamp that is no frame's."""
    return checked(_rows(raw, recording, file), len(recording.clock), file)


def _rows(raw: bytes, recording: Recording, file: str) -> Iterator[tuple[str, Row]]:
    try:
        table = pq.read_table(io.BytesIO(raw), columns=["timestamp", PERSISTENT])
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        raise FormatError(file, "document", str(error), f"Parquet with timestamp and {PERSISTENT}") from error
    if table.num_rows != len(recording.clock):
        raise FormatError(file, "document", table.num_rows, f"{len(recording.clock)} frames")
    seconds = np.asarray(table.column("timestamp").to_numpy(), np.float32)
    frame_at = {float(value): frame for frame, value in enumerate(seconds)}
    items = table.column(PERSISTENT)[0].as_py() or []
    for level, style in STYLES.items():
        timed = []
        for number, item in enumerate(items):
            if item["style"] == style:
                where = f"{PERSISTENT} row {number}"
                frame = frame_at.get(float(np.float32(item["timestamp"])))
                if frame is None:
                    raise FormatError(file, where, item["timestamp"], "the timestamp of a frame, to the bit")
                timed.append((frame, where, item["content"]))
        timed.sort(key=lambda one: one[0])
        ends = [*(frame for frame, _, _ in timed), len(recording.clock)][1:]
        for (frame, where, text), end in zip(timed, ends, strict=True):
            if text is not None:
                yield where, Row(level, frame, end, text, verb_of(text))
