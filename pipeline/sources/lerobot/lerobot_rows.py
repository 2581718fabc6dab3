"""The rows of one LeRobot episode: which they are, whether they are whole, and when each was recorded."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_meta import UNREADABLE
from pipeline.sources.reference import about_episode, dataset_part
from pipeline.sources.storage.parquet_texts import check_texts
from pipeline.video import to_ns
from schemas.array import Floats, Ints
from schemas.finding import Finding
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

MAX_TABLE_BYTES = 1 << 30
"""Of numbers and texts, unpacked. LeRobot starts a new file at 100 MB, packed."""
MAX_ROWS = 100_000_000
_MAX_FRAME = 100_000_000
"""Of one episode: more than a month at 30 frames per second."""
_MAX_NS = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, eq=False)
class Rows:
    """One episode's table on the episode clock."""

    where: str
    """The file's full name, for messages."""
    table: pa.Table
    times_ns: Ints
    """int64 [T], strictly increasing, 0 for the row of the first frame."""
    end_ns: int
    are_frames: bool
    """Row i belongs to frame i: no row is missing and the clock is the frame rate's."""

    @property
    def edges_ns(self) -> Ints:
        """The T + 1 edges between rows."""
        return np.append(self.times_ns, np.int64(self.end_ns))

    def numbers(self, column: str) -> Floats:
        """A numeric column, float64 [T, W]; nulls are NaN, flags 0 or 1, matrices are flattened row by row.

        Raises SourceError when absent, not numeric, ragged or empty.
        """
        return _numbers(self.table, column, self.where)


def _numbers(table: pa.Table, column: str, where: str) -> Floats:
    if column not in table.column_names:
        raise SourceError(f"{where}: no column {column!r}, found {table.column_names}; correct the recipe")
    array, width = table.column(column).combine_chunks(), 1
    while _is_list(array.type):  # matrices are lists of lists
        lengths = set(pc.list_value_length(array).to_pylist())
        if len(lengths) != 1 or lengths & {None, 0}:
            raise SourceError(
                f"{where}: rows of {column} hold {sorted(lengths, key=str)} values, expected one width above 0; "
                "export the episode again"
            )
        width, array = width * lengths.pop(), pc.list_flatten(array)
    if not (is_numeric(array.type) or pa.types.is_boolean(array.type)):
        raise SourceError(f"{where}: {column} is {array.type}, expected numbers; correct the recipe")
    values: Floats = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).reshape(-1, width)
    return values


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column, or the elements of a list column, are numbers; flags are only where a recipe names them."""
    if _is_list(kind):
        return is_numeric(kind.value_type)
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def is_picture(kind: pa.DataType) -> bool:
    """Whether a column holds picture files, as Hugging Face writes them: ``struct<bytes, path>``."""
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def check_size(parquet: pq.ParquetFile, columns: Collection[str], where: str, most: int = MAX_TABLE_BYTES) -> None:
    """Raises SourceError when columns claim more than any of a dataset have; readers allocate what is claimed."""
    claimed, footer, wanted = 0, parquet.metadata, {name.split(".")[0] for name in columns}
    for group in range(parquet.num_row_groups):
        for place in range(footer.num_columns):
            column = footer.row_group(group).column(place)
            if column.path_in_schema.split(".")[0] in wanted:
                claimed += abs(column.total_uncompressed_size)
    if claimed > most or not 0 <= footer.num_rows <= MAX_ROWS:
        raise SourceError(
            f"{where}: claims {footer.num_rows} rows in {claimed} bytes, expected at most {MAX_ROWS} in {most}; the "
            "file is damaged"
        )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind))


def read_table(
    files: SourceFiles, path: str, index: int, *, shared: bool, columns: list[str] | None = None
) -> pa.Table:
    """The rows of episode ``index`` of one parquet file; ``shared`` files hold several episodes (v3).

    Columns of pictures are left out: `lerobot_stills` reads them one by one. Raises SourceError when the file is not
    readable or has no such rows.
    """
    where = files.url_of(path)
    try:
        with files.open(path) as file:
            table = _selected(file, index if shared else None, columns, where)
    except (*UNREADABLE, MemoryError) as error:
        raise unreadable(where, error) from error
    if table.num_rows == 0:
        raise SourceError(
            f"{where}: no rows of episode {index}, expected at least one; the metadata is of another version"
        )
    return table if columns is None else table.select([name for name in columns if name in table.column_names])


def unreadable(where: str, error: BaseException) -> SourceError:
    """The error of a parquet file that is cut short or damaged."""
    said = " ".join(str(error).split())[:300]
    return SourceError(f"{where}: not a readable parquet file ({said}); it is truncated or damaged: fetch it again")


def _selected(file: Any, index: int | None, columns: list[str] | None, where: str) -> pa.Table:
    """All rows, or those of one episode among many; row groups of others are skipped by their statistics."""
    parquet = pq.ParquetFile(file)
    schema = parquet.schema_arrow
    if doubled := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise SourceError(f"{where}: has {doubled[0]!r} as the name of more than one column; export the episode again")
    wanted = None if columns is None else {*columns, "episode_index"}
    names = [field.name for field in schema if not is_picture(field.type) and (wanted is None or field.name in wanted)]
    check_size(parquet, names, where)
    check_texts(file, names, where)
    if index is None:
        return parquet.read(columns=names)
    if "episode_index" not in schema.names:
        raise SourceError(
            f"{where}: no column 'episode_index', found {schema.names}; several episodes share the file and nothing "
            "says whose rows are whose: export the dataset again"
        )
    return pq.read_table(file, filters=[("episode_index", "=", index)], columns=names)


def read_rows(ref: EpisodeRef, files: SourceFiles, dataset: Mapping[str, Any]) -> tuple[Rows, list[Finding]]:
    """One episode's rows with their times, and what is odd about them. Raises SourceError for an unusable table."""
    path = ref.file("table").path
    shared = dataset["codebase_version"].startswith("v3.")
    table = read_table(files, path, dataset["episode_index"], shared=shared)
    where = files.url_of(path)
    findings = _odd_rows(ref, dataset, table)
    frame, gaps = _frame_numbers(ref, table, where)
    period = 1 / Fraction(str(dataset["fps"])).limit_denominator(1001)
    times_ns: Ints = np.array([to_ns(number, period) for number in frame.tolist()], np.int64)
    end_ns = to_ns(int(frame[-1]) + 1, period)
    stamps_ns, odd_clock = _stamps(ref, table, times_ns, float(period), where)
    if stamps_ns is not None:
        times_ns, end_ns = stamps_ns, int(stamps_ns[-1]) + to_ns(1, period)
    are_frames = not gaps and stamps_ns is None
    return Rows(where, table, times_ns, end_ns, are_frames), findings + gaps + odd_clock


def _odd_rows(ref: EpisodeRef, dataset: Mapping[str, Any], table: pa.Table) -> list[Finding]:
    """Where the table is not what the metadata lists."""
    findings, n_rows, index = [], table.num_rows, dataset["episode_index"]
    if dataset["length"] not in (None, n_rows):
        message = f"the table has {n_rows} rows, the metadata lists {dataset['length']}; the rows count"
        findings.append(
            about_episode(ref, "episode_length_disagrees", message, value=n_rows, threshold=dataset["length"])
        )
    if "episode_index" in table.column_names:
        held = sorted(set(table.column("episode_index").to_pylist()), key=str)
        if held != [index]:
            message = (
                f"its own file's episode_index column says {held[:5]}, the file name says {index}; the name counts"
            )
            findings.append(about_episode(ref, "episode_index_disagrees", message))
    listed = {key for key, feature in dataset["features"].items() if feature.get("dtype") not in ("video", "image")}
    if absent := sorted(listed - set(table.column_names)):
        findings.append(
            about_episode(ref, "column_missing", f"info.json lists the columns {absent}, the table has none")
        )
    return findings


def _frame_numbers(ref: EpisodeRef, table: pa.Table, where: str) -> tuple[Ints, list[Finding]]:
    """Which frame each row belongs to, int64 [T]; counted when the table does not say."""
    counted = np.arange(table.num_rows, dtype=np.int64)
    if "frame_index" not in table.column_names:
        return counted, []
    stated = _numbers(table, "frame_index", where)[:, 0]
    frame = np.where(np.abs(stated) < _MAX_FRAME, stated, -1).astype(np.int64)
    if np.any(np.diff(frame) <= 0) or frame[0] < 0:
        raise SourceError(f"{where}: frame_index does not increase from row to row; sort the table or export it again")
    if np.array_equal(frame, counted):
        return frame, []
    message = f"frame_index runs from {frame[0]} to {frame[-1]} in {len(frame)} rows; rows are placed by it"
    return frame, [
        about_episode(ref, "frame_index_gaps", message, value=float(frame[-1] + 1 - len(frame)), threshold=0)
    ]


def _stamps(
    ref: EpisodeRef, table: pa.Table, times_ns: Ints, period_s: float, where: str
) -> tuple[Ints | None, list[Finding]]:
    """The rows' own time stamps where they contradict the frame rate by half a frame or more; else None.

    An offset that all rows share is reported and not applied: rows are recorded with frames, whatever they are
    stamped (simulators stamp a step when it ends).
    """
    if "timestamp" not in table.column_names:
        return None, []
    stamps_s = _numbers(table, "timestamp", where)[:, 0]
    findings = []
    if not abs(stamps_s[0] - times_ns[0] / NS_PER_S) < period_s / 2:
        message = (
            f"its first row is stamped {stamps_s[0]:.4f} s, expected 0; rows are taken frame by frame, not by stamp"
        )
        findings.append(
            about_episode(ref, "timestamp_offset", message, value=float(stamps_s[0]), threshold=period_s / 2)
        )
    off_s = float(np.max(np.abs((stamps_s - stamps_s[0]) - (times_ns - times_ns[0]) / NS_PER_S)))
    if off_s < period_s / 2:
        return None, findings
    stamps_ns = np.rint((stamps_s - stamps_s[0]) * NS_PER_S)
    if not (np.all(np.diff(stamps_ns) > 0) and stamps_ns[-1] < _MAX_NS):
        raise SourceError(f"{where}: timestamp does not increase from row to row; export the episode again")
    message = f"its time stamps stray {off_s:.4f} s from the stated frame rate; rows are placed by their stamps"
    findings.append(about_episode(ref, "timestamps_disagree_with_fps", message, value=off_s, threshold=period_s / 2))
    return stamps_ns.astype(np.int64), findings


def frame_stamps(ref: EpisodeRef, files: SourceFiles) -> Floats | None:
    """Seconds of each frame to the bit as the table has them, float32 [T]: what LeRobot looks frames up by.

    None where the table has none, or does not have one row per frame. Raises SourceError for an unusable table.
    """
    dataset, path = dataset_part(ref), ref.file("table").path
    shared = dataset["codebase_version"].startswith("v3.")
    table = read_table(files, path, dataset["episode_index"], shared=shared, columns=["timestamp", "frame_index"])
    _, gaps = _frame_numbers(ref, table, files.url_of(path))
    if gaps or "timestamp" not in table.column_names:
        return None
    stamps: Floats = _numbers(table, "timestamp", files.url_of(path))[:, 0].astype(np.float32)
    return stamps
