"""Annotations that come with a dataset become spans in its own words, and nothing is said that it does not say."""

from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.lerobot.lerobot_spans import spans
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from tests.pipeline.sources.one_episode import REF, STEP_NS, dataset_of, rows_of


def spans_of(columns: dict[str, Any], **texts: dict[str, str]) -> tuple[list[SourceSpan], list[Finding]]:
    return spans(REF, dataset_of(texts=texts), rows_of(columns))


def meant(columns: dict[str, Any], **texts: dict[str, str]) -> list[tuple[int, int, str, SpanMeaning]]:
    """(first row, row after the last, text, meaning) of each span."""
    found, _ = spans_of(columns, **texts)
    return [(span.start_ns // STEP_NS, span.end_ns // STEP_NS, span.text, span.meaning) for span in found]


def told(columns: dict[str, Any]) -> list[tuple[int, int, str]]:
    """(first row, row after the last, text) of each span."""
    found, _ = spans_of(columns)
    return [(span.start_ns // STEP_NS, span.end_ns // STEP_NS, span.text) for span in found]


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
    assert "annotation.valid holds [4], for which the metadata has no text" in finding.message


def test_runs_whose_text_says_nothing_are_left_out() -> None:
    found, _ = spans_of({"task_index": [0, 1, 1]}, task_index={"0": " |  | ", "1": "fold"})
    assert found == [SourceSpan("task_index", STEP_NS, 3 * STEP_NS, "fold", SpanMeaning.TASK)]


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


# -- conventions of published datasets -----------------------------------------------------------------------------


def test_a_task_that_changes_inside_an_episode_is_a_subtask_as_in_galaxea() -> None:
    texts = {"0": "拿起@pick up", "1": "放下@put down"}
    assert meant({"task_index": [0, 0, 1]}, task_index=texts) == [
        (0, 2, "拿起@pick up", SpanMeaning.SUBTASK), (2, 3, "放下@put down", SpanMeaning.SUBTASK),
    ]  # fmt: skip
    coarse = {"coarse_task_index": [2, 2, 2]}
    assert meant(coarse, coarse_task_index={"2": "tidy up"}) == [(0, 3, "tidy up", SpanMeaning.TASK)]


def test_what_galaxea_calls_unqualified_and_gr00t_invalid_must_not_be_used() -> None:
    assert meant({"quality_index": [0, 1]}, quality_index={"0": "qualified", "1": "unqualified"}) == [
        (0, 1, "qualified", SpanMeaning.OTHER), (1, 2, "unqualified", SpanMeaning.INVALID),
    ]  # fmt: skip
    validity = "annotation.human.validity"
    assert meant({validity: [1, 0]}, **{validity: {"0": "invalid", "1": "valid"}}) == [
        (0, 1, "valid", SpanMeaning.OTHER), (1, 2, "invalid", SpanMeaning.INVALID),
    ]  # fmt: skip


def test_a_validity_without_words_is_no_verdict() -> None:
    found, findings = spans_of({"annotation.human.validity": [0, 1]})
    assert {span.meaning for span in found} == {SpanMeaning.OTHER}, "0 may be the index of 'valid'"
    assert [finding.check for finding in findings] == ["annotation_without_text"]


def test_robocoin_names_up_to_five_subtasks_at_once() -> None:
    rows = pa.array([[0, -1, -1], [0, 2, -1], [2, -1, -1]], pa.list_(pa.int32(), 3))
    texts = {"0": "left arm lifts", "2": "right arm grasps"}
    assert meant({"subtask_annotation": rows}, subtask_annotation=texts) == [
        (0, 2, "left arm lifts", SpanMeaning.SUBTASK), (1, 3, "right arm grasps", SpanMeaning.SUBTASK),
    ]  # fmt: skip
    scene = {"scene_annotation": pa.array([[3], [3]])}
    assert meant(scene, scene_annotation={"3": "a table"}) == [(0, 2, "a table", SpanMeaning.OTHER)]


def test_habit_has_low_level_tasks_and_three_flags() -> None:
    columns = {
        "low_level_task_index": [4, 4, 5],
        "is_intervention_segment": [False, True, True],
        "is_error_segment": [True, False, False],
        "is_high_jerk_segment": [False, False, True],
    }
    found, _ = spans_of(columns, low_level_task_index={"4": "reach", "5": "lift"})
    assert {(span.track, span.start_ns // STEP_NS, span.meaning) for span in found} == {
        ("low_level_task_index", 0, SpanMeaning.SUBTASK),
        ("low_level_task_index", 2, SpanMeaning.SUBTASK),
        ("is_intervention_segment", 1, SpanMeaning.INTERVENTION),
        ("is_error_segment", 0, SpanMeaning.ERROR),
        ("is_high_jerk_segment", 2, SpanMeaning.OTHER),
    }


def test_how_an_episode_ended_is_said_of_all_of_it_and_marks_no_part() -> None:
    found, _ = spans(REF, dataset_of(texts={}, notes={"task_status": "recovered"}), rows_of({"x": [1, 2]}))
    assert found == [SourceSpan("task_status", 0, 2 * STEP_NS, "recovered", SpanMeaning.OTHER)]


def test_agibot_lists_its_skills_by_frame() -> None:
    notes = {"action_config": [[0, 2, "Grasp the cup", "Pick"], [2, 9, "Lift it", ""], [3, 3, "nothing", "x"]]}
    found, _ = spans(REF, dataset_of(texts={}, notes=notes), rows_of({"x": [1, 2, 3, 4]}))
    assert [(span.track, span.start_ns // STEP_NS, span.end_ns // STEP_NS, span.text) for span in found] == [
        ("action_config", 0, 2, "Grasp the cup"), ("action_config", 2, 4, "Lift it"),
        ("action_config.skill", 0, 2, "Pick"),
    ]  # fmt: skip
    assert [span.meaning for span in found] == [SpanMeaning.SUBTASK, SpanMeaning.SUBTASK, SpanMeaning.ACTION]


@pytest.mark.parametrize(
    "flags", [[False, True, True], pa.array([[False], [True], [True]]), [0.0, 1.0, 1.0], pa.array([[0], [1], [1]])]
)
def test_lerobots_intervention_is_kept_as_truth_or_as_number(flags: Any) -> None:
    assert meant({"complementary_info.is_intervention": flags}) == [(1, 3, "true", SpanMeaning.INTERVENTION)]


def test_numbers_that_are_no_truth_values_are_no_flags() -> None:
    assert meant({"complementary_info.intervention_force": [0.0, 0.4, 1.0], "is_intervention": [["a"]] * 3}) == []


def test_rac_segments_are_policy_recovery_and_correction() -> None:
    assert meant({"segment": ["policy", "recovery", "correction", None]}) == [
        (0, 1, "policy", SpanMeaning.OTHER), (1, 2, "recovery", SpanMeaning.RECOVERY),
        (2, 3, "correction", SpanMeaning.INTERVENTION),
    ]  # fmt: skip


def test_sirius_modes_say_who_steered() -> None:
    assert meant({"action_mode": [-1, 0, 1]}) == [
        (0, 1, "demonstration", SpanMeaning.OTHER), (1, 2, "policy", SpanMeaning.OTHER),
        (2, 3, "intervention", SpanMeaning.INTERVENTION),
    ]  # fmt: skip


def test_robointer_writes_its_annotations_as_texts() -> None:
    assert meant({"annotation.substask": ["reach", "grasp"], "annotation.primitive_skill": ["move", "move"]}) == [
        (0, 2, "move", SpanMeaning.ACTION), (0, 1, "reach", SpanMeaning.SUBTASK), (1, 2, "grasp", SpanMeaning.SUBTASK),
    ]  # fmt: skip


# -- all of them --------------------------------------------------------------------------------------------------


def test_spans_of_all_conventions_stand_in_a_fixed_order() -> None:
    columns = {"subtask": ["b", "a"], "is_error": [False, True], "task_index": [0, 0]}
    found, _ = spans_of(columns, task_index={"0": "fold"})
    assert [(span.track, span.text) for span in found] == [
        ("is_error", "true"), ("subtask", "b"), ("subtask", "a"), ("task_index", "fold"),
    ]  # fmt: skip
