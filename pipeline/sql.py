"""SQL over tables in memory: DuckDB as every part of Joinery opens it.

Silent, because a progress bar would stand in the middle of what a command prints as JSON; what does not fit into memory
goes to the system's folder for temporary files, not beside the recipe.
"""

import tempfile
from typing import TypeAlias

import duckdb

Sql: TypeAlias = duckdb.DuckDBPyConnection


def in_memory(**settings: str | int) -> Sql:
    """A new, empty database; ``settings`` are DuckDB's. Close it when done."""
    sql = duckdb.connect(config={"temp_directory": tempfile.gettempdir(), **settings})
    sql.execute("SET enable_progress_bar = false")
    return sql
