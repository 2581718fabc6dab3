"""LeRobot's own annotations: the two language columns that ``lerobot-annotate`` writes.

``language_persistent`` is one list of timed texts, the same on every row: each is in force until the next of its style.
``language_events`` are texts on the very row where something was said or asked. Written against LeRobot's
``datasets/language.py``.
"""

import json
import math
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from pipeline.sources.lerobot.lerobot_rows import Rows
from pipeline.sources.meanings import of_style
from pipeline.sources.spans import nearest_edge, says_something
from pipeline.sources.storage.json_file import dict_of, dicts_of, text_of
from schemas.episode import SourceSpan, SpanMeaning
from schemas.time import NS_PER_S

PERSISTENT, EVENTS = "language_persistent", "language_events"
_SAY = "say"
"""The tool that lets the robot speak; such an item has no content of its own."""


def language_spans(rows: Rows) -> Iterator[SourceSpan]:
    """All texts of both columns."""
    yield from _persistent(rows)
    yield from _events(rows)


def _persistent(rows: Rows) -> Iterator[SourceSpan]:
    """Texts of one style and time stand side by side, as wordings of one thing do (``task_aug``)."""
    if PERSISTENT not in rows.table.column_names:
        return
    edges = rows.edges_ns
    timed = []
    for item in dicts_of(rows.table.column(PERSISTENT)[0].as_py()):
        seconds, text = item.get("timestamp"), _text(item)
        if isinstance(seconds, int | float) and math.isfinite(seconds) and says_something(text):
            timed.append((_style(item), nearest_edge(edges, seconds * NS_PER_S), text))
    for style, items in groupby(sorted(timed), key=lambda item: item[0]):
        texts_at = [(row, [text for _, _, text in same]) for row, same in groupby(items, key=lambda item: item[1])]
        ends = [row for row, _ in texts_at[1:]] + [len(edges) - 1]
        for (row, texts), end in zip(texts_at, ends, strict=True):
            for text in texts if end > row else ():
                yield SourceSpan(style, int(edges[row]), int(edges[end]), text, of_style(style))


def _events(rows: Rows) -> Iterator[SourceSpan]:
    """Each lasts for its row. Questions and traces are about one camera's picture, which their track names."""
    if EVENTS not in rows.table.column_names:
        return
    edges = rows.edges_ns
    for row, items in enumerate(rows.table.column(EVENTS).to_pylist()):
        for item in dicts_of(items):
            text, style = _text(item), _style(item)
            if not says_something(text):
                continue
            meaning = SpanMeaning.SPEECH if style == _SAY else of_style(style)
            camera = text_of(item.get("camera"))
            track = f"{style}/{camera}" if camera else style
            yield SourceSpan(track, int(edges[row]), int(edges[row + 1]), text, meaning)


def _style(item: dict[str, Any]) -> str:
    return text_of(item.get("style")) or (_SAY if item.get("tool_calls") else "text")


def _text(item: dict[str, Any]) -> str:
    """What an item says: its content, or what it has the robot say."""
    content = text_of(item.get("content"))
    calls = item.get("tool_calls")
    if says_something(content) or not isinstance(calls, list):
        return content
    return " ".join(text for call in calls if (text := _said(call)))


def _said(call: object) -> str:
    """The text of a call to ``say``, which is an object or JSON text of one."""
    if isinstance(call, str):
        try:
            call = json.loads(call)
        except (ValueError, RecursionError):
            return ""
    function = dict_of(dict_of(call).get("function"))
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return ""
    return text_of(dict_of(arguments).get("text")) if function.get("name") == _SAY else ""
