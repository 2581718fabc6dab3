"""Looking for keys where none belongs: in every byte of a workspace and, as tables are compressed, in every cell."""

import io
from collections.abc import Iterator, Sequence

import pyarrow.parquet as pq

from pipeline.store import Workspace


def quoting(workspace: Workspace, keys: Sequence[str]) -> list[str]:
    """Files and columns of a workspace in which one of the keys stands."""
    places = (place for place, said in everything(workspace) if any(key.encode() in said for key in keys))
    return sorted(set(places))


def everything(workspace: Workspace) -> Iterator[tuple[str, bytes]]:
    """All there is to read, and where it stands; uncommitted rows and files that a kill left behind too."""
    for path in workspace.blobs.list("", unfinished=True):
        content = workspace.blobs.read(path)
        yield path, content
        if path.endswith(".parquet"):
            yield path, str(pq.read_table(io.BytesIO(content)).to_pylist()).encode()
        if path.endswith(".lance") and "/data/" in path:
            for batch in workspace.rows_of_file(path):
                for column in batch.schema.names:
                    yield f"{path}, column {column}", _said(batch.column(column).to_pylist())


def _said(values: Sequence[object]) -> bytes:
    """Bytes as they are; anything else as it prints, which turns no letter of a key into another."""
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in values)
