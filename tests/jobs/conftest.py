"""A small corpus with its deliberate defects, the demo recipe pointed at it, and one reference run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.costs import costs_so_far
from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from jobs.withheld import withheld
from pipeline.store import Workspace, one_of
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import LoadedRecipe, load_recipe
from schemas.run import Run
from tests.jobs.report.retold import ledger_of
from tests.jobs.runs import Silent, shard_bytes
from tests.made_once import made_once

DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"
BUDGET = "run.error_budget=0.2"
"""One of the ten recordings is truncated on purpose."""
OVERRIDES = [BUDGET, "run.executor=inline"]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parameters = CorpusParameters(episodes_per_source=1, seed=3, with_defects=True)
    return made_once(tmp_path_factory, "corpus", lambda folder: make_corpus(folder, parameters))


def write_recipe(path: Path, corpus: Path, workspace: Path | str) -> Path:
    """The demo's recipe for another corpus and workspace."""
    text = DEMO.read_text(encoding="utf-8")
    text = text.replace("../demo/corpus", str(corpus)).replace("../demo/workspace", str(workspace))
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def recipe_file(tmp_path: Path, corpus: Path) -> Path:
    return write_recipe(tmp_path / "demo.yaml", corpus, tmp_path / "workspace")


@pytest.fixture
def load(recipe_file: Path) -> Callable[..., LoadedRecipe]:
    """The recipe with overrides; inline unless said otherwise."""
    return lambda *overrides: load_recipe(recipe_file, [*OVERRIDES, *overrides])


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> tuple[RunResult, LoadedRecipe]:
    """One undisturbed inline run; tests read its workspace and must not write to it."""

    def run(folder: Path) -> None:
        folder.mkdir()
        recipe = write_recipe(folder / "demo.yaml", corpus, folder / "workspace")
        run_recipe(load_recipe(recipe, OVERRIDES), Silent())

    folder = made_once(tmp_path_factory, "reference", run)
    loaded = load_recipe(folder / "demo.yaml", OVERRIDES)
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    (ran,) = workspace.rows(Run, "finished_at <> ''")
    ledger = ledger_of(workspace, loaded)
    costs = costs_so_far(workspace, ledger)
    return RunResult(ran, *ledger.quarantined_share(), costs, withheld(ledger)), loaded


@pytest.fixture
def already_run(reference: tuple[RunResult, LoadedRecipe], tmp_path: Path) -> RunResult:
    """`recipe_file` has been run: its workspace is a copy of the reference run's, which costs a tenth of a run."""
    shutil.copytree(reference[1].recipe.workspace.url, tmp_path / "workspace")
    return reference[0]


@pytest.fixture
def stopped_after(reference: tuple[RunResult, LoadedRecipe], tmp_path: Path) -> Callable[..., None]:
    """`recipe_file` has been run as far as a stage: a copy of the reference run without what came after."""

    def made(stage: str, workspace: str = "workspace") -> None:
        shutil.copytree(reference[1].recipe.workspace.url, tmp_path / workspace)
        names = [each.name for each in RIVER]
        later = names[names.index(stage) + 1 :]
        Workspace.existing(str(tmp_path / workspace)).delete("work_done", one_of("stage", later))
        for folder, made_by in (("tars", "shard"), ("shards", "publish")):
            if made_by in later:
                shutil.rmtree(tmp_path / workspace / folder)

    return made


@pytest.fixture(scope="session")
def reference_bytes(reference: tuple[RunResult, LoadedRecipe]) -> dict[str, str]:
    return shard_bytes(Path(reference[1].recipe.workspace.url))
