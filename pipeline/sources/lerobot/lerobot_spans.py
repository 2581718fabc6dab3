"""Annotations a LeRobot dataset brings along, as spans in the source's own words.

Published datasets agree on nothing but one row per frame, so what is read is decided column by column: indices into
a table of texts (`lerobot_texts`), truth values, modes, texts, LeRobot's language columns (`lerobot_language`), and
what is said of the episode as a whole. What their names mean stands in `meanings`.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.sources.lerobot.lerobot_language import language_spans
from pipeline.sources.lerobot.lerobot_rows import Rows, is_numeric
from pipeline.sources.lerobot.lerobot_texts import TASK, element_of, indices, is_index, is_indices
from pipeline.sources.meanings import (
    MODE_COLUMNS,
    SEGMENT_COLUMNS,
    VERDICT_WORDS,
    mode_text,
    of_flag,
    of_name,
    of_segment,
    of_verdict,
)
from pipeline.sources.reference import about_episode
from pipeline.sources.spans import flag_runs, says_something, set_runs, text_runs
from schemas.array import Bools
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.source import EpisodeRef

_TEXT_COLUMNS = ("subtask", "language_instruction")


def spans(ref: EpisodeRef, dataset: Mapping[str, Any], rows: Rows) -> tuple[list[SourceSpan], list[Finding]]:
    """All native annotations of one episode, and findings about indices without a text."""
    found: list[SourceSpan] = []
    findings: list[Finding] = []
    for field in rows.table.schema:
        column, leaf = field.name, field.name.rpartition(".")[2]
        if (is_index(column) or column == TASK) and is_indices(field.type):
            texts = dataset["texts"].get(column, {})
            found += _index_spans(column, texts, rows)
            findings += _without_text(ref, column, texts, rows)
        elif pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            found += _text_spans(column, leaf, rows)
        elif leaf in MODE_COLUMNS and is_numeric(field.type):
            found += _mode_spans(column, leaf, rows)
        elif (meaning := of_flag(column)) is not None and (flags := _flags(column, field.type, rows)) is not None:
            found += flag_runs(column, flags, rows.edges_ns, meaning)
    found += language_spans(rows)
    found += _episode_spans(dataset.get("notes", {}), rows)
    return sorted(found, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text)), findings


def _index_spans(column: str, texts: Mapping[str, str], rows: Rows) -> Iterator[SourceSpan]:
    """Runs of one index per row; where rows name several, each lasts while it is named."""
    said = [[texts.get(str(index), str(index)) for index in row] for row in indices(rows.table, column)]
    if any(len(row) > 1 for row in said):
        return set_runs(column, said, rows.edges_ns, of_name(column))
    one = [row[0] if row else None for row in said]
    if any(word in column for word in VERDICT_WORDS):
        return text_runs(column, one, rows.edges_ns, of_verdict)
    changes = column == TASK and len({text for text in one if text is not None and says_something(text)}) > 1
    return text_runs(column, one, rows.edges_ns, SpanMeaning.SUBTASK if changes else of_name(column))


def _without_text(ref: EpisodeRef, column: str, texts: Mapping[str, str], rows: Rows) -> Iterator[Finding]:
    used = {index for row in indices(rows.table, column) for index in row}
    if unknown := sorted(index for index in used if str(index) not in texts):
        message = f"{column} holds {unknown[:5]}, for which the metadata has no text; the numbers stand in for it"
        yield about_episode(ref, "annotation_without_text", message, value=unknown[0])


def _text_spans(column: str, leaf: str, rows: Rows) -> Iterator[SourceSpan]:
    texts: list[str | None] = rows.table.column(column).to_pylist()
    if leaf in SEGMENT_COLUMNS:
        words = {text for text in texts if text}
        return text_runs(column, texts, rows.edges_ns, partial(of_segment, words=words))
    if column in _TEXT_COLUMNS or column.startswith("annotation."):
        verdict = any(word in column for word in VERDICT_WORDS)
        return text_runs(column, texts, rows.edges_ns, of_verdict if verdict else of_name(column))
    return iter(())


def _mode_spans(column: str, leaf: str, rows: Rows) -> Iterator[SourceSpan]:
    values = rows.numbers(column)[:, 0]
    texts = [mode_text(leaf, int(value)) if abs(value) < 2**31 else None for value in values]
    return text_runs(column, texts, rows.edges_ns, partial(of_segment, words=()))


def _flags(column: str, kind: pa.DataType, rows: Rows) -> Bools | None:
    """A column's truth values [T]; None where it holds something else. Flags are also kept as 0 and 1."""
    if pa.types.is_boolean(element_of(kind)):
        values = rows.table.column(column).to_pylist()
        return np.array([bool(value[0] if isinstance(value, list) and value else value) for value in values], np.bool_)
    if not is_numeric(kind):
        return None
    numbers = rows.numbers(column)
    is_flag = numbers.shape[1] == 1 and bool(np.isin(numbers[np.isfinite(numbers)], (0.0, 1.0)).all())
    return np.asarray(numbers[:, 0] == 1.0) if is_flag else None


def _episode_spans(notes: Mapping[str, Any], rows: Rows) -> Iterator[SourceSpan]:
    """AgiBot's skills by frame, and how HABIT says an episode ended, which is no span of its own meaning."""
    edges, n_rows = rows.edges_ns, rows.table.num_rows
    for start, end, text, skill in notes.get("action_config", ()):
        first, last = max(0, min(start, n_rows)), max(0, min(end, n_rows))
        if first >= last:
            continue
        if says_something(text):
            yield SourceSpan("action_config", int(edges[first]), int(edges[last]), text, SpanMeaning.SUBTASK)
        if says_something(skill):
            yield SourceSpan("action_config.skill", int(edges[first]), int(edges[last]), skill, SpanMeaning.ACTION)
    if says_something(notes.get("task_status", "")):
        yield SourceSpan("task_status", 0, rows.end_ns, notes["task_status"], SpanMeaning.OTHER)
