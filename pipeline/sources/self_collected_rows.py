"""The rows of a self-collected recording: numbers, who steered, and what was being done."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.frame_times import to_times
from pipeline.sources.lerobot.lerobot_rows import Rows
from pipeline.sources.spans import text_runs
from pipeline.sources.storage.parquet_texts import check_texts
from pipeline.sources.tabular_actions import Control, Native, element_names, tabular_track
from schemas.array import Ints
from schemas.episode import ActionTrack, SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.recording import CONTROL_MODE, PHASE, TIME, Actor, Recording
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

ROWS_PART = "table"
MAX_TABLE_BYTES = 1 << 30
"""What rows may claim to take unpacked; an hour at 1 kHz with 30 numbers is 0.9 GB."""


def read_rows(ref: EpisodeRef, files: SourceFiles) -> Rows | None:
    """The rows on the recorder's clock; None when the recording has none. Raises SourceError when unreadable."""
    path = next((file.path for file in ref.files if file.part == ROWS_PART), None)
    if path is None:
        return None
    where = files.url_of(path)
    table = _table(files, path)
    if TIME not in table.column_names or not pa.types.is_integer(table.schema.field(TIME).type):
        raise SourceError(f"{where}: no column {TIME} of whole nanoseconds, found {table.column_names}")
    if table.num_rows == 0 or table.column(TIME).null_count:
        raise SourceError(f"{where}: {table.num_rows} rows, {table.column(TIME).null_count} without {TIME}")
    times_ns = increasing(table.column(TIME).to_numpy(), f"{where}: {TIME}")
    return Rows(where, table, times_ns, int(times_ns[-1]) + _period_ns(times_ns), are_frames=False)


def _table(files: SourceFiles, path: str) -> pa.Table:
    where = files.url_of(path)
    try:
        with files.open(path) as stream:
            file = pq.ParquetFile(stream)
            names = file.schema_arrow.names
            if len(set(names)) != len(names):
                raise SourceError(f"{where}: has two columns of one name among {names[:20]}; record it again")
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            claimed = sum(group.total_byte_size for group in groups)
            if not 0 <= claimed <= MAX_TABLE_BYTES:
                raise SourceError(f"{where}: claims {claimed} bytes of rows, more than {MAX_TABLE_BYTES >> 20} MiB")
            check_texts(stream, names, where)
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{where}: not a readable parquet file ({error}); record it again") from error


def increasing(stamps: Any, name: str) -> Ints:
    """Times in int64 nanoseconds. Raises SourceError when they step back or span more than a day."""
    times_ns, wrong = to_times(stamps, 1)
    if times_ns is None:
        raise SourceError(f"{name}: {wrong}; the recorder needs one clock that never steps back")
    return times_ns


def control(
    ref: EpisodeRef, rows: Rows | None, recording: Recording, origin_ns: int
) -> tuple[ActionTrack | None, list[SourceSpan], list[Finding]]:
    """The action track on the episode clock, spans of the rows' own words, and findings."""
    if rows is None:
        return None, [], []
    times_ns: Ints = rows.times_ns - origin_ns
    state = _native(rows, recording.joints)
    target = _native(rows, recording.joint_commands)
    if len(target.names) == len(state.names):
        target = Native(state.names, target.values, target.columns)
    track, findings = tabular_track(
        ref,
        Control(rows.where, times_ns, _period_ns(times_ns) / NS_PER_S, rows.numbers, state, target),
        state=recording.state,
        target=recording.target,
        commands=recording.commands,
        frame=recording.frame,
    )
    edges_ns: Ints = np.append(times_ns, rows.end_ns - origin_ns)
    return track, _spoken(rows, edges_ns), findings


def _native(rows: Rows, columns: list[str]) -> Native:
    """The named columns side by side."""
    values = [rows.numbers(column) for column in columns]
    widths = [part.shape[1] for part in values]
    names = [name for column, width in zip(columns, widths, strict=True) for name in element_names(column, (), width)]
    whole = np.concatenate(values, axis=1) if values else np.zeros((rows.table.num_rows, 0))
    return Native(names, whole, columns)


def _spoken(rows: Rows, edges_ns: Ints) -> list[SourceSpan]:
    """Runs of who steers and of phases. A person who takes over from a policy or a script intervenes."""
    spans: list[SourceSpan] = []
    for column in (CONTROL_MODE, PHASE):
        if column in rows.table.column_names and pa.types.is_string(rows.table.schema.field(column).type):
            texts = rows.table.column(column).to_pylist()
            runs = list(
                text_runs(column, texts, edges_ns, SpanMeaning.SEGMENT if column == PHASE else SpanMeaning.OTHER)
            )
            mixed = len(set(texts)) > 1
            spans += [_taken_over(span) if mixed and span.text == Actor.HUMAN else span for span in runs]
    return spans


def _taken_over(span: SourceSpan) -> SourceSpan:
    return SourceSpan(span.track, span.start_ns, span.end_ns, span.text, SpanMeaning.INTERVENTION)


def _period_ns(times_ns: Ints) -> int:
    return max(int(np.median(np.diff(times_ns))), 1) if len(times_ns) > 1 else 1
