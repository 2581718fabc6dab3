"""Pictures inside a LeRobot table: datasets recorded without video keep one PNG or JPEG file per row and view.

The column is Hugging Face's ``struct<bytes, path>``. Rows are read a few at a time: a table of pictures is as large as
all of them together.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot.lerobot_meta import UNREADABLE
from pipeline.sources.lerobot.lerobot_rows import check_size, is_picture, read_rows, unreadable
from pipeline.sources.reference import dataset_part
from pipeline.sources.still import picture_of_file
from pipeline.video import TO_THE_END, Picture
from schemas.episode import VideoWindow
from schemas.source import EpisodeRef

_ROWS_AT_ONCE = 16
_MAX_BYTES = 8 << 30
"""Of all pictures of a table; they are never in memory together."""
_INDEX = "episode_index"


def still_pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow) -> Iterator[Picture]:
    """The pictures of one view in the order of rows, each shown from its row's time to the next.

    Raises SourceError when a picture is not in the table, or not one.
    """
    dataset = dataset_part(ref)
    rows, _ = read_rows(ref, files, dataset)
    edges, key, path = rows.edges_ns, window.inside, ref.file(window.part).path
    shared = dataset["codebase_version"].startswith("v3.")
    found = _picture_files(files, path, key, dataset[_INDEX] if shared else None)
    for row, data in enumerate(found):
        start_ns, end_ns = int(edges[row]), int(edges[row + 1])
        if window.end_ns != TO_THE_END and start_ns >= window.end_ns:
            return
        if start_ns >= window.start_ns:
            yield picture_of_file(data, start_ns, end_ns, f"{rows.where}, {key}, row {row}")


def _picture_files(files: SourceFiles, path: str, key: str, index: int | None) -> Iterator[bytes]:
    """The files of one column, those of episode ``index`` where several share the table."""
    where = files.url_of(path)
    with files.open(path) as file:
        try:
            parquet = pq.ParquetFile(file)
            check_size(parquet, [key], where, _MAX_BYTES)
            schema = parquet.schema_arrow
            if key not in schema.names or not is_picture(schema.field(key).type):
                raise SourceError(f"{where}: no column {key!r} of pictures, found {schema.names}")
            columns = [key] if index is None else [key, _INDEX]
            groups = [i for i in range(parquet.num_row_groups) if index is None or _may_hold(parquet, i, index)]
            for batch in parquet.iter_batches(_ROWS_AT_ONCE, row_groups=groups, columns=columns):
                yield from _of_batch(batch, key, index, where)
        except (*UNREADABLE, MemoryError) as error:
            raise unreadable(where, error) from error


def _of_batch(batch: pa.RecordBatch, key: str, index: int | None, where: str) -> Iterator[bytes]:
    owners = None if index is None else batch.column(_INDEX).to_pylist()
    for row, value in enumerate(batch.column(key)):
        if owners is not None and owners[row] != index:
            continue
        item: Any = value.as_py() or {}
        data = item.get("bytes")
        if not isinstance(data, bytes):
            raise SourceError(
                f"{where}: {key} holds no picture but the path {item.get('path')!r}, which is not followed; write the "
                "pictures into the table (LeRobot's embed_images)"
            )
        yield data


def _may_hold(parquet: pq.ParquetFile, group: int, index: int) -> bool:
    """Whether a row group may hold rows of an episode, by its statistics."""
    column = parquet.schema_arrow.names.index(_INDEX)
    place = next((i for i in range(parquet.metadata.num_columns) if parquet.schema.column(i).path == _INDEX), column)
    statistics = parquet.metadata.row_group(group).column(place).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return bool(statistics.min <= index <= statistics.max)
