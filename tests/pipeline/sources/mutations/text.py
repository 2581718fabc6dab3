"""Changes to text: JSON by its values, tables by their cells, captions by their times."""

import json
import random
import re
from pathlib import Path
from typing import Any

from tests.pipeline.sources.mutations.damage import FILLED, NUMBERS, ByteChange, canary, names
from tests.pipeline.sources.mutations.raw_bytes import overwritten

_MOST_CELLS = 50_000
"""Of a row that is repeated; twice, it would fill the memory."""
_NUMBERS = (
    "-1",
    "0",
    "1e308",
    "NaN",
    "Infinity",
    str(2**70),
    "null",
    '"x"',
    "[]",
    "true",
    "9" * 400,
    "1" * 5000,
    "0x10",
)
_DEEP = 100_000


def number_in_text(data: bytes, rng: random.Random) -> bytes:
    """A number of a text file replaced by another kind of number, or by words."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
    if not found:
        return overwritten(data, rng)
    at = rng.choice(found)
    return data[: at.start()] + rng.choice(_NUMBERS).encode() + data[at.end() :]


def word_in_text(data: bytes, rng: random.Random) -> bytes:
    """A quoted word of a text file replaced by a hostile one."""
    found = list(re.finditer(rb'"[^"\\]*"', data))
    if not found:
        return number_in_text(data, rng)
    at = rng.choice(found)
    return data[: at.start()] + json.dumps(names(rng)).encode() + data[at.end() :]


def nested(data: bytes, rng: random.Random) -> bytes:
    """Brackets without end."""
    depth = rng.choice((100, _DEEP))
    return rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, data + b"[" * depth))


def long_line(data: bytes, rng: random.Random) -> bytes:
    """One line, word or number of many megabytes."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"9", b"a", b",", b'"', b"\n", b" ")) * 5_000_000 + data[at:]


def other_encoding(data: bytes, rng: random.Random) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-32", "utf-7")), "replace")


def line_changed(data: bytes, rng: random.Random) -> bytes:
    """A line left out, doubled, swapped, cut, or put first; or the same line very often."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return b"\n"
    at = rng.randrange(len(lines))
    line, other = lines[at], lines[rng.randrange(len(lines))]
    became = rng.choice(([], [line, line], [other], [line[: len(line) // 2]], [line] * 20_000, [b"\x00" + line]))
    return b"".join([*lines[:at], *became, *lines[at + 1 :]])


def json_value(data: bytes, rng: random.Random) -> bytes:
    """One value of a JSON text, or of one line of JSON Lines, replaced by one that does not belong there."""
    lines = data.splitlines() if data.count(b"\n{") > 0 and data.startswith(b"{") else [data]
    at = rng.randrange(len(lines))
    try:
        value = json.loads(lines[at])
    except (ValueError, RecursionError):
        return number_in_text(data, rng)
    lines[at] = _as_json(changed(value, rng))
    return b"\n".join(lines)


def _as_json(value: Any) -> bytes:
    return json.dumps(value).replace('"@deep@"', "[" * _DEEP + "]" * _DEEP).encode()


def changed(value: Any, rng: random.Random) -> Any:
    """A copy of a JSON value in which one value, anywhere, is another one, gone, renamed or there many times."""
    places = list(_places(value, ()))
    if not places:
        return _hostile(value, rng)
    where = rng.choice(places)
    return _changed(value, where, rng)


def _places(value: Any, above: tuple[Any, ...]) -> Any:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(below)[:200]:
        yield (*above, key)
        yield from _places(inner, (*above, key))


def _changed(value: Any, where: tuple[Any, ...], rng: random.Random) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    key = where[0]
    if len(where) > 1:
        copy[key] = _changed(copy[key], where[1:], rng)
        return copy
    how = rng.random()
    if how < 0.1:
        del copy[key]
    elif how < 0.15 and isinstance(copy, dict):
        copy[names(rng)] = copy.pop(key)
    elif how < 0.2 and isinstance(copy, list):
        copy[key:key] = [copy[key]] * rng.choice((1, 2, 3000))
    else:
        copy[key] = _hostile(copy[key], rng)
    return copy


def _hostile(value: Any, rng: random.Random) -> Any:
    near: list[Any] = [value]
    if isinstance(value, bool):
        near = [not value, "true", 2]
    elif isinstance(value, int | float):
        near = [-value, value + 1, value * 1000, value / 7, str(value), [value]]
    elif isinstance(value, str):
        near = [
            value + "x",
            value.upper(),
            value[::-1],
            [value],
            value * 1000,
            "{" + value,
            value.replace("{", "{0.__class__"),
        ]
    elif isinstance(value, list):
        near = [value[:-1], value + value[:1], [value], value[::-1], dict(enumerate(value)), value * 100]
    other = [
        rng.choice(NUMBERS),
        names(rng),
        None,
        True,
        [],
        {},
        [[]],
        [None],
        "@deep@",
        "\ud800",
        [0.0] * 1000,
        {"a": {}},
    ]
    return rng.choice(near) if rng.random() < 0.4 else rng.choice(other)


def cell(data: bytes, rng: random.Random) -> bytes:
    """A cell of a comma-separated table replaced, a column left out, doubled or renamed, or a quote left open."""
    rows = [line.split(b",") for line in data.splitlines()]
    if not rows or not rows[0]:
        return b","
    column = rng.randrange(len(rows[0]))
    row = rng.choice((0, rng.randrange(len(rows))))
    how = rng.random()
    if how < 0.6:
        word = rng.choice((*_NUMBERS, '"', "", names(rng), "1e-400", "0 1", "١", "\x00"))
        rows[row][min(column, len(rows[row]) - 1)] = word.encode("utf-8", "surrogateescape")
    elif how < 0.7:
        rows = [one[:column] + one[column + 1 :] for one in rows]
    elif how < 0.8:
        rows = [one[: column + 1] + one[column:] for one in rows]
    elif how < 0.9:
        rows[row] = (rows[row] * 5000)[:_MOST_CELLS]
    else:
        rows[1:] = rows[1:][::-1]
    return b"\n".join(b",".join(one) for one in rows) + b"\n"


def yaml_bomb(_data: bytes, rng: random.Random) -> bytes:
    """Aliases of aliases: a kilobyte that stands for more than any memory holds."""
    levels = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    bomb = "\n".join(["a0: &a0 [x,x,x,x,x,x,x,x,x]", *levels])
    return rng.choice(
        (
            bomb,
            "a: &a [*a]",
            "!!python/object/apply:os.system ['true']",
            f"a: !!python/name:os.system\nb: {FILLED}",
            "&x " * 2000 + "a",
            "[" * 5000,
            "{a: " * 5000,
            "? " * 3000,
            f"a: {'9' * 6000}",
            "a: 2024-99-99",
            "? [1, 2]\n: 3",
            "<<: *x",
            f"a: !include {canary('a.txt')}",
            "a: 0b" + "1" * 100_000,
            "a: " + "1:" * 5000 + "1",
        )
    ).encode()


TEXT: tuple[ByteChange, ...] = (
    number_in_text,
    number_in_text,
    word_in_text,
    nested,
    long_line,
    other_encoding,
    line_changed,
)
JSON: tuple[ByteChange, ...] = (*[json_value] * 14, *TEXT)
TABLES: tuple[ByteChange, ...] = (*[cell] * 8, *TEXT)
YAML: tuple[ByteChange, ...] = (*[yaml_bomb] * 4, *TEXT)


def suffixes_of(path: Path) -> tuple[ByteChange, ...]:
    """The changes for a file of text, by its name; none for others."""
    if path.name in (".zarray", ".zgroup", ".zattrs") or path.suffix in (".json", ".jsonl"):
        return JSON
    if path.suffix == ".csv":
        return TABLES
    if path.suffix in (".yaml", ".yml"):
        return YAML
    return TEXT if path.suffix in (".vtt", ".srt", ".txt", ".md") else ()
