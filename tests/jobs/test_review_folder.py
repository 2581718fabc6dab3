"""Where reviews are looked for."""

from pathlib import Path

import pytest

from jobs.review_folder import FILE, existing_reviews, is_copy, review_folder
from pipeline.errors import StoreError
from schemas.recipe_file import LoadedRecipe
from tests.jobs.test_rerun import Load


def test_reviews_lie_in_a_local_workspace_unless_a_folder_is_named(load: Load) -> None:
    loaded: LoadedRecipe = load()
    assert review_folder(loaded.recipe) == Path(loaded.recipe.workspace.url) / "review"
    assert review_folder(loaded.recipe, Path("elsewhere")) == Path("elsewhere")


def test_an_object_store_needs_a_folder(load: Load) -> None:
    recipe = load("workspace.url=s3://bucket/workspace", "workspace.storage={region: eu-central-1}").recipe
    assert review_folder(recipe, Path("here")) == Path("here")
    with pytest.raises(StoreError, match="--folder"):
        review_folder(recipe)


def test_a_folder_without_reviews_says_how_to_make_them_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="joinery review import"):
        existing_reviews(tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_raters_copy_is_not_the_episodes_own_document() -> None:
    assert is_copy("ep-1@ann")
    assert not is_copy("ep-1")
