"""What a rollout leaves for the next run; `tests.jobs.test_recover` has whole rollouts."""

import yaml

from jobs.rollout import recipe_text
from pipeline.recovery.plan import collection_plan
from schemas.event import Verb
from schemas.recipe_recover import RecoverSpec
from schemas.recovery_plan import ParentSource, RolloutResult, StartKind

PARENT = {"name": "lab", "kind": "teleop", "protocol": "structured", "card": {"licence": "CC-BY-4.0"}}


def result(kind: StartKind, recording: str) -> RolloutResult:
    said = {"start_id": "st-1", "event_id": "ev-1", "episode_id": "ep-1", "source": "lab", "verb": Verb.GRASP}
    return RolloutResult.model_validate({**said, "kind": kind, "status": "recorded", "recording": recording})


def test_only_what_was_recorded_becomes_a_source() -> None:
    plan = collection_plan(RecoverSpec(), [ParentSource.model_validate(PARENT)], [], 0)
    recorded = [result(StartKind.PERTURBED, "recordings/lab/perturbed/st-1"), result(StartKind.NOMINAL, "")]
    recipe = yaml.safe_load(recipe_text(plan, recorded))
    (source,) = recipe["sources"]
    assert recipe["align"] == {"correct": False, "on_rejected": "keep"}, "a simulator's clock is exact"
    assert (source["name"], source["kind"], source["path"]) == ("lab_recovery", "recovery", "recordings/lab/perturbed")
    assert source["card"]["licence"] == "CC-BY-4.0"
