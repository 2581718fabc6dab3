"""Clusters over the life of a workspace: fitted once, kept while it grows, and the same bytes whatever was killed."""

import dataclasses
import shutil
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

from jobs.clusters import cluster_states
from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from pipeline.attempt import Attempt
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.arrow import to_row
from schemas.cluster import ClusterModel, Embedding, FitCause
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import Silent, done, shard_bytes

FREE_BOX = b"\x00\x00\x00\x08free"
"""Ends an MP4 without changing a picture: another recording as far as anybody can tell."""


@pytest.fixture
def copy(tmp_path: Path, corpus: Path, reference: tuple[RunResult, LoadedRecipe]) -> Path:
    """A folder with the corpus and a workspace that has seen all of it."""
    folder = tmp_path / "copy"
    shutil.copytree(corpus, folder / "corpus")
    shutil.copytree(reference[1].recipe.workspace.url, folder / "workspace")
    write_recipe(folder / "demo.yaml", folder / "corpus", folder / "workspace")
    return folder


def append(folder: Path) -> None:
    internet = folder / "corpus" / "internet"
    known = min(internet.glob("*.mp4"), key=lambda path: path.stat().st_size)
    (internet / "later.mp4").write_bytes(known.read_bytes() + FREE_BOX)


def recipe_of(folder: Path, *overrides: str) -> LoadedRecipe:
    return load_recipe(folder / "demo.yaml", [BUDGET, "run.executor=inline", *overrides])


def ledger_of(folder: Path, *overrides: str) -> Ledger:
    loaded = recipe_of(folder, *overrides)
    ledger = Ledger(Workspace.existing(loaded.recipe.workspace.url), loaded.recipe, RIVER)
    ledger.refresh_all()
    return ledger


def models_of(folder: Path) -> list[dict[str, object]]:
    found = [to_row(model) for model in ledger_of(folder).decided_last(ClusterModel, "cluster")]
    return [{k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in row.items()} for row in found]


def test_what_is_appended_goes_to_the_clusters_there_are(copy: Path) -> None:
    before, events = models_of(copy), sum(state.n_events for state in cluster_states(ledger_of(copy)))
    append(copy)
    counts = done(run_recipe(recipe_of(copy), Silent()))
    assert counts["embed"] == counts["assign"] == counts["cluster"] == 1
    assert models_of(copy) == before
    states = cluster_states(ledger_of(copy))
    assert sum(state.n_events for state in states) - events == sum(state.n_new for state in states) > 0
    assert not any(state.refitted for state in states)
    assert set(done(run_recipe(recipe_of(copy), Silent())).values()) == {0}


@pytest.mark.slow
def test_a_request_fits_again_once_keeps_ids_and_is_gone_on_from(copy: Path) -> None:
    append(copy)
    run_recipe(recipe_of(copy), Silent())
    before = {str(row["embedding_model"]): row for row in models_of(copy)}
    assert done(run_recipe(recipe_of(copy, "cluster.refit=always"), Silent()))["cluster"] == 1
    after = models_of(copy)
    refitted = [row for row in after if row["version"] == 2]
    assert refitted
    assert {row["cause"] for row in refitted} == {FitCause.REQUEST}
    for row in refitted:
        was = before[str(row["embedding_model"])]
        old, new = (set(np.frombuffer(r["cluster_ids"], np.int64)) for r in (was, row))  # type: ignore[call-overload]
        assert len(old & new) >= min(len(old), len(new)) / 2
        assert all(one >= was["next_cluster"] for one in new - old)
    for overrides in (["cluster.refit=always"], []):
        counts = done(run_recipe(recipe_of(copy, *overrides), Silent()))
        assert {stage for stage, count in counts.items() if count} <= {"publish"}, "the card quotes the recipe"
        assert models_of(copy) == after


@pytest.mark.slow
def test_an_append_killed_before_or_after_any_commit_ends_with_the_same_bytes(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(copy)
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(copy, undisturbed)
    write_recipe(undisturbed / "demo.yaml", copy / "corpus", undisturbed / "workspace")
    assert run_recipe(recipe_of(undisturbed), Silent()).succeeded
    commit = Workspace.commit

    def killed(workspace: Workspace, attempts: list[Attempt], *, before: bool) -> None:
        """Data files are written and the rows that make them visible are not, or all is and nothing follows."""
        at_clusters = any(result.stage == "cluster" for attempt in attempts for result in attempt.done)
        seen = [dataclasses.replace(attempt, done=()) for attempt in attempts] if at_clusters and before else attempts
        commit(workspace, seen)
        if at_clusters:
            raise KeyboardInterrupt

    for before in (True, False):
        monkeypatch.setattr(Workspace, "commit", partialmethod(killed, before=before))
        with pytest.raises(KeyboardInterrupt):
            run_recipe(recipe_of(copy), Silent())
        monkeypatch.setattr(Workspace, "commit", commit)
    assert run_recipe(recipe_of(copy), Silent()).succeeded
    assert models_of(copy) == models_of(undisturbed)
    assert shard_bytes(copy / "workspace") == shard_bytes(undisturbed / "workspace")


@pytest.mark.slow
def test_all_at_once_fits_once(copy: Path, tmp_path: Path) -> None:
    append(copy)
    write_recipe(copy / "demo.yaml", copy / "corpus", tmp_path / "empty")
    assert cluster_states(ledger_of_new(copy)) == ()
    assert run_recipe(recipe_of(copy), Silent()).succeeded
    states = cluster_states(ledger_of(copy))
    assert {(state.version, state.cause, state.n_new) for state in states} == {(1, FitCause.FIRST, 0)}
    n_events = sum(1 for _ in ledger_of(copy).present(Embedding, "embed"))
    assert sum(state.n_events for state in states) == n_events


def ledger_of_new(folder: Path) -> Ledger:
    loaded = recipe_of(folder)
    ledger = Ledger(Workspace.open(loaded.recipe.workspace.url), loaded.recipe, RIVER)
    ledger.refresh_all()
    return ledger
