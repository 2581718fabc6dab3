"""The same recordings and recipe are the same shards, byte for byte, whoever makes them and wherever they lie."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.run import run_recipe
from pipeline.store import Workspace
from schemas.finding import Failure
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.canaries import quoting
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import Silent, downloaded, shard_bytes
from tests.pipeline.s3_server import CREDENTIALS, s3_bucket

Load = Callable[..., LoadedRecipe]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_ray_writes_the_bytes_inline_writes(load: Load, reference_bytes: dict[str, str], workers: int) -> None:
    loaded = load("run.executor=ray", f"run.workers={workers}")
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


@pytest.mark.slow
def test_the_size_of_batches_changes_no_byte(load: Load, reference_bytes: dict[str, str]) -> None:
    loaded = load("run.batch_items=1")
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


@pytest.mark.parametrize("executor", [pytest.param("inline", marks=pytest.mark.slow), "ray"])
def test_a_workspace_on_an_object_store_holds_the_bytes_of_inline_on_a_disk_and_no_key(
    tmp_path: Path, corpus: Path, reference_bytes: dict[str, str], executor: str
) -> None:
    with s3_bucket("bucket") as storage:
        recipe = write_recipe(tmp_path / "s3.yaml", corpus, "s3://bucket/workspace")
        overrides = [f"workspace.storage.{key}={value}" for key, value in storage.items()]
        loaded = load_recipe(recipe, [BUDGET, f"run.executor={executor}", "run.workers=2", *overrides])
        assert run_recipe(loaded, Silent()).succeeded
        assert shard_bytes(downloaded(storage, tmp_path / "workspace")) == reference_bytes
        workspace = Workspace.existing(loaded.recipe.workspace.url, storage)
        assert quoting(workspace, list(CREDENTIALS.values())) == []
        leak = Failure("ingest", "ep-1", "teleop", "key", "OSError", f"403: {list(CREDENTIALS.values())}", "", "run-1")
        workspace.append(Failure, [leak])
        assert any("column message" in place for place in quoting(workspace, list(CREDENTIALS.values())))
