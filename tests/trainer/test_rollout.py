"""Rollouts: whole events, fixed chunks, the sources of their text, and what is written down."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainer.policies import CAMERAS, DURATIONS_S, Reaching, checkpoint_in
from trainer.next_event import AsTold, Durations, NextEvent, PastEvent, Script
from trainer.policy import ActionChunk, Observation, WallWMPolicy, load_policy
from trainer.rollout import event_rollout, seed_of, unified_rollout
from trainer.text_source import GlobalInstruction, ShortInstruction, Switched, Thoughts

DURATIONS = Durations(DURATIONS_S)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> WallWMPolicy:
    return load_policy(checkpoint_in(tmp_path_factory.mktemp("run")))


class Guided:
    """Goes straight to where the text's target is: what a perfect policy would do."""

    def __init__(self, targets: Sequence[tuple[float, float]]) -> None:
        self._targets = targets
        self.seen: list[tuple[str, float, int, Tensor | None]] = []

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:
        self.seen.append((observation.text, duration_s, seed, observation.text_SC))
        target = np.array(self._targets[int(observation.text.split()[-1])])
        actions = np.zeros((2, 20), np.float32)
        actions[1, :2] = target - observation.state_20[:2]
        known = np.zeros(20, np.bool_)
        known[[0, 1, 2, 9]] = True
        return ActionChunk(actions, known, np.array([0.0, 0.5 * duration_s]), duration_s)


TARGETS = ((0.35, 0.1), (0.3, 0.2))


def test_whole_events_are_executed_and_then_looked_at_again() -> None:
    scene, policy = Reaching(TARGETS), Guided(TARGETS)
    rollout = event_rollout(policy, AsTold(DURATIONS), scene, seed=4, max_s=20)
    assert [(act.text, act.source, act.asked_s) for act in rollout.acts] == [
        ("move to target 0", "planner", 1.0), ("move to target 1", "planner", 1.0),
    ]  # fmt: skip
    assert (rollout.done, rollout.progress, rollout.progress_after) == (True, 100.0, (50.0, 100.0))
    assert len(rollout.acts[0].commanded_T20) == 20, "all of the event, though its goal was reached before its end"
    assert rollout.ticks == len(scene.told) == sum(len(act.commanded_T20) for act in rollout.acts)
    np.testing.assert_array_equal(np.concatenate([act.commanded_T20 for act in rollout.acts]), scene.told)
    second = rollout.acts[1]
    np.testing.assert_allclose(second.anchor_20[:2], rollout.acts[0].reached_T20[-1, :2])
    np.testing.assert_allclose(rollout.acts[0].commanded_T20[-1, :2], TARGETS[0], atol=1e-6)
    assert np.isnan(second.reached_T20[:, 3]).all(), "what a scene does not know it does not say"
    assert [seed for _, _, seed, _ in policy.seen] == [seed_of(4, 0), seed_of(4, 1)]


def test_a_rollout_ends_with_its_time_in_the_middle_of_an_event() -> None:
    rollout = event_rollout(Guided([(9.0, 9.0)]), AsTold(DURATIONS), Reaching([(9.0, 9.0)]), seed=0, max_s=1.6)
    assert [len(act.commanded_T20) for act in rollout.acts] == [20, 12]
    assert (rollout.done, rollout.progress) == (False, 0.0)


def test_a_rollout_ends_when_the_planner_has_nothing_left() -> None:
    script = Script((NextEvent("move to target 0", 0.5),))
    rollout = event_rollout(Guided(TARGETS), script, Reaching(TARGETS), seed=0, max_s=20)
    assert [(act.text, len(act.commanded_T20)) for act in rollout.acts] == [("move to target 0", 10)]


class Thinking:
    """Latents that depend on what is seen."""

    def __init__(self, width: int) -> None:
        self.width, self.times = width, 0

    def think(self, observation: Observation, instruction: str, history: Sequence[PastEvent]) -> Tensor:
        del history
        self.times += 1
        brightness = float(observation.pictures[CAMERAS[0]].mean()) / 255
        return torch.full((4, self.width), brightness + len(instruction))


def test_the_source_of_the_text_is_switched_in_mid_rollout() -> None:
    embedded: list[str] = []

    def embed(text: str) -> Tensor:
        embedded.append(text)
        return torch.ones(2, 8)

    policy, thinking = Guided([(9.0, 9.0)] * 2), Thinking(8)
    script = Script(tuple(NextEvent(f"move to target {n % 2}", 99.0) for n in range(9)))
    source = Switched(
        {
            0: GlobalInstruction("reach target 1", embed),
            2: ShortInstruction(script),
            4: Thoughts(thinking, "think of target 0"),
        }
    )
    rollout = unified_rollout(policy, source, Reaching([(9.0, 9.0)]), 0.5, seed=0, max_s=3.0)
    assert [act.source for act in rollout.acts] == ["global"] * 2 + ["short"] * 2 + ["thoughts"] * 2
    assert [act.text for act in rollout.acts] == [
        "reach target 1", "reach target 1", "move to target 0", "move to target 1",
        "think of target 0", "think of target 0",
    ]  # fmt: skip
    assert {len(act.commanded_T20) for act in rollout.acts} == {10}, "chunks of one length, whatever the text says"
    assert embedded == ["reach target 1"], "embedded once"
    assert thinking.times == 2, "thought before every chunk"
    assert [text_SC is not None for *_, text_SC in policy.seen] == [True, True, False, False, True, True]


def test_the_first_chunk_needs_a_source() -> None:
    with pytest.raises(ValueError, match=r"from chunks \[1\]"):
        Switched({1: ShortInstruction(Script(()))})


def test_the_model_itself_rolls_out_the_same_way_twice(model: WallWMPolicy) -> None:
    sources = Switched({0: GlobalInstruction("touch all", model.embed), 1: Thoughts(Thinking(16), "touch all")})
    for roll in (
        lambda: event_rollout(model, AsTold(DURATIONS), Reaching(), seed=1, max_s=2.0),
        lambda: unified_rollout(model, sources, Reaching(), 0.5, seed=1, max_s=1.5),
    ):
        one, again = roll(), roll()
        assert one.ticks == again.ticks > 0
        for act, same in zip(one.acts, again.acts, strict=True):
            assert np.array_equal(act.commanded_T20, same.commanded_T20)
            assert np.array_equal(act.chunk.actions_20, same.chunk.actions_20)


def test_what_a_source_says_reaches_the_model(model: WallWMPolicy) -> None:
    """A text by three ways: as words, embedded, thought (vectors that are the embedded text)."""

    class Echo:
        def think(self, observation: Observation, instruction: str, history: Sequence[PastEvent]) -> Tensor:
            del observation, history
            return model.embed(instruction)

    sources = (
        ShortInstruction(Script((NextEvent("touch all", 1.0),))),
        GlobalInstruction("touch all", model.embed),
        Thoughts(Echo(), "touch all"),
        GlobalInstruction("leave", model.embed),
    )
    told, embedded, thought, other = (
        unified_rollout(model, source, Reaching(), 0.5, seed=0, max_s=0.5).acts[0].chunk.actions_20
        for source in sources
    )
    np.testing.assert_allclose(told, embedded, atol=1e-6)
    np.testing.assert_array_equal(embedded, thought)
    assert np.abs(told - other).max() > 1e-5


def test_history_is_what_was_done_not_what_was_asked() -> None:
    told: list[Sequence[PastEvent]] = []

    class Listening:
        def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
            told.append(tuple(history))
            return NextEvent("move to target 0", 0.52) if len(history) < 2 else None

    event_rollout(Guided([(9.0, 9.0)]), Listening(), Reaching([(9.0, 9.0)]), seed=0, max_s=9.0)
    assert told == [(), (PastEvent("move to target 0", 0.5),), (PastEvent("move to target 0", 0.5),) * 2]
