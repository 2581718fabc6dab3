"""Rows of an episode: the control row nearest to each frame, captions in LeRobot's own shape."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exporters.kinds import kind_of, read_event
from pipeline.exporters.lerobot_rows import (
    ACTION,
    COLUMN_NAMES,
    EVENTS,
    PERSISTENT,
    STATE,
    TIME_NS,
    features_of,
    frame_rows,
    language_array,
    nearest,
    persistent_rows,
    task_of,
)
from pipeline.exporters.target import Language
from pipeline.loader.reader import ShardSet


@given(st.lists(st.integers(0, 100), min_size=1, max_size=9, unique=True), st.lists(st.integers(-5, 110), max_size=9))
def test_each_frame_takes_the_nearest_row(times: list[int], frames: list[int]) -> None:
    rows = nearest(np.array(sorted(times), np.int64), np.array(frames, np.int64))
    for frame, row in zip(frames, rows, strict=True):
        distances = [abs(time - frame) for time in sorted(times)]
        assert row == distances.index(min(distances))


def test_rows_are_those_of_the_event(opened: ShardSet) -> None:
    seen = 0
    for t in range(opened.n_samples("train")):
        event = read_event(opened, "train", t)
        kind = kind_of(event.sample, event.members).kind
        assert kind is not None
        rows = frame_rows(event.sample, event.members, kind)
        times = event.sample.view_times_ns[event.sample.master_view]
        assert np.array_equal(rows.columns[TIME_NS], times)
        np.testing.assert_allclose(rows.columns["timestamp"], np.arange(len(times)) / kind.fps, rtol=1e-6)
        assert (STATE in rows.columns) == (ACTION in rows.columns) == (event.sample.action_T20 is not None)
        if event.sample.action_T20 is None or event.sample.state_T20 is None:
            continue
        seen += 1
        assert event.sample.action_times_ns is not None
        at = [int(np.abs(event.sample.action_times_ns - time).argmin()) for time in times]
        assert np.array_equal(rows.columns[ACTION], event.sample.action_T20[at][:, event.sample.known_20])
        assert np.array_equal(rows.columns[STATE], event.sample.state_T20[at][:, event.sample.state_known_20])
        assert rows.rows_left_over == len(event.sample.action_times_ns) - len(set(at))
    assert seen > 2


def test_columns_are_named_by_arm_and_part() -> None:
    assert len(set(COLUMN_NAMES)) == 20
    assert (COLUMN_NAMES[0], COLUMN_NAMES[9], COLUMN_NAMES[10]) == ("left_x", "left_opening", "right_x")


def test_captions_of_every_level_have_a_place(opened: ShardSet) -> None:
    event = read_event(opened, "train", 0).sample
    captions = {"task": "tidy up", "subtask": "put the cup away", "action": "lift the cup"}
    event = replace(event, captions=captions, level="action")
    assert task_of(event) == "tidy up"
    assert [(row["style"], row["content"]) for row in persistent_rows(event)] == [
        ("subtask", "put the cup away"),
        ("motion", "lift the cup"),
    ]
    whole = replace(event, captions={"task": "tidy up"}, level="task")
    assert persistent_rows(whole) == []


def test_language_has_the_type_lerobot_gives_it() -> None:
    rows = [{"role": "assistant", "content": "a", "style": "subtask", "timestamp": 0.0}]
    persistent = language_array(rows, 3, with_time=True)
    assert [[row["content"] for row in frame] for frame in persistent.to_pylist()] == [["a"]] * 3
    struct = persistent.type.value_type
    assert [field.name for field in struct] == ["role", "content", "style", "timestamp", "camera", "tool_calls"]
    assert struct.field("timestamp").type == pa.float32()
    assert not struct.field("role").nullable
    assert struct.field("tool_calls").type == pa.list_(pa.json_())
    events = language_array([], 3, with_time=False)
    assert events.to_pylist() == [[], [], []]
    assert [field.name for field in events.type.value_type] == ["role", "content", "style", "camera", "tool_calls"]


def test_each_dialect_has_its_columns(opened: ShardSet) -> None:
    events = [read_event(opened, "train", t) for t in range(opened.n_samples("train"))]
    event = next(event for event in events if event.sample.action_T20 is not None)
    kind = kind_of(event.sample, event.members).kind
    assert kind is not None
    columns, index = (features_of(kind, language) for language in (Language.COLUMNS, Language.SUBTASK_INDEX))
    assert set(columns) - set(index) == {PERSISTENT, EVENTS}
    assert set(index) - set(columns) == {"subtask_index", "caption"}
    taken_for_inputs = [name for name in index if name.startswith(("observation", "action"))]
    assert taken_for_inputs == ["observation.state", "action"], "LeRobot's policies take such columns for inputs"
