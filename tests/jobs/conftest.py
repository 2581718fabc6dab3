"""A small corpus with its deliberate defects, the demo recipe pointed at it, and one reference run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from pipeline.store import Workspace, one_of
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.runs import Silent, shard_bytes

DEMO = Path(__file__).resolve().parents[2] / "recipes" / "demo.yaml"
BUDGET = "run.error_budget=0.2"
"""One of the ten recordings is truncated on purpose."""


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus")
    make_corpus(out, CorpusParameters(episodes_per_source=1, seed=3, with_defects=True))
    return out


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
    return lambda *overrides: load_recipe(recipe_file, [BUDGET, "run.executor=inline", *overrides])


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> tuple[RunResult, LoadedRecipe]:
    """One undisturbed inline run; tests read its workspace and must not write to it."""
    folder = tmp_path_factory.mktemp("reference")
    recipe = write_recipe(folder / "demo.yaml", corpus, folder / "workspace")
    loaded = load_recipe(recipe, [BUDGET, "run.executor=inline"])
    return run_recipe(loaded, Silent()), loaded


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
