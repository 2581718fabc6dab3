"""Windows for next-chunk prediction: from the recipe's two keys to samples a trainer reads, inline."""

import shutil
from collections import defaultdict
from pathlib import Path

import pytest

from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from pipeline.ledger import Ledger
from pipeline.loader.reader import ShardSet
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from schemas.cluster import Assignment, ClusterModel, Space
from schemas.event import BoundaryKind, Event, Level
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import Silent

FRAMES = 12
WINDOWS = [f"segment.window_frames={FRAMES}", "balance.level=segment", "cluster.min_cluster=5"]


@pytest.fixture
def ledger(tmp_path: Path, corpus: Path, reference: tuple[RunResult, LoadedRecipe]) -> Ledger:
    """The reference workspace after another run, on windows."""
    shutil.copytree(reference[1].recipe.workspace.url, tmp_path / "workspace")
    recipe = write_recipe(tmp_path / "windows.yaml", corpus, tmp_path / "workspace")
    loaded = load_recipe(recipe, [BUDGET, "run.executor=inline", *WINDOWS])
    assert run_recipe(loaded, Silent()).succeeded
    found = Ledger(Workspace.existing(loaded.recipe.workspace.url), loaded.recipe, RIVER)
    found.refresh_all()
    return found


def test_windows_are_embedded_clustered_balanced_and_written_like_events(ledger: Ledger, tmp_path: Path) -> None:
    events = list(ledger.present(Event, "caption"))
    windows = {event.event_id: event for event in events if event.level is Level.SEGMENT}
    siblings: dict[str, list[Event]] = defaultdict(list)
    for window in windows.values():
        siblings[window.parent_id].append(window)
    for of_action in siblings.values():
        *whole, last = sorted(of_action, key=lambda window: window.span)
        assert {window.span.n_frames for window in whole} <= {FRAMES}
        assert last.span.n_frames < 2 * FRAMES
        assert all(window.end.kind is BoundaryKind.DURATION_CAP for window in whole)
    assert len(windows) > 1.5 * len(siblings) > 0
    assigned = list(ledger.present(Assignment, "assign"))
    assert {item.event_id for item in assigned} == set(windows)
    models = [model for model in ledger.decided_last(ClusterModel, "cluster") if model.space is Space.ACTION]
    assert sum(model.n_events for model in models) == sum(item.action >= 0 for item in assigned)
    blobs = Workspace.existing(str(tmp_path / "workspace")).blobs
    assert verify(blobs, shard_set_path(blobs)).problems == ()
    cells = {item.event_id: (item.vision_language, item.action) for item in assigned}
    read = [sample for _, sample in ShardSet.open(str(tmp_path / "workspace" / "shards")).iterate("train")]
    assert read
    for sample in read:
        assert sample.level == "segment"
        assert (sample.vision_language, sample.action) == cells[sample.event_id]
        assert sample.n_frames == windows[sample.event_id].span.n_frames
