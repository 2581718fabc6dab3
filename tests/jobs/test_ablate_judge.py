"""How models of arms are asked: the same scenes for all, and lengths that were known before anything moved."""

import pytest

from jobs.ablate_arms import Regime
from jobs.ablate_judge import SimulatorJudge, planner_of, scene_of
from pipeline.errors import JoineryError
from tests.jobs.ablation import DURATIONS_S, Points
from tests.jobs.test_ablate_plan import shards
from trainer.eval.rollout import Request

__all__ = ["shards"]


def test_scenes_depend_on_seeds_and_episode_alone() -> None:
    found = {scene_of(judged, seed, episode) for judged in (0, 1) for seed in (0, 2, 4) for episode in range(50)}
    assert len(found) == 300
    assert scene_of(0, 2, 7) == scene_of(0, 2, 7)


@pytest.mark.parametrize(
    ("regime", "asked"),
    [
        (Regime("verb", "event"), Request("reach the first point", 0.6)),
        (Regime("verb", "task"), Request("touch both points", 0.6)),
        (Regime("chunk", "event"), Request("reach the first point", 1.65)),
        (Regime("chunk", "task"), Request("touch both points", 1.65)),
    ],
)
def test_what_is_asked_is_the_same_however_long_the_event_will_take(regime: Regime, asked: Request) -> None:
    """Goals near and far: where a length came from the scene, these would differ."""
    plan = planner_of(regime, DURATIONS_S, 1.65)
    for seed in range(20):
        scene = Points(["front"])
        scene.reset(seed)
        assert plan(scene) == asked


def test_the_next_event_is_named_as_soon_as_the_last_is_done() -> None:
    scene = Points(["front"])
    first = scene.reset(0)
    while scene.events_done == 0:
        pose = first.state_20.copy()
        pose[10:12] = scene._goals[0]
        scene.step(pose)
    assert planner_of(Regime("chunk", "event"), DURATIONS_S, 1.0)(scene).text == "reach the second point"
    assert planner_of(Regime("verb", "event"), DURATIONS_S, 1.0)(scene).text == "reach the second point"


def test_a_simulator_that_is_none_or_has_no_shards_is_refused(shards: str) -> None:
    with pytest.raises(JoineryError, match="no such task; there are demo"):
        SimulatorJudge(shards, "moon")
    with pytest.raises(JoineryError, match="has no events of source 'self_collected'"):
        SimulatorJudge(shards, "demo:self_collected")
