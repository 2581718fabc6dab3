"""What a column of a table means, read off the record it is made of: docstrings are the only place that says so."""

import ast
import inspect
import textwrap
from functools import cache


def meaning(record: type, column: str = "") -> str:
    """The docstring of a record, or the text under one of its fields; without one, the field's name in words."""
    if not column:
        return " ".join((record.__doc__ or record.__name__).split())
    return _texts(record).get(column) or column.replace("_", " ").capitalize() + "."


@cache
def _texts(record: type) -> dict[str, str]:
    """Field → the string literal that stands under it."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(body, ast.ClassDef)
    found, last = {}, ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last] = " ".join(str(node.value.value).split())
            last = ""
    return found
