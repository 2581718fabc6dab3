"""LeRobot's two language columns: what is in force, and what was said on one row."""

import json
from typing import Any

import pyarrow as pa
import pytest

from pipeline.sources.lerobot.lerobot_language import language_spans
from schemas.episode import SourceSpan, SpanMeaning
from tests.pipeline.sources.one_episode import STEP_NS, rows_of

N_ROWS = 4


def item(style: str | None, content: str | None, seconds: float | None = None, **more: Any) -> dict[str, Any]:
    """One entry, with the fields ``lerobot-annotate`` writes."""
    found = {"role": "assistant", "content": content, "style": style, "camera": None, "tool_calls": None, **more}
    return found if seconds is None else {**found, "timestamp": seconds}


def persistent(*items: dict[str, Any]) -> list[SourceSpan]:
    return list(language_spans(rows_of({"language_persistent": pa.array([list(items)] * N_ROWS)})))


def events(*rows: list[dict[str, Any]]) -> list[SourceSpan]:
    return list(language_spans(rows_of({"language_events": pa.array(rows)})))


def told(spans: list[SourceSpan]) -> list[tuple[int, int, str]]:
    return [(span.start_ns // STEP_NS, span.end_ns // STEP_NS, span.text) for span in spans]


def test_a_text_is_in_force_until_the_next_of_its_style() -> None:
    found = persistent(
        item("subtask", "grasp", 0.1), item("plan", "reach, then grasp", 0.0), item("subtask", "reach", 0.0)
    )
    assert told(found) == [(0, 4, "reach, then grasp"), (0, 2, "reach"), (2, 4, "grasp")]


def test_texts_start_on_the_nearest_row_and_need_one() -> None:
    assert told(persistent(item("subtask", "grasp", 0.06), item("subtask", "lift", 9.0))) == [(1, 4, "grasp")]


def test_texts_without_words_end_nothing() -> None:
    found = persistent(item("subtask", "reach", 0.0), item("subtask", None, 0.1), item("subtask", "…", 0.1))
    assert told(found) == [(0, 4, "reach")]


def test_wordings_of_one_task_stand_side_by_side() -> None:
    found = persistent(item("task_aug", "fold it", 0.0), item("task_aug", "fold the towel", 0.0))
    assert told(found) == [(0, 4, "fold it"), (0, 4, "fold the towel")]
    assert {span.meaning for span in found} == {SpanMeaning.TASK}


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_text_without_a_time_is_left_out(seconds: float) -> None:
    assert persistent(item("subtask", "grasp", seconds)) == []


@pytest.mark.parametrize(
    ("style", "meaning"),
    [
        ("subtask", SpanMeaning.SUBTASK),
        ("motion", SpanMeaning.ACTION),
        ("task_aug", SpanMeaning.TASK),
        ("plan", SpanMeaning.OTHER),
        ("memory", SpanMeaning.OTHER),
        ("somebody's own", SpanMeaning.OTHER),
    ],
)
def test_every_style_has_a_meaning_and_keeps_its_name(style: str, meaning: SpanMeaning) -> None:
    assert persistent(item(style, "x", 0.0)) == [SourceSpan(style, 0, N_ROWS * STEP_NS, "x", meaning)]


def test_an_episode_without_texts_has_none() -> None:
    kind = pa.list_(pa.struct({"style": pa.string(), "content": pa.string(), "timestamp": pa.float64()}))
    assert list(language_spans(rows_of({"language_persistent": pa.array([None, None], kind)}))) == []
    assert list(language_spans(rows_of({"x": [1]}))) == []


def test_an_event_is_on_its_row() -> None:
    found = events([], [item("interjection", "stop", role="user")], [])
    assert found == [SourceSpan("interjection", STEP_NS, 2 * STEP_NS, "stop", SpanMeaning.SPEECH)]


def test_questions_and_traces_are_about_one_camera() -> None:
    found = events(
        [item("vqa", "is it open?", camera="observation.images.top"), item("trace", "[[1, 2]]", camera="top")]
    )
    assert [(span.track, span.meaning) for span in found] == [
        ("vqa/observation.images.top", SpanMeaning.OTHER), ("trace/top", SpanMeaning.OTHER),
    ]  # fmt: skip


@pytest.mark.parametrize("as_text", [True, False], ids=["JSON text", "objects"])
def test_what_the_robot_says_is_in_a_tool_call(as_text: bool) -> None:
    call: Any = {"type": "function", "function": {"name": "say", "arguments": {"text": "on it"}}}
    found = events([item(None, None, tool_calls=[json.dumps(call) if as_text else call])])
    assert found == [SourceSpan("say", 0, STEP_NS, "on it", SpanMeaning.SPEECH)]


@pytest.mark.parametrize("call", ["{", "[]", '{"function": {"name": "grip"}}', "[" * 5000])
def test_other_tool_calls_say_nothing(call: str) -> None:
    assert events([item(None, None, tool_calls=[call])]) == []
