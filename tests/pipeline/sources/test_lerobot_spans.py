"""Annotations that come with a dataset become spans in its own words, and nothing is said that it does not say."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.files import SourceFiles
from pipeline.sources.lerobot_meta import Info, Listed, Piece
from pipeline.sources.lerobot_spans import Vocabulary, load_vocabulary, says_something, spans
from schemas.episode import SourceSpan
from schemas.finding import Finding
from tests.pipeline.sources.one_episode import REF, STEP_NS, dataset_of, rows_of


def spans_of(columns: dict[str, Any], **texts: dict[str, str]) -> tuple[list[SourceSpan], list[Finding]]:
    return spans(REF, dataset_of(texts=texts), rows_of(columns))


def told(columns: dict[str, Any]) -> list[tuple[int, int, str]]:
    """(first row, row after the last, text) of each span."""
    found, _ = spans_of(columns)
    return [(span.start_ns // STEP_NS, span.end_ns // STEP_NS, span.text) for span in found]


def info(*features: str, version: str = "v2.1") -> Info:
    return Info("info.json", version, 20.0, "arm", 1000, {}, {name: {"dtype": "int64"} for name in features}, {})


# -- runs ------------------------------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_runs_of_equal_indices_cover_every_row_once(values: list[int]) -> None:
    texts = {"0": "reach", "1": "grasp", "2": "lift"}
    found, findings = spans_of({"task_index": values}, task_index=texts)
    assert findings == []
    assert [found[0].start_ns, found[-1].end_ns] == [0, len(values) * STEP_NS]
    assert all(before.end_ns == after.start_ns and before.text != after.text for before, after in pairwise(found))
    for row, value in enumerate(values):
        (span,) = [span for span in found if span.start_ns <= row * STEP_NS < span.end_ns]
        assert span.text == texts[str(value)]


def test_indices_kept_as_lists_of_one_are_indices() -> None:
    found, _ = spans_of({"subtask_index": pa.array([[1], [1], [2]])}, subtask_index={"1": "reach", "2": "grasp"})
    assert [span.text for span in found] == ["reach", "grasp"]


def test_an_index_without_a_text_stands_for_itself_and_is_told() -> None:
    found, (finding,) = spans_of({"annotation.valid": [4, 4, 0]}, **{"annotation.valid": {"0": "valid"}})
    assert [span.text for span in found] == ["4", "valid"]
    assert (finding.check, finding.value) == ("annotation_without_text", 4)
    assert "annotation.valid holds [4], for which meta/ has no text" in finding.message


def test_runs_whose_text_says_nothing_are_left_out() -> None:
    found, _ = spans_of({"task_index": [0, 1, 1]}, task_index={"0": " |  | ", "1": "fold"})
    assert found == [SourceSpan("task_index", STEP_NS, 3 * STEP_NS, "fold")]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_text_columns_are_runs_of_their_texts_and_nulls_are_pauses(kind: pa.DataType) -> None:
    column = pa.array(["reach", "reach", None, "grasp"], kind)
    assert told({"subtask": column}) == [(0, 2, "reach"), (3, 4, "grasp")]


@pytest.mark.parametrize("column", ["is_intervention", "is_error", "is_error_segment"])
def test_flags_are_spans_where_they_are_true(column: str) -> None:
    assert told({column: [False, True, True, False, True]}) == [(1, 3, "true"), (4, 5, "true")]
    assert told({column: pa.array([[True], [None], [False]])}) == [(0, 1, "true")]


def test_other_columns_are_no_annotations() -> None:
    assert told({"next.done": [False, True], "action": [1, 2], "annotation.score": [0.5, 0.5]}) == []


# -- timed texts -----------------------------------------------------------------------------------------------


def timed(*items: tuple[str, str | None, float]) -> dict[str, Any]:
    rows = [{"style": style, "content": content, "timestamp": seconds} for style, content, seconds in items]
    return {"language_persistent": pa.array([rows] * 4)}


def test_a_timed_text_lasts_until_the_next_of_its_style() -> None:
    columns = timed(("subtask", "grasp", 0.1), ("plan", "reach, then grasp", 0.0), ("subtask", "reach", 0.0))
    assert told(columns) == [(0, 4, "reach, then grasp"), (0, 2, "reach"), (2, 4, "grasp")]


def test_timed_texts_start_on_the_nearest_row_and_need_one() -> None:
    assert told(timed(("subtask", "grasp", 0.06), ("subtask", "lift", 9.0))) == [(1, 4, "grasp")]


def test_timed_texts_without_words_end_nothing() -> None:
    assert told(timed(("subtask", "reach", 0.0), ("subtask", None, 0.1), ("subtask", "…", 0.1))) == [(0, 4, "reach")]


def test_an_episode_without_timed_texts_has_none() -> None:
    kind = pa.list_(pa.struct({"style": pa.string(), "content": pa.string(), "timestamp": pa.float64()}))
    assert told({"language_persistent": pa.array([None, None], kind)}) == []


def test_spans_of_all_conventions_stand_in_a_fixed_order() -> None:
    columns = {"subtask": ["b", "a"], "is_error": [False, True], "task_index": [0, 0]}
    found, _ = spans_of(columns, task_index={"0": "fold"})
    assert [(span.track, span.text) for span in found] == [
        ("is_error", "true"), ("subtask", "b"), ("subtask", "a"), ("task_index", "fold"),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), [("", False), (" |  | ", False), ("…", False), ("7", True), ("折る", True)])
def test_a_text_says_something_when_it_has_a_letter_or_digit(text: str, says: bool) -> None:
    assert says_something(text) is says


# -- the dataset's texts ---------------------------------------------------------------------------------------


def test_an_episode_needs_only_the_texts_of_its_own_tasks() -> None:
    vocabulary = Vocabulary(tasks={0: "fold", 1: "wipe"}, subtasks={})
    listed = Listed(3, 2, ("wipe",), Piece(0, 3), {})
    needed = vocabulary.needed(SourceFiles("nowhere"), "table.parquet", listed, info("task_index"))
    assert needed == {"task_index": {"1": "wipe"}}, "known from the listing: the table is not opened"


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_needs_the_texts_its_index_columns_refer_to(tmp_path: Path, version: str) -> None:
    table = pa.table(
        {"episode_index": [3, 3], "annotation.goal": [1, 9], "subtask_index": [0, 0], "task_index": [2, 2]}
    )
    pq.write_table(table, tmp_path / "table.parquet")
    vocabulary = Vocabulary(tasks={0: "fold", 1: "wipe", 2: "rest"}, subtasks={0: "reach", 1: "grasp"})
    features = info("annotation.goal", "subtask_index", version=version)
    listed = Listed(3, 2, ("fold",), Piece(0, 0), {})
    assert vocabulary.needed(SourceFiles(str(tmp_path)), "table.parquet", listed, features) == {
        "task_index": {"0": "fold", "2": "rest"},
        "annotation.goal": {"1": "wipe"},
        "subtask_index": {"0": "reach"},
    }


def test_subtask_texts_are_loaded_only_for_datasets_that_have_the_column(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    for stem, key, text in (("tasks", "task_index", "fold"), ("subtasks", "subtask_index", "reach")):
        (tmp_path / f"meta/{stem}.jsonl").write_text(f'{{"{key}": 0, "text": "{text}"}}\n')
    files = SourceFiles(str(tmp_path))
    assert load_vocabulary(files, info("task_index")) == Vocabulary({0: "fold"}, {})
    assert load_vocabulary(files, info("low_level_task_index")) == Vocabulary({0: "fold"}, {0: "reach"})
