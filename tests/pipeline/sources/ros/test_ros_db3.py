"""db3 bags are SQLite, a program of its own: plain tables are read from a private copy, everything else is refused."""

import sqlite3
import tempfile
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros import ros_db3
from pipeline.sources.ros.ros_channel import Message
from pipeline.sources.ros.ros_db3 import db3_messages
from pipeline.sources.ros.ros_decode import Decoder

TOPICS = "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)"
MESSAGES = "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)"
ONE_TOPIC = "INSERT INTO topics VALUES (1, '/flag', 'std_msgs/msg/Bool', 'cdr')"
ONE_MESSAGE = "INSERT INTO messages VALUES (1, 1, 5, x'0001000001')"


def database(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as made:
        for statement in statements:
            made.execute(statement)
    made.close()
    return path


def messages(path: Path) -> list[Message]:
    return list(db3_messages(SourceFiles(str(path.parent)), path.name, lambda _: True, skipping=False))


def test_a_bag_older_than_definitions_is_read_with_the_types_of_ros(tmp_path: Path) -> None:
    """Before ROS 2 Iron a database says names of types only."""
    (message,) = messages(database(tmp_path / "a.db3", TOPICS, MESSAGES, ONE_TOPIC, ONE_MESSAGE))
    assert (message.channel.topic, message.channel.type, message.log_ns) == ("/flag", "std_msgs/Bool", 5)
    assert Decoder(message.channel, "a").decode(message.data) == {"data": True}


def test_the_source_is_not_touched_and_the_copy_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    path = database(tmp_path / "source/a.db3", TOPICS, MESSAGES, ONE_TOPIC, ONE_MESSAGE)
    before = path.read_bytes()
    stream = db3_messages(SourceFiles(str(path.parent)), path.name, lambda _: True, skipping=False)
    next(stream)
    assert list((tmp_path / "temporary").rglob("bag.db3"))
    stream.close()  # type: ignore[attr-defined]
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "table",
    [
        "CREATE VIEW messages AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
        "SELECT id, 1 AS topic_id, id AS timestamp, x'00' AS data FROM n",
        "CREATE VIRTUAL TABLE messages USING fts5(topic_id, timestamp, data)",
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id, timestamp, data AS (zeroblob(1000000000)))",
    ],
)
def test_what_is_no_plain_table_is_refused(table: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.db3: has no table messages with \['data', 'timestamp', 'topic_id'\]"):
        messages(database(tmp_path / "a.db3", TOPICS, table, ONE_TOPIC))


def test_a_query_that_gives_nothing_for_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros_db3, "_QUIET_S", -1.0)
    monkeypatch.setattr(ros_db3, "_STEPS", 1)
    with pytest.raises(SourceError, match="interrupted"):
        messages(database(tmp_path / "a.db3", TOPICS, MESSAGES, ONE_TOPIC, ONE_MESSAGE))


@pytest.mark.parametrize("row", ["(1, 1, 'soon', x'00')", "(1, 1, 5, 'text')", "(1, 1, -5, x'00')", "(1, 1, 5, NULL)"])
def test_a_row_without_time_or_bytes_is_an_error(row: str, tmp_path: Path) -> None:
    path = database(tmp_path / "a.db3", TOPICS, MESSAGES, ONE_TOPIC, f"INSERT INTO messages VALUES {row}")
    with pytest.raises(SourceError, match=r"a\.db3: a message of /flag has no time or no bytes"):
        messages(path)


def test_what_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.db3").write_bytes(b"not a database" * 100)
    with pytest.raises(SourceError, match=r"a\.db3: cannot be (read|opened)"):
        messages(tmp_path / "a.db3")


def test_a_database_too_large_to_copy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros_db3, "MAX_DB3_BYTES", 1000)
    with pytest.raises(SourceError, match=r"a\.db3: has \d+ bytes, more than are copied"):
        messages(database(tmp_path / "a.db3", TOPICS, MESSAGES))
