"""The rows of a query, as mappings."""

from typing import Any, TypeAlias

from pipeline.sql import Sql

Row: TypeAlias = dict[str, Any]


def rows(connection: Sql, query: str) -> list[Row]:
    """All of them; a query that is to come out the same every time says in which order."""
    answer = connection.execute(query)
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, values, strict=True)) for values in answer.fetchall()]
