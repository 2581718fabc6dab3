"""Events are done where the truth machinery puts the boundaries they end at."""

import pytest

from pipeline.synthetic.task import DemoTask, demo_sources
from pipeline.synthetic.task_events import PUT, put_on
from pipeline.synthetic.trajectory import make_trajectory
from pipeline.synthetic.truth import boundaries_of, nanoseconds, sample_of
from schemas.episode import Arm
from schemas.event import BoundaryKind, Verb


@pytest.mark.parametrize("seed", [0, 2, 4, 8])
def test_events_end_at_the_boundaries_of_the_truth(seed: int) -> None:
    task = DemoTask(demo_sources()["open_robot"])
    task.reset(seed)
    for row in task.demonstration:
        task.step(row)
    (goal,) = task._goals
    history = task._running.hands[Arm.RIGHT].history()
    assert history is not None
    done = dict(zip(PUT, put_on(history, goal.items, 0, goal.support, Arm.RIGHT), strict=True))
    truth = {found.kind: sample_of(found.t_ns) for found in boundaries_of(history, goal.items, Arm.RIGHT)}
    assert done[Verb.REACH] <= truth[BoundaryKind.GRASP]
    assert done[Verb.GRASP] == truth[BoundaryKind.GRASP] + 120
    assert done[Verb.LIFT] == max(truth[BoundaryKind.LIFT], done[Verb.GRASP])
    assert truth[BoundaryKind.LIFT] < done[Verb.MOVE] <= done[Verb.PLACE]
    assert done[Verb.PLACE] == truth[BoundaryKind.SUPPORT]
    assert done[Verb.RELEASE] == truth[BoundaryKind.RELEASE] + 1
    assert done[Verb.RETREAT] - truth[BoundaryKind.RETREAT] in (0, 1)


def test_samples_and_nanoseconds_are_inverses() -> None:
    assert [sample_of(nanoseconds(sample)) for sample in range(2000)] == list(range(2000))


def test_the_order_is_that_of_the_demonstration() -> None:
    """Two arms: what one does stands between what the other does, as in its recordings."""
    task = DemoTask(demo_sources()["teleop"])
    task.reset(0)
    by_arm = {arm: [event.verb for event in task.events if event.arm is arm] for arm in Arm}
    assert list(by_arm.values()) == [list(PUT), list(PUT)]
    assert [event.arm for event in task.events] != sorted(event.arm for event in task.events)
    assert make_trajectory(1, {Arm.RIGHT: ["plain"]}).success
