"""Annotations a LeRobot dataset brings along, as spans in the source's own words.

Four conventions are imported, all found in published datasets: runs of equal index columns with a table of texts
(``task_index``, GR00T ``annotation.*``, ``subtask_index``), runs of true flags (``is_intervention``, ``is_error``),
text columns (``subtask``), and LeRobot's own ``language_persistent`` lists.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.files import SourceFiles
from pipeline.sources.lerobot_meta import Info, Listed, load_texts
from pipeline.sources.lerobot_rows import Rows, read_table
from pipeline.sources.reference import about_episode
from schemas.episode import SourceSpan
from schemas.finding import Finding
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

TASK = "task_index"
_SUBTASK_COLUMNS = ("subtask_index", "low_level_task_index")
_TEXT_COLUMNS = ("subtask", "language_instruction")
_FLAG_WORDS = ("intervention", "is_error", "error_segment")
_PERSISTENT = "language_persistent"


@dataclass(frozen=True)
class Vocabulary:
    """The dataset's tables of texts by index."""

    tasks: Mapping[int, str]
    subtasks: Mapping[int, str]

    def needed(self, files: SourceFiles, table_path: str, listed: Listed, info: Info) -> dict[str, dict[str, str]]:
        """The texts one episode's index columns refer to, by column; so that new texts change no old episode.

        Tasks are known from the listing; other index columns are looked up in the rows, which only datasets that
        have such columns pay for.
        """
        texts = {TASK: {str(key): text for key, text in self.tasks.items() if text in listed.tasks}}
        columns = [name for name in info.features if _is_index(name)]
        if not columns:
            return texts
        read = [*columns, TASK]
        table = read_table(files, table_path, listed.index, shared=info.major == 3, columns=read)
        for column in table.column_names:
            known = self.subtasks if column in _SUBTASK_COLUMNS else self.tasks
            used = sorted(set(_integers(table, column)))
            texts.setdefault(column, {}).update({str(key): known[key] for key in used if key in known})
        return texts


def load_vocabulary(files: SourceFiles, info: Info) -> Vocabulary:
    """``meta/tasks`` and, where there are columns for it, ``meta/subtasks``."""
    subtasks = [name for name in info.features if name in _SUBTASK_COLUMNS]
    return Vocabulary(
        tasks=load_texts(files, "tasks", TASK),
        subtasks=load_texts(files, "subtasks", "subtask_index") if subtasks else {},
    )


def spans(ref: EpisodeRef, dataset: Mapping[str, Any], rows: Rows) -> tuple[list[SourceSpan], list[Finding]]:
    """All native annotations of one episode, and findings about indices without a text."""
    found: list[SourceSpan] = []
    findings: list[Finding] = []
    for field in rows.table.schema:
        column = field.name
        if (_is_index(column) or column == TASK) and pa.types.is_integer(_element(field.type)):
            texts = dataset["texts"].get(column, {})
            values = _integers(rows.table, column)
            found += _runs(column, [texts.get(str(value), str(value)) for value in values], rows)
            if unknown := sorted({value for value in values if str(value) not in texts}):
                message = f"{column} holds {unknown[:5]}, for which meta/ has no text; the numbers stand in for it"
                findings.append(about_episode(ref, "annotation_without_text", message, value=unknown[0]))
        elif column in _TEXT_COLUMNS and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            found += _runs(column, rows.table.column(column).to_pylist(), rows)
        elif pa.types.is_boolean(_element(field.type)) and any(word in column for word in _FLAG_WORDS):
            flags = [bool(_scalar(value)) for value in rows.table.column(column).to_pylist()]
            found += [
                span for span in _runs(column, [str(flag).lower() for flag in flags], rows) if span.text == "true"
            ]
    found += _persistent(rows)
    return sorted(found, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text)), findings


def says_something(text: str) -> bool:
    """Whether a text has a letter or digit; DROID leaves only the bars between its wordings when they are empty."""
    return any(character.isalnum() for character in text)


def _is_index(column: str) -> bool:
    return column.startswith("annotation.") or column in _SUBTASK_COLUMNS


def _element(kind: pa.DataType) -> pa.DataType:
    """The type of a scalar, also when it is kept as a list of one."""
    return kind.value_type if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) else kind


def _scalar(value: object) -> Any:
    return (value[0] if value else None) if isinstance(value, list) else value


def _integers(table: pa.Table, column: str) -> list[int]:
    return [-1 if (scalar := _scalar(value)) is None else int(scalar) for value in table.column(column).to_pylist()]


def _runs(track: str, texts: list[str | None], rows: Rows) -> Iterator[SourceSpan]:
    """One span per run of equal texts; runs without words are left out."""
    edges, first = rows.edges_ns, 0
    for text, run in groupby(texts):
        last = first + sum(1 for _ in run)
        if text is not None and says_something(text):
            yield SourceSpan(track, int(edges[first]), int(edges[last]), text)
        first = last


def _persistent(rows: Rows) -> Iterator[SourceSpan]:
    """LeRobot's list of timed texts, the same on every row: each lasts until the next of its style."""
    if _PERSISTENT not in rows.table.column_names:
        return
    items = [
        item for item in rows.table.column(_PERSISTENT)[0].as_py() or [] if says_something(item.get("content") or "")
    ]
    for style in sorted({str(item["style"]) for item in items}):
        timed = sorted(
            (float(item["timestamp"]), str(item["content"])) for item in items if str(item["style"]) == style
        )
        starts = [_row_edge(rows, seconds) for seconds, _ in timed]
        for (_, text), start, end in zip(timed, starts, [*starts[1:], rows.end_ns], strict=True):
            if end > start:
                yield SourceSpan(style, start, end, text)


def _row_edge(rows: Rows, seconds: float) -> int:
    """The row edge nearest to a time in float seconds: annotations start on frames."""
    edges = rows.edges_ns
    return int(edges[np.argmin(np.abs(edges - seconds * NS_PER_S))])
