"""A collection plan in the workspace loses an episode's contacts, demonstrations and pictures."""

import shutil
from pathlib import Path

from jobs.forget_recovery import forget_in_plans
from jobs.recover import make_recovery_plan
from jobs.river import RIVER
from jobs.run import RunResult
from pipeline.ledger import Ledger
from pipeline.recovery.folder import load_plan
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe


def test_what_is_planned_with_it_goes_and_the_rest_stays(
    reference: tuple[RunResult, LoadedRecipe], tmp_path: Path
) -> None:
    recipe = reference[1].recipe
    shutil.copytree(recipe.workspace.url, tmp_path / "workspace")
    workspace = Workspace.existing(str(tmp_path / "workspace"))
    ledger = Ledger(workspace, recipe, RIVER)
    ledger.refresh_all()
    out = tmp_path / "workspace" / "contacts"
    before = make_recovery_plan(workspace, ledger, recipe, out)
    episode = next(event.episode_id for event in before.events if event.demonstration)
    own = [event for event in before.events if event.episode_id == episode]
    assert forget_in_plans(tmp_path, [episode]) == len(own)
    after, _ = load_plan(out)
    assert after.events == [event for event in before.events if event.episode_id != episode] != []
    assert after.n_contacts == before.n_contacts - len(own)
    for path in out.rglob("*"):
        assert not path.is_file() or episode.encode() not in path.read_bytes(), path
        assert not any(event.event_id in path.name for event in own), path
    assert forget_in_plans(tmp_path, [episode]) == 0
