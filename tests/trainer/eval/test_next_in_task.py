"""The next event that is not done, for as long as its verb usually takes."""

from tests.trainer.policies import Reaching
from trainer.eval.next_in_task import NextInTask
from trainer.next_event import NextEvent


def test_events_follow_physics_and_durations_the_verb() -> None:
    scene = Reaching()
    scene.verbs = ("move", "retreat")  # a retreat that says "move"
    planner = NextInTask(scene, {"": 9.0, "move": 1.0})  # type: ignore[arg-type]
    seen = scene.reset(0)
    assert planner.next(seen, []) == NextEvent("move to target 0", 1.0)
    scene._done = 1
    assert planner.next(seen, []) == NextEvent("move to target 1", 9.0), "by its verb, not by its words"
    scene._done = 2
    assert planner.next(seen, []) is None
    assert planner.patience_s() == 20.0
