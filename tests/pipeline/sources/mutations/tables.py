"""Changes to Parquet and SQLite files by the libraries that write them."""

import random
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.pipeline.sources.mutations import bombs
from tests.pipeline.sources.mutations.damage import FILLED, canary, names


def parquet_changed(path: Path, rng: random.Random) -> str | None:
    """One column is another one, or the table as a whole."""
    table = pq.read_table(path, partitioning=None)
    how = rng.random()
    if how < 0.2:
        rng.choice(_WHOLE)(path, table, rng)
        return None
    at = rng.randrange(table.num_columns)
    name, column = table.column_names[at], table.column(at).combine_chunks()
    try:
        made = rng.choice(_COLUMNS)(column, rng)
        if len(made) != len(column):
            made = made.take(pa.array(np.arange(len(column)) % max(1, len(made))))
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        made = pa.nulls(len(column))
    pq.write_table(table.set_column(at, name, made), path, compression="zstd")
    return None


# -- columns ---------------------------------------------------------------------------------------------------------


def _of_type(column: Any, rng: random.Random) -> Any:
    n_rows = len(column)
    fields = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    made = (
        pa.nulls(n_rows),
        pa.array(["x"] * n_rows),
        pa.array([b"\xff"] * n_rows),
        pa.array([[[0.0]]] * n_rows),
        pa.array([{"bytes": None, "path": names(rng).replace("\udcff", "")}] * n_rows, fields),
        pa.array([True] * n_rows),
        pa.array([0] * n_rows, pa.timestamp("ns")),
        pa.array(["x"] * n_rows).dictionary_encode(),
        pa.array([[]] * n_rows, pa.list_(pa.float32())),
        pa.array([[None]] * n_rows, pa.list_(pa.float64())),
        pa.array([[0.0, 1.0]] * n_rows, pa.list_(pa.float64(), 2)),
        pa.array([[("a", 1)]] * n_rows, pa.map_(pa.string(), pa.int8())),
        pa.array([1] * n_rows, pa.decimal128(38, 10)),
        pa.array([0.5] * n_rows, pa.float16()),
        pa.array([2**64 - 1] * n_rows, pa.uint64()),
    )
    return rng.choice(made)


def _some_null(column: Any, rng: random.Random) -> Any:
    values = column.to_pylist()
    for row in rng.sample(range(len(values)), min(len(values), rng.choice((1, 3, len(values))))):
        values[row] = None
    return pa.array(values, column.type)


def _some_odd(column: Any, rng: random.Random) -> Any:
    """Numbers that no recording has, lists longer or shorter than the others, texts that lead elsewhere."""
    values = column.to_pylist()
    for row in rng.sample(range(len(values)), min(len(values), rng.choice((1, 2, len(values))))):
        values[row] = _odd(values[row], rng)
    return pa.array(values) if rng.random() < 0.3 else pa.array(values, column.type)


def _odd(value: Any, rng: random.Random) -> Any:
    if isinstance(value, float):
        return rng.choice((float("nan"), float("inf"), -1.0, 1e300, 1e9, -0.0, value + 1))
    if isinstance(value, int):
        return rng.choice((-1, 2**63 - 1, -(2**63), 10**9, value + 1, 2**31))
    if isinstance(value, list):
        return rng.choice((value[:-1], [*value, *value], [], [_odd(one, rng) for one in value], value * 5000))
    if isinstance(value, dict):
        picture = {"bytes": rng.choice(bombs.PICTURES)(), "path": "x.png"}
        elsewhere = {"bytes": None, "path": rng.choice((str(canary("a.png")), "../canary/a.png", "x.png"))}
        return rng.choice((picture, elsewhere, {"bytes": b"", "path": None}, {"bytes": None, "path": None}))
    if isinstance(value, bytes):
        return rng.choice((b"", rng.choice(bombs.PICTURES)(), value[: len(value) // 2]))
    return rng.choice(("", "x" * 1_000_000, FILLED, str(canary("a.mp4")), "../canary/a.mp4", "\x00"))


def _shuffled(column: Any, rng: random.Random) -> Any:
    order = np.arange(len(column))
    return column.take(pa.array(rng.choice((order[::-1], np.zeros_like(order), np.roll(order, 1)))))


_COLUMNS = (_of_type, _some_null, _some_odd, _some_odd, _some_odd, _shuffled)


# -- the whole table -------------------------------------------------------------------------------------------------


def _rows(path: Path, table: Any, rng: random.Random) -> None:
    pq.write_table(
        rng.choice((table[:0], table[:1], table[:-1], pa.concat_tables([table] * 3), pa.concat_tables([table] * 2000))),
        path,
    )


def _columns(path: Path, table: Any, rng: random.Random) -> None:
    """One is gone, renamed, there twice, or there are very many."""
    at = rng.randrange(table.num_columns)
    name = table.column_names[at]
    many = pa.table({f"observation.{i}": table.column(at) for i in range(2000)})
    other = table.rename_columns(
        [names(rng).replace("\udcff", "") if one == name else one for one in table.column_names]
    )
    pq.write_table(
        rng.choice((table.drop_columns([name]), other, table.append_column(name, table.column(at)), many)), path
    )


def _repeated(path: Path, table: Any, rng: random.Random) -> None:
    """One row, millions of times: a small file, gigabytes of table."""
    piece = table.take(pa.array(np.zeros(1 << 19, np.int64)))
    with pq.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=True) as writer:
        for _ in range(rng.choice((1, 12))):
            writer.write_table(piece)


def _long_text(path: Path, table: Any, rng: random.Random) -> None:
    """One text of megabytes that every row repeats; it is in the file once."""
    at = rng.randrange(table.num_columns)
    text = pa.DictionaryArray.from_arrays(np.zeros(200, np.int32), pa.array(["\x00" * (1 << 25)]))
    rows = table.take(pa.array(np.arange(200) % max(1, table.num_rows)))
    pq.write_table(rows.set_column(at, table.column_names[at], text), path, compression="zstd", store_schema=False)


_WHOLE = (_rows, _rows, _columns, _columns, _repeated, _long_text)


# -- SQLite ----------------------------------------------------------------------------------------------------------

_ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
_ROWS = "SELECT n AS id, 1 AS topic_id, n AS timestamp, zeroblob(9) AS data"
_TOPICS = "SELECT n AS id, 'x' AS name, 'y' AS type, 'cdr' AS serialization_format"
_KEPT = "ALTER TABLE messages RENAME TO kept; CREATE VIEW messages AS"
_STATEMENTS = (
    "UPDATE messages SET data = zeroblob(100000000) WHERE id = 3",
    "UPDATE messages SET data = NULL WHERE id % 7 = 0",
    "UPDATE messages SET data = 'text' WHERE id % 5 = 0",
    "UPDATE messages SET data = 1.5",
    "UPDATE messages SET data = substr(data, 1, length(data) / 2) WHERE id % 9 = 0",
    "UPDATE messages SET data = substr(data, 5) WHERE id % 9 = 0",
    "UPDATE messages SET timestamp = -9223372036854775808 WHERE id = 5",
    "UPDATE messages SET timestamp = 9223372036854775807 WHERE id % 11 = 0",
    "UPDATE messages SET timestamp = 'soon' WHERE id = 5",
    "UPDATE messages SET timestamp = NULL",
    "UPDATE messages SET timestamp = 0",
    "UPDATE messages SET topic_id = 99999",
    "UPDATE messages SET topic_id = 'x' WHERE id % 2",
    "UPDATE topics SET type = 'std_msgs/msg/String'",
    "UPDATE topics SET type = 'a/b/c/../../x' WHERE id = 1",
    "UPDATE topics SET type = NULL",
    "UPDATE topics SET name = (SELECT name FROM topics WHERE id = 1)",
    "UPDATE topics SET name = '../../../etc/passwd' WHERE id = 1",
    "UPDATE topics SET serialization_format = 'pickle'",
    "UPDATE topics SET offered_qos_profiles = '" + "[" * 20_000 + "'",
    "DELETE FROM messages",
    "DELETE FROM topics WHERE id = 1",
    "DROP TABLE messages",
    "DROP TABLE topics",
    "ALTER TABLE messages RENAME COLUMN data TO payload",
    f"DROP TABLE messages; CREATE VIEW messages AS {_ENDLESS} {_ROWS} FROM r",
    f"DROP TABLE messages; CREATE VIEW messages AS {_ENDLESS} {_ROWS} FROM r WHERE n < 0",
    f"DROP TABLE topics; CREATE VIEW topics AS {_ENDLESS} {_TOPICS} FROM r",
    f"{_KEPT} SELECT id, topic_id, timestamp, randomblob(500000000) AS data FROM kept",
    f"{_KEPT} SELECT id, topic_id, timestamp, load_extension('x') AS data FROM kept",
    f"{_KEPT} SELECT id, topic_id, timestamp, readfile('/etc/passwd') AS data FROM kept",
    f"{_KEPT} SELECT a.* FROM kept a, kept b, kept c, kept d",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE x(' WHERE name = 'messages'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 999999 WHERE name = 'messages'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = 1 WHERE name = 'topics'",
    "CREATE TABLE schema(schema_version INTEGER, ros_distro TEXT); INSERT INTO schema VALUES ('x', NULL)",
)
"""rosbag2's tables are ``topics`` and ``messages``."""


def sqlite_changed(path: Path, rng: random.Random) -> str | None:
    """Statements that whoever wrote the file could have run."""
    database = sqlite3.connect(path)
    try:
        database.executescript(rng.choice(_STATEMENTS))
        database.commit()
    except sqlite3.Error:
        pass
    finally:
        database.close()
    return None
