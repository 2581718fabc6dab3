"""What a change runs again: what stands on it, and nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import Silent, done, shard_bytes
from tests.made_once import sound_corpus

Load = Callable[..., LoadedRecipe]


def test_a_second_run_does_nothing(reference: tuple[RunResult, LoadedRecipe], reference_bytes: dict[str, str]) -> None:
    result, loaded = reference
    again = run_recipe(loaded, Silent())
    assert set(done(again).values()) == {0}
    assert again.quarantined == result.quarantined == 1
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


@pytest.mark.usefixtures("already_run")
def test_moving_the_sources_reruns_nothing(corpus: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(corpus, moved)
    recipe = write_recipe(tmp_path / "moved.yaml", moved, tmp_path / "workspace")
    result = run_recipe(load_recipe(recipe, [BUDGET, "run.executor=inline"]), Silent())
    assert set(done(result).values()) == {0}


@pytest.mark.usefixtures("already_run")
def test_another_caption_template_reruns_caption_and_what_stands_on_it(load: Load) -> None:
    changed = done(run_recipe(load("caption.by={method: template, with_duration: true}"), Silent()))
    untouched = {"ingest", "lag", "vote", "align", "calibrate", "segment", "cut"}
    assert {stage for stage, count in changed.items() if count == 0} >= untouched
    assert changed["caption"] > 0
    assert changed["embed"] == changed["caption"]


@pytest.mark.usefixtures("already_run")
def test_another_template_text_reruns_caption_and_what_stands_on_it(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    caption = next(stage for stage in RIVER if stage.name == "caption")
    edited = replace(caption, revision=lambda _spec: "digest of an edited template")
    monkeypatch.setattr("jobs.run.RIVER", tuple(edited if stage is caption else stage for stage in RIVER))
    changed = done(run_recipe(load(), Silent()))
    untouched = {"ingest", "lag", "vote", "align", "calibrate", "segment", "cut"}
    assert {stage for stage, count in changed.items() if count == 0} >= untouched
    assert changed["caption"] == changed["embed"] > 0


def test_new_recordings_leave_old_ones_and_their_shards_alone(
    corpus: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    growing, recipe, workspace = tmp_path / "growing", tmp_path / "growing.yaml", tmp_path / "workspace"
    shutil.copytree(sound_corpus(tmp_path_factory), growing)
    write_recipe(recipe, growing, workspace)
    overrides = ["run.executor=inline", "cluster.refit=never", "shard.samples_per_shard=16"]
    overrides += ["split.validation_fraction=0", "split.test_fraction=0"]  # whatever comes is trained on
    first = run_recipe(load_recipe(recipe, overrides), Silent())
    draws, tars = _published(workspace)
    for video in (corpus / "internet").glob("*.mp4"):
        shutil.copy(video, growing / "internet" / f"new_{video.name}")
    second = run_recipe(load_recipe(recipe, overrides), Silent())
    grown = second.episodes - first.episodes
    assert grown >= 1
    for stage in ("ingest", "lag", "align", "segment", "caption", "embed", "cut"):
        assert done(second)[stage] == grown, stage
    more_draws, more_tars = _published(workspace)
    assert {split: more_draws[split][: len(old)] for split, old in draws.items()} == draws
    assert len(more_draws["train"]) > len(draws["train"])
    assert {name: more_tars[name] for name in tars} == tars
    old_events, events = ({event for part in by.values() for event, _ in part} for by in (draws, more_draws))
    new_shards = {shard for part in more_draws.values() for event, shard in part if event not in old_events}
    assert len(events - old_events) > 1
    assert new_shards <= more_tars.keys() - tars.keys()
    assert done(second)["shard"] == len(more_tars) - len(tars)
    blobs = Workspace.open(str(workspace)).blobs
    assert verify(blobs, shard_set_path(blobs)).problems == ()
    assert set(done(run_recipe(load_recipe(recipe, overrides), Silent())).values()) == {0}
    assert _published(workspace) == (more_draws, more_tars)


def _published(workspace: Path) -> tuple[dict[str, list[tuple[str, str]]], dict[str, str]]:
    """Event and shard of the present set's draws by split, in their order, and the digest of every tar by shard."""
    blobs = Workspace.open(str(workspace)).blobs
    folder = shard_set_path(blobs)
    with blobs.open(f"{folder}/manifest.parquet") as file:
        rows = pq.read_table(file, columns=["split", "t", "event_id", "shard"]).to_pylist()
    draws: dict[str, list[tuple[str, str]]] = {}
    for row in sorted(rows, key=lambda row: row["t"]):
        draws.setdefault(row["split"], []).append((row["event_id"], row["shard"]))
    return draws, {path.stem: sha256(path.read_bytes()).hexdigest() for path in (workspace / folder).glob("*.tar")}


@pytest.mark.usefixtures("already_run")
def test_a_recipe_changed_back_points_readers_at_its_own_set(load: Load, reference_bytes: dict[str, str]) -> None:
    workspace = Path(load().recipe.workspace.url)
    assert run_recipe(load("shard.card.contact=somebody else"), Silent()).succeeded
    assert shard_bytes(workspace)["latest.json"] != reference_bytes["latest.json"]
    assert set(done(run_recipe(load(), Silent())).values()) == {0}
    assert shard_bytes(workspace)["latest.json"] == reference_bytes["latest.json"]


@pytest.mark.slow
@pytest.mark.usefixtures("already_run")
def test_another_shard_size_makes_a_whole_set_again(load: Load) -> None:
    workspace = Workspace.open(load().recipe.workspace.url)
    for samples in (64, 32, 16):
        assert run_recipe(load(f"shard.samples_per_shard={samples}"), Silent()).succeeded
        assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()


@pytest.mark.slow
def test_another_cleaning_threshold_decodes_nothing_changes_no_recording_and_is_taken_back(
    load: Load, corpus: Path, already_run: RunResult
) -> None:
    """One episode begins black. Kept this time, it is cut again; all others come out of align as they were."""
    before = _contents(corpus)
    changed = done(run_recipe(load("align.trim_black=false"), Silent()))
    assert changed["ingest"] == changed["lag"] == changed["vote"] == 0
    assert changed["align"] == already_run.episodes - already_run.quarantined
    assert 1 <= changed["segment"] < changed["align"]
    assert set(done(run_recipe(load(), Silent())).values()) == {0}
    assert _contents(corpus) == before


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
