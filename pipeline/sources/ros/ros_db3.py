"""ROS 2 bags kept in SQLite (``.db3``).

SQLite wants a file on this machine and may write beside it. So it gets a private copy in a temporary folder, opened
read-only and deleted afterwards; sources are never touched, and bags in object stores read the same. A database is a
program of its own (views, triggers, generated columns): only plain tables are read, and a query that works for long
without giving a row is stopped.
"""

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros.ros_channel import Channel, Message, Wanted, plain_type
from pipeline.sources.ros.ros_unpack import MAX_BYTES

MAX_DB3_BYTES = 64 << 30
"""Of a bag that is copied; recorders split far below."""
_COPY_BYTES = 4 << 20
_QUIET_S = 5.0
"""How long a query may work without giving a row."""
_STEPS = 100_000
"""SQLite asks whether to go on after so many of its own instructions, about a millisecond."""
_MAX_TOPICS = 100_000


def db3_messages(
    files: SourceFiles,
    path: str,
    wanted: Wanted,
    *,
    skipping: bool,  # noqa: ARG001 - SQLite reads only what is asked
) -> Iterator[Message]:
    """See `ros_container.Reader`. Messages come in the order they were written."""
    name = files.url_of(path)
    with _private_copy(files, path) as copy, closing(_opened(copy, name)) as database:
        try:
            yield from _messages(database, wanted, name)
        except (sqlite3.Error, OverflowError) as error:
            raise SourceError(f"{name}: cannot be read as a ROS 2 database ({error}); fetch it again") from error


def _messages(database: sqlite3.Connection, wanted: Wanted, name: str) -> Iterator[Message]:
    channels = {number: channel for number, channel in _channels(database, name) if wanted(channel)}
    if not channels:
        return
    deadline = _Deadline()
    database.set_progress_handler(deadline.passed, _STEPS)
    marks = ",".join("?" * len(channels))
    query = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) ORDER BY rowid"  # noqa: S608
    for number, log_ns, data in database.execute(query, tuple(channels)):
        if not isinstance(log_ns, int) or log_ns < 0 or not isinstance(data, bytes):
            raise SourceError(f"{name}: a message of {channels[number].topic} has no time or no bytes; it is damaged")
        yield Message(channels[number], log_ns, memoryview(data))
        deadline.push()


def _channels(database: sqlite3.Connection, name: str) -> list[tuple[int, Channel]]:
    """Topics by their number. Definitions are kept since Iron; before, types are those of the ROS release."""
    columns = {table: _columns(database, table) for table in ("topics", "messages", "message_definitions")}
    for table, needed in (
        ("topics", {"id", "name", "type", "serialization_format"}),
        ("messages", {"topic_id", "timestamp", "data"}),
    ):
        if not needed <= columns[table]:
            raise SourceError(f"{name}: has no table {table} with {sorted(needed)}; it is no ROS 2 bag")
    definitions: dict[str, tuple[str, bytes]] = {}
    if {"topic_type", "encoding", "encoded_message_definition"} <= columns["message_definitions"]:
        query = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions LIMIT ?"
        for kind, encoding, text in database.execute(query, (_MAX_TOPICS,)):
            definitions[str(kind)] = (str(encoding), str(text).encode("utf-8", "replace"))
    found = []
    query = "SELECT id, name, type, serialization_format FROM topics ORDER BY id LIMIT ?"
    for number, topic, kind, encoding in database.execute(query, (_MAX_TOPICS,)):
        if not isinstance(number, int):
            raise SourceError(f"{name}: a topic's number is {number!r}; the file is damaged: fetch it again")
        schema, definition = definitions.get(str(kind), ("", b""))
        found.append((number, Channel(str(topic), plain_type(str(kind)), str(encoding), schema, definition)))
    return found


def _columns(database: sqlite3.Connection, table: str) -> set[str]:
    """Stored columns of a plain table; none when it is a view, virtual or not there."""
    row = database.execute("SELECT type, sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if row is None or row[0] != "table" or not str(row[1]).upper().startswith("CREATE TABLE"):
        return set()
    rows: list[Any] = database.execute(f"PRAGMA table_xinfo({table})").fetchall()
    return {str(column[1]) for column in rows if column[6] == 0}


class _Deadline:
    """Stops a query that has been quiet for too long."""

    def __init__(self) -> None:
        self.push()

    def push(self) -> None:
        self._ends = time.monotonic() + _QUIET_S

    def passed(self) -> bool:
        return time.monotonic() > self._ends


def _opened(copy: Path, name: str) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_BYTES)
        database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error as error:
        raise SourceError(f"{name}: cannot be opened as a database ({error}); fetch it again") from error
    return database


@contextmanager
def _private_copy(files: SourceFiles, path: str) -> Iterator[Path]:
    name = files.url_of(path)
    stat = files.stat(path)
    size = 0 if stat is None else stat.size
    if size > MAX_DB3_BYTES:
        raise SourceError(f"{name}: has {size} bytes, more than are copied; split it with `ros2 bag convert`")
    with tempfile.TemporaryDirectory(prefix="joinery-db3-") as folder:
        free = shutil.disk_usage(folder).free
        if size > free:
            raise SourceError(f"{name}: needs {size} bytes in {folder}, {free} are free; make room or set TMPDIR")
        copy = Path(folder) / "bag.db3"
        with files.open(path) as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target, _COPY_BYTES)
        yield copy
