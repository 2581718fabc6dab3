"""After a takedown a run gives what it would give had the recording never been there, whatever it is called now."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from jobs.forget import Wish, forget
from jobs.report.funnel import funnel
from jobs.report.tables import Tables
from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from jobs.why import why
from pipeline.ledger import Ledger
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import DEMO
from tests.jobs.runs import Silent, done, shard_bytes

AT = "2026-11-22T00:00:00+00:00"
SOURCES = ("umi", "egocentric")
Make = Callable[[str, Path], LoadedRecipe]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """One recording of one source and two films of another."""
    out = tmp_path_factory.mktemp("small")
    for source in SOURCES:
        shutil.copytree(corpus / source, out / source)
    shutil.copy(next((corpus / "internet").glob("*.mp4")), out / "egocentric" / "another.mp4")
    return out


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A recipe by the name of its workspace, over a corpus."""

    def recipe(name: str, corpus: Path) -> LoadedRecipe:
        content = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
        content["sources"] = [source for source in content["sources"] if source["name"] in SOURCES]
        for source in content["sources"]:
            source["path"] = str(corpus / source["name"])
        content["workspace"]["url"] = str(tmp_path / name)
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return load_recipe(file, ["run.executor=inline"])

    return recipe


def run(loaded: LoadedRecipe) -> RunResult:
    result = run_recipe(loaded, Silent())
    assert result.succeeded, result.run.message
    return result


@pytest.mark.slow
def test_a_run_after_it_gives_the_bytes_of_a_corpus_that_never_held_it(small: Path, tmp_path: Path, make: Make) -> None:
    held = make("held", small)
    run(held)
    workspace = Workspace.existing(held.recipe.workspace.url)
    rows = workspace.scan(Episode, ["episode_id", "locator", "source"]).read_all().to_pylist()
    gone = min((row for row in rows if row["source"] == "egocentric"), key=lambda row: row["locator"])
    result = forget(workspace, Wish((gone["locator"],), AT, refit=True))
    assert result.proven, result.remaining
    renamed = tmp_path / "renamed"
    shutil.copytree(small, renamed)
    (renamed / "egocentric" / gone["locator"]).rename(renamed / "egocentric" / "z_another_name.mp4")
    again = run(make("held", renamed))
    assert again.episodes == len(rows) - 1
    assert done(again)["ingest"] == 0

    without = tmp_path / "without"
    shutil.copytree(small, without)
    (without / "egocentric" / gone["locator"]).unlink()
    never = make("never", without)
    run(never)
    latest = {path: sha for path, sha in shard_bytes(Path(workspace.url)).items() if _is_of(workspace, path)}
    assert latest == shard_bytes(Path(never.recipe.workspace.url))

    loaded = make("held", renamed)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    findings = [one for one in why(workspace, ledger, loaded.recipe, None).findings if one.check == "forgotten"]
    assert [(one.source, str(one.verdict)) for one in findings] == [("egocentric", "drop")]
    assert gone["episode_id"] not in findings[0].message
    with Tables(workspace, ledger, loaded.recipe) as tables:
        came = funnel(tables)
    (loss,) = (loss for loss in came.losses if loss.check == "forgotten")
    assert (loss.n, loss.by_source, loss.examples[0].episode_id) == (1, {"egocentric": 1}, "")
    assert next(node.n for node in came.nodes if node.key == "listed") == len(rows)
    assert sum(flow.n for flow in came.flows if flow.start == "listed") == len(rows)
    assert [one.check for one in came.before_listing] == []
    (told,) = why(workspace, ledger, loaded.recipe, gone["episode_id"]).findings
    assert "removal is proven" in told.message
    assert forget(workspace, Wish((gone["episode_id"],), AT)).proven, "the run after it brought something back"


@pytest.mark.slow  # three runs, the middle one behind the first
def test_what_was_appended_goes_from_the_set_that_was_extended(small: Path, tmp_path: Path, make: Make) -> None:
    growing = tmp_path / "growing"
    shutil.copytree(small, growing)
    films = sorted((growing / "egocentric").glob("*.mp4"))
    late = films[-1].rename(tmp_path / films[-1].name)
    loaded = make("held", growing)
    run(loaded)
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    first, before = shard_set_path(workspace.blobs), shard_bytes(Path(workspace.url))
    late.rename(films[-1])
    run(loaded)
    extended = shard_set_path(workspace.blobs)
    assert len(json.loads(workspace.blobs.read(f"{extended}/plan.json"))["segments"]) == 2
    gone = forget(workspace, Wish((films[-1].name,), AT))
    assert gone.proven, gone.remaining
    assert list(gone.takedowns[0].shard_sets) == [extended.partition("/")[2]], "the other was published before it came"
    assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()
    after = shard_bytes(Path(workspace.url))
    own = first.partition("/")[2]
    assert {path: after[path] for path in before if path.startswith(own)} == {
        path: sha256 for path, sha256 in before.items() if path.startswith(own)
    }
    run(loaded)
    assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()
    again = forget(workspace, Wish((gone.takedowns[0].episode_id,), AT))
    assert again.proven, again.remaining


def _is_of(workspace: Workspace, path: str) -> bool:
    """Whether a file is of the latest set, or says which that is."""
    return path == "latest.json" or path.startswith(shard_set_path(workspace.blobs).partition("/")[2])
