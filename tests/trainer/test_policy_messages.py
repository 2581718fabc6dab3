"""Messages between a policy's server and its clients; what is wrong in them is tested over a real connection."""

from typing import Any

import numpy as np
import pytest

from tests.trainer.policies import DURATIONS_S, observation
from trainer.next_event import Durations, PastEvent
from trainer.policy import ActionChunk
from trainer.policy_messages import answer_of, asked_of, chunk_of
from trainer.sampling import Sampling

DURATIONS = Durations(DURATIONS_S)


def message(**changes: Any) -> dict[str, Any]:
    seen = observation()
    return {"images": dict(seen.pictures), "state": seen.state_20.tolist(), **changes}


def test_a_state_is_known_where_it_is_finite() -> None:
    state = np.full(20, np.nan)
    state[[0, 9]] = 1.0
    asked = asked_of(message(state=state), DURATIONS)
    assert np.flatnonzero(asked.observation.state_known_20).tolist() == [0, 9]
    told = asked_of(message(state=state, state_known=np.zeros(20, np.bool_)), DURATIONS)
    assert not told.observation.state_known_20.any()


def test_a_task_leaves_event_and_duration_to_the_planner() -> None:
    asked = asked_of(message(task="clear the table", past=["grasp the cup"]), DURATIONS)
    assert (asked.task, asked.duration_s, asked.past) == ("clear the table", None, (PastEvent("grasp the cup", 0.0),))
    for wrong in ({"task": 3}, {"task": "clear", "duration_s": 1.0}, {"task": "clear", "past": "grasp"}):
        with pytest.raises(ValueError, match=r"task: expected|past: expected"):
            asked_of(message(**wrong), DURATIONS)


def test_a_video_is_imagined_for_who_asks_or_always() -> None:
    silent, asking = (asked_of(message(video=video), DURATIONS) for video in (False, True))
    assert [each.sampling(Sampling()).video for each in (silent, asking)] == [False, True]
    assert silent.sampling(Sampling(video=True)).video


def test_vectors_stand_in_for_a_prompt() -> None:
    vectors = np.ones((3, 16), np.float64)
    found = asked_of(message(prompt_vectors=vectors), DURATIONS).observation.text_SC
    assert found is not None
    assert found.shape == (3, 16)
    for wrong in (np.ones(3), np.ones((0, 4)), np.ones((2, 2), np.int64), [[1.0]]):
        with pytest.raises(ValueError, match="prompt_vectors"):
            asked_of(message(prompt_vectors=wrong), DURATIONS)


def test_a_chunk_comes_back_as_it_was_with_poses_beside_it() -> None:
    actions, seen = np.zeros((2, 20), np.float32), observation("lift the cup")
    actions[:, 0] = 0.0, 0.25
    chunk = ActionChunk(actions, seen.state_known_20, np.array([0.0, 0.1]), 0.2)
    answer = answer_of(chunk, seen, 5.0, 1.0)
    assert answer["prompt"] == "lift the cup"
    np.testing.assert_allclose(answer["poses"][:, 0] - seen.state_20[0], [0.0, 0.25], atol=1e-6)
    back = chunk_of(answer)
    assert np.array_equal(back.actions_20, chunk.actions_20)
    assert (back.duration_s, back.video) == (0.2, None)
