"""End to end: what shards say of an episode, told to the simulator in a policy's units, is that episode again."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from annotators.words.template import load_templates
from jobs.environments import TaskEnvironment, caption_of, openings_of
from jobs.run import RunResult
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample
from pipeline.simulators.task import TaskEvent
from pipeline.synthetic.task import DemoTask, demo_sources
from schemas.calibration import OpeningScale
from schemas.displacement import absolute_from
from schemas.episode import Arm
from schemas.event import Verb
from schemas.recipe_file import LoadedRecipe

PLACES = [0, 1, 2, 10, 11, 12]
CORPUS_SEED = 3
"""Of the corpus in conftest."""


@pytest.fixture(scope="module")
def shards(reference: tuple[RunResult, LoadedRecipe]) -> ShardSet:
    return ShardSet.open(str(Path(reference[1].recipe.workspace.url) / "shards"))


def events_of(shards: ShardSet, source: str, locator: str) -> list[EventSample]:
    """Every event of an episode once, in time order."""
    every = [shards.read(split, t) for split in shards.splits for t in range(shards.n_samples(split))]
    mine = [s for s in every if (s.record["lineage"]["source"], s.record["lineage"]["locator"]) == (source, locator)]
    return sorted({sample.event_id: sample for sample in mine}.values(), key=lambda sample: sample.span.start_ns)


@pytest.mark.parametrize("source", list(demo_sources()))
def test_recorded_actions_in_a_policys_units_lead_where_they_led(shards: ShardSet, source: str) -> None:
    """Ingested, calibrated, cut, made relative, normalised; and back, from what the simulator's sensors say."""
    task = DemoTask(demo_sources()[source])
    environment = TaskEnvironment(task, openings_of(shards, source))
    seen = environment.observed(task.again(CORPUS_SEED, 0))
    events = events_of(shards, source, "episode_index=0")
    for event in events:
        stats, relative = shards.stats(event.statistics_group), event.relative_action()
        assert relative is not None
        assert event.state_T20 is not None
        units = stats.normalise(relative)
        there = (seen.state_20 - event.state_T20[0])[PLACES]
        assert np.abs(there).max() < 0.02, "the simulator's arm is where the recording's was"
        for pose_20 in absolute_from(stats.denormalise(units), seen.state_20, event.known_20):
            seen = environment.step(pose_20)
    assert list(events[0].views) == list(seen.pictures)[: len(events[0].views)]
    assert events[-1].span.end_ns - events[0].span.start_ns == task._whole.end_ns
    assert all(environment.which_done())
    assert environment.done
    assert environment.progress() == 100.0


def test_captions_are_those_of_the_training_set(shards: ShardSet) -> None:
    """Of the plain events of an episode whose item the river could name; a direction may be another word."""
    task = DemoTask(demo_sources()["open_robot"])
    environment = TaskEnvironment(task, openings_of(shards, "open_robot"))
    environment.observed(task.again(CORPUS_SEED, 0))
    recorded = [event.caption for event in events_of(shards, "open_robot", "episode_index=0")]
    assert list(environment.events) == recorded


def test_openings_are_told_and_shown_on_the_datasets_scale() -> None:
    """A gripper that measures 0.4 to 0.9 between closed and open, as a hand-held one does."""
    none = np.empty(0, np.float32)
    scale = OpeningScale(Arm.RIGHT, "opening", 0.4, 0.9, True, none, none)
    task = DemoTask(demo_sources()["open_robot"])
    environment = TaskEnvironment(task, [scale])
    seen = environment.reset(0)
    assert seen.state_20[19] == 1.0, "wider than the widest that was measured"
    told = seen.state_20.copy()
    told[19] = 0.5
    for _ in range(20):
        seen = environment.step(told)
    (pose,) = task._running.poses.values()
    assert pose.opening == pytest.approx(0.65)
    assert seen.state_20[19] == pytest.approx(0.5, abs=0.05)


def test_a_gripper_without_a_scale_is_unknown_and_left_alone() -> None:
    task = DemoTask(demo_sources()["open_robot"])
    environment = TaskEnvironment(task, [])
    seen = environment.reset(0)
    assert not seen.state_known_20[19]
    assert seen.state_known_20[10:19].all()
    assert not seen.state_known_20[:10].any()
    for _ in range(5):
        seen = environment.step(seen.state_20)
    (pose,) = task._running.poses.values()
    assert pose.opening == pytest.approx(1.0, abs=0.1)


def test_an_observation_says_what_is_next() -> None:
    task = DemoTask(demo_sources()["open_robot"])
    none = np.empty(0, np.float32)
    environment = TaskEnvironment(task, [OpeningScale(Arm.RIGHT, "opening", 0.0, 1.0, True, none, none)])
    said: list[str] = [environment.reset(4).text]
    told: Sequence[np.ndarray] = environment.demonstration()  # type: ignore[type-arg]
    for pose_20 in told:
        text = environment.step(pose_20).text
        said += [text] if text != said[-1] else []
    assert said == [*environment.events, ""]
    assert environment.done
    assert environment.verbs[0] == "reach"


def test_captions_without_a_name_or_a_template() -> None:
    words = load_templates("en")
    assert caption_of(TaskEvent(Verb.REACH, Arm.LEFT, ""), words) == "Reach for the object with the left arm"
    move = TaskEvent(Verb.MOVE, Arm.LEFT, "cube", "on the mat", (0.0, -0.2, 0.0))
    assert caption_of(move, words) == "Move the cube to the right with the left arm"


def test_a_source_the_shards_do_not_have_is_told(shards: ShardSet) -> None:
    with pytest.raises(JoineryError, match="robosuite"):
        openings_of(shards, "robosuite")
