"""How models of arms are asked: the same scenes for all, and lengths that were known before anything moved."""

import pytest

from jobs.ablate_arms import Regime
from jobs.ablate_judge import SimulatorJudge, planner_of, scene_of
from pipeline.errors import JoineryError
from tests.jobs.ablation import DURATIONS_S, Points
from tests.jobs.test_ablate_plan import shards
from trainer.next_event import NextEvent

__all__ = ["shards"]


def test_scenes_depend_on_seeds_and_episode_alone() -> None:
    found = {scene_of(judged, seed, episode) for judged in (0, 1) for seed in (0, 2, 4) for episode in range(50)}
    assert len(found) == 300
    assert scene_of(0, 2, 7) == scene_of(0, 2, 7)


@pytest.mark.parametrize(
    ("regime", "asked"),
    [
        (Regime("verb", "event"), NextEvent("reach the first point", 0.6)),
        (Regime("verb", "task"), NextEvent("touch both points", 0.6)),
        (Regime("chunk", "event"), NextEvent("reach the first point", 1.65)),
        (Regime("chunk", "task"), NextEvent("touch both points", 1.65)),
    ],
)
def test_what_is_asked_is_the_same_however_long_the_event_will_take(regime: Regime, asked: NextEvent) -> None:
    """Goals near and far: where a length came from the scene, these would differ."""
    for seed in range(20):
        scene = Points(["front"])
        observation = scene.reset(seed)
        assert planner_of(regime, scene, DURATIONS_S, 1.65).next(observation, ()) == asked


def test_the_next_event_is_named_as_soon_as_the_last_is_done() -> None:
    scene = Points(["front"])
    observation = scene.reset(0)
    plans = [planner_of(Regime(length, "event"), scene, DURATIONS_S, 1.0) for length in ("verb", "chunk")]
    pose = observation.state_20.copy()
    pose[10:12] = scene.goal
    observation = scene.step(pose)
    for plan in plans:
        event = plan.next(observation, ())
        assert event is not None
        assert event.text == "reach the second point"


def test_a_simulator_that_is_none_or_has_no_shards_is_refused(shards: str) -> None:
    with pytest.raises(JoineryError, match="no such task; there are demo"):
        SimulatorJudge(shards, "moon")
    with pytest.raises(JoineryError, match="has no events of source 'self_collected'"):
        SimulatorJudge(shards, "demo:self_collected")
