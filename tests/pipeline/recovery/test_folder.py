"""Plans and demonstrations read from a folder that anybody may have edited."""

from pathlib import Path

import pytest

from pipeline.errors import JoineryError
from pipeline.recovery.folder import load_demonstration, load_plan, write
from pipeline.recovery.plan import collection_plan
from schemas.event import BoundaryKind
from schemas.recipe_recover import RecoverSpec
from schemas.recovery_plan import PLAN
from tests.pipeline.recovery.made import MadeEpisode


def test_a_plan_is_found_by_its_folder_or_its_file(episode: MadeEpisode, tmp_path: Path) -> None:
    plan = collection_plan(RecoverSpec(), [], [episode.planned(BoundaryKind.GRASP)[0]], 1)
    write(tmp_path / PLAN, plan.model_dump_json().encode())
    assert load_plan(tmp_path) == load_plan(tmp_path / PLAN) == (plan, tmp_path)


def test_a_plan_that_is_none_names_the_key(tmp_path: Path) -> None:
    write(tmp_path / PLAN, b'{"joinery_recovery_plan": 2}')
    with pytest.raises(JoineryError, match=r"plan.json: joinery_recovery_plan: .*make it again"):
        load_plan(tmp_path)


def test_a_demonstration_outside_of_the_folder_is_not_read(episode: MadeEpisode, tmp_path: Path) -> None:
    event, _ = episode.planned(BoundaryKind.GRASP)
    with pytest.raises(JoineryError, match="outside of the plan's folder"):
        load_demonstration(tmp_path, event.model_copy(update={"demonstration": "../secret.npz"}))
    with pytest.raises(JoineryError, match="make the plan again"):
        load_demonstration(tmp_path, event)
