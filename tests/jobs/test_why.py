"""Why: every finding stands under the name of the recording that is used."""

import json

import pytest

from jobs.river import RIVER
from jobs.run import run_recipe
from jobs.why import Reasons, why
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.runs import Silent
from tests.pipeline.films import drifting, film, grey


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> LoadedRecipe:
    """One recording in two sources under two names, its first half second black; a run over both."""
    folder = tmp_path_factory.mktemp("twice")
    data = film([grey(0)] * 10 + drifting(60))
    for source, name in (("first", "kept.mp4"), ("second", "copy.mp4")):
        (folder / source).mkdir()
        (folder / source / name).write_bytes(data)
    sources = [
        {"format": "video_folder", "name": name, "path": str(folder / name), "card": {"licence": "MIT"}}
        for name in ("second", "first")
    ]
    recipe = {"joinery": 1, "workspace": {"url": str(folder / "ws")}, "sources": sources, "run": {"executor": "inline"}}
    (folder / "recipe.yaml").write_text(json.dumps(recipe))
    loaded = load_recipe(folder / "recipe.yaml")
    run_recipe(loaded, Silent())
    return loaded


def reasons(loaded: LoadedRecipe, subject: str | None = None) -> Reasons:
    workspace = Workspace.open(loaded.recipe.workspace.url, {})
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return why(workspace, ledger, loaded.recipe, subject)


def test_a_recording_listed_twice_is_called_by_the_copy_that_is_used(twice: LoadedRecipe) -> None:
    found = reasons(twice)
    black = next(finding for finding in found.findings if finding.check == "black_end")
    assert black.source == "first"
    assert found.locators[black.subject] == "first: kept.mp4"
    duplicate = next(finding for finding in found.findings if finding.check == "duplicate_recording")
    assert (duplicate.source, duplicate.message.split(":")[0]) == ("second", "copy.mp4")


@pytest.mark.parametrize("name", ["kept.mp4", "copy.mp4"])
def test_either_name_leads_to_the_findings_and_the_answer_names_the_one_used(twice: LoadedRecipe, name: str) -> None:
    found = reasons(twice, name)
    assert [finding.check for finding in found.findings] == ["black_end"]
    assert set(found.locators.values()) == {"first: kept.mp4"}
