"""A database that says nothing and remembers nothing."""

import pytest

from pipeline.sql import in_memory


def test_it_never_draws_a_progress_bar_and_takes_settings() -> None:
    with in_memory(threads=1) as sql:
        found = dict(sql.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert (found["enable_progress_bar"], found["threads"]) == ("false", "1")


def test_two_of_them_share_nothing() -> None:
    with in_memory() as one, in_memory() as other:
        one.execute("CREATE TABLE t AS SELECT 1 AS n")
        with pytest.raises(Exception, match="Table with name t does not exist"):
            other.execute("SELECT * FROM t")
