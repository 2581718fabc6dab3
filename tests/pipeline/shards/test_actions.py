"""What an action row is: the target where there is one, else where the arm was one row later."""

import dataclasses

import numpy as np

from pipeline.shards.actions import Control, action_arrays, control_of, state_arrays
from tests.pipeline.shards import corpus

RIGHT_X, RIGHT_ROTATION, RIGHT_OPENING = 10, slice(13, 19), 19


def control(*, target: bool) -> Control:
    return control_of(corpus.track(corpus.episode(0), target=target), corpus.calibration())


def test_without_targets_an_action_is_the_next_state() -> None:
    found = control(target=False)
    np.testing.assert_array_equal(found.action[:-1], found.state[1:])
    np.testing.assert_array_equal(found.action[-1], found.state[-1])
    assert set(found.action_source[10:]) == {"next_state"}
    assert set(found.action_source[:10]) == {"none"}
    assert found.action_known.tolist() == [False] * 10 + [True] * 10


def test_a_target_is_taken_where_the_source_has_one_and_column_by_column() -> None:
    found = control(target=True)
    assert found.action_source[RIGHT_X] == found.action_source[RIGHT_OPENING] == "target"
    assert set(found.action_source[RIGHT_ROTATION]) == {"next_state"}
    np.testing.assert_allclose(found.action[:, RIGHT_X], found.state[:, RIGHT_X] + 0.5)
    np.testing.assert_array_equal(found.action[:-1, RIGHT_ROTATION], found.state[1:, RIGHT_ROTATION])


def test_an_action_made_of_the_next_state_is_valid_only_if_that_is() -> None:
    found = control(target=False)
    assert np.flatnonzero(~found.state_valid).tolist() == [97]
    assert np.flatnonzero(~found.action_valid).tolist() == [96, 97]


def test_an_action_made_of_targets_alone_needs_no_next_state() -> None:
    track = corpus.track(corpus.episode(0), target=True)
    (arm,) = track.target
    whole = dataclasses.replace(track, target=(dataclasses.replace(arm, rotation=track.state[0].rotation),))
    found = control_of(whole, corpus.calibration())
    assert np.flatnonzero(~found.action_valid).tolist() == [97]


def test_without_actions_there_are_no_rows_and_nothing_is_known() -> None:
    found = control_of(None, corpus.calibration("none"))
    for arrays in (action_arrays(found, 0, 0), state_arrays(found, 0, 0)):
        assert arrays["values"].shape == (0, 20)
        assert not arrays["known"].any()
        assert arrays["times_ns"].dtype == np.int64


def test_an_event_gets_its_own_rows_and_the_native_joints() -> None:
    found = control(target=False)
    state = state_arrays(found, 10, 14)
    assert state["times_ns"].tolist() == [t * 20 * corpus.MS for t in range(10, 14)]
    assert state["joints"].tolist() == [[20, 21], [22, 23], [24, 25], [26, 27]]
    assert state["joint_names"].tolist() == ["j0", "j1"]
    action = action_arrays(found, 10, 14)
    np.testing.assert_array_equal(action["values"], found.state[11:15])
    assert "joints" not in action, "the source commands no joints"


def test_finger_joints_are_kept_row_by_row() -> None:
    track = corpus.track(corpus.episode(0))
    (arm,) = track.state
    fingers = dataclasses.replace(arm, fingers=np.arange(300, dtype=np.float32), n_fingers=3)
    found = control_of(dataclasses.replace(track, state=(fingers,)), corpus.calibration())
    assert state_arrays(found, 1, 3)["fingers_right"].tolist() == [[3, 4, 5], [6, 7, 8]]
