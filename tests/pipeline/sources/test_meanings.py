"""What datasets call their annotations, in our words."""

import pytest

from pipeline.sources import meanings
from schemas.episode import SpanMeaning


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        ("task_index", SpanMeaning.TASK),
        ("annotation.human.action.task_description", SpanMeaning.TASK),
        ("annotation.human.coarse_action", SpanMeaning.TASK),
        ("coarse_task_index", SpanMeaning.TASK),
        ("subtask_index", SpanMeaning.SUBTASK),
        ("subtask_annotation", SpanMeaning.SUBTASK),
        ("low_level_task_index", SpanMeaning.SUBTASK),
        ("annotation.substask", SpanMeaning.SUBTASK),
        ("annotation.primitive_skill", SpanMeaning.ACTION),
        ("scene_annotation", SpanMeaning.OTHER),
    ],
)
def test_a_column_is_about_what_its_name_says(column: str, meaning: SpanMeaning) -> None:
    assert meanings.of_name(column) is meaning


@pytest.mark.parametrize(
    ("column", "meaning"),
    [
        ("is_intervention_segment", SpanMeaning.INTERVENTION),
        ("complementary_info.is_intervention", SpanMeaning.INTERVENTION),
        ("is_error_segment", SpanMeaning.ERROR),
        ("is_recovery_segment", SpanMeaning.RECOVERY),
        ("is_high_jerk_segment", SpanMeaning.OTHER),
        ("next.done", None),
    ],
)
def test_a_flag_marks_what_its_name_says(column: str, meaning: SpanMeaning | None) -> None:
    assert meanings.of_flag(column) is meaning


@pytest.mark.parametrize("text", ["invalid", "Invalid: gripper slipped", "unqualified", "not_valid", "bad"])
def test_a_verdict_against_rows_makes_them_invalid(text: str) -> None:
    assert meanings.of_verdict(text) is SpanMeaning.INVALID


@pytest.mark.parametrize("text", ["valid", "qualified", "0", "1", ""])
def test_any_other_verdict_does_not(text: str) -> None:
    assert meanings.of_verdict(text) is SpanMeaning.OTHER


@pytest.mark.parametrize(
    ("word", "others", "meaning"),
    [
        ("recovery", {"policy", "recovery", "correction"}, SpanMeaning.RECOVERY),
        ("correction", {"policy", "recovery", "correction"}, SpanMeaning.INTERVENTION),
        ("policy", {"policy", "recovery"}, SpanMeaning.OTHER),
        ("Human", {"policy", "Human"}, SpanMeaning.INTERVENTION),
        ("human", {"human"}, SpanMeaning.OTHER),
        ("drop", {"drop", "reach"}, SpanMeaning.ERROR),
        ("reach", {"drop", "reach"}, SpanMeaning.OTHER),
    ],
)
def test_a_person_among_machines_intervenes_and_a_person_alone_demonstrates(
    word: str, others: set[str], meaning: SpanMeaning
) -> None:
    assert meanings.of_segment(word, others) is meaning


def test_sirius_modes_have_words() -> None:
    assert [meanings.mode_text("action_mode", value) for value in (-1, 0, 1, 7)] == [
        "demonstration", "policy", "intervention", "7",
    ]  # fmt: skip
    assert meanings.mode_text("intv_label", -10) == "before_intervention"
