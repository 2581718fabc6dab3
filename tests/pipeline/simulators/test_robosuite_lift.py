"""The MuJoCo task in the simulators' environment: an expert does all of it, an idler nothing, and half counts half."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.recovery.demonstration import Pose
from pipeline.simulators.named import ROBOSUITE_LIFT, task_named
from pipeline.simulators.piped import PYTHON
from pipeline.simulators.task import SimulatedTask
from schemas.episode import Arm
from schemas.event import Verb

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def task() -> Iterator[SimulatedTask]:
    if not (ROOT / PYTHON).exists():
        pytest.skip("the simulators' environment is not there: `make sim` makes it")
    with closing(task_named(ROBOSUITE_LIFT)) as found:
        yield found


def test_an_expert_lifts_the_cube_and_puts_it_back(task: SimulatedTask) -> None:
    for seed in (0, 2):
        task.reset(seed)
        for told in task.demonstration:
            task.step(told)
        assert all(task.done())
        assert task.success()


def test_who_does_nothing_has_done_nothing(task: SimulatedTask) -> None:
    resting = task.reset(0).arms
    for _ in range(60):
        task.step(resting)
    assert not any(task.done())
    assert not task.success()


def test_half_a_task_is_half_done(task: SimulatedTask) -> None:
    moment = task.reset(4)
    held_up = 0
    for told in task.demonstration:
        moment = task.step(told)
        held_up = sum(task.done())
        if held_up == 3:
            break
    for told_opening in (0.0, 1.0):  # held up, then dropped: a fall is no placing
        for _ in range(20):
            pose = told[Arm.RIGHT]
            moment = task.step({Arm.RIGHT: Pose(pose.position, pose.rotation, told_opening)})
    verbs = [event.verb for event in task.events]
    assert verbs == [Verb.REACH, Verb.GRASP, Verb.LIFT, Verb.PLACE, Verb.RELEASE, Verb.RETREAT]
    assert list(task.done()) == [True, True, True, False, False, False]
    assert not task.success()
    picture = moment.pictures["front"]
    assert picture.shape == (128, 128, 3)
    assert picture.std() > 10, "something is to be seen"


def test_the_same_seed_and_setpoints_lead_to_the_same_place(task: SimulatedTask) -> None:
    ends = []
    for _ in range(2):
        moment = task.reset(6)
        for told in task.demonstration[:40]:
            moment = task.step(told)
        ends.append(moment.arms[Arm.RIGHT].position.tolist())
    assert ends[0] == ends[1]
