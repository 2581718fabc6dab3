"""Runs as a whole: the same bytes whoever executes them, and never more work than there is."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from pipeline.errors import JoineryError, SourceError, StoreError
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.stage import Bundle
from pipeline.store import Workspace
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import LoadedRecipe, load_recipe
from schemas.run import Run
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import Silent, done, shard_bytes
from tests.pipeline.s3_server import s3_bucket

Load = Callable[..., LoadedRecipe]


@pytest.mark.parametrize("workers", [1, 2])
def test_ray_writes_the_bytes_inline_writes(load: Load, reference_bytes: dict[str, str], workers: int) -> None:
    loaded = load("run.executor=ray", f"run.workers={workers}")
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


def test_the_size_of_batches_changes_no_byte(load: Load, reference_bytes: dict[str, str]) -> None:
    loaded = load("run.batch_items=1")
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


def test_a_workspace_on_an_object_store_holds_the_same_bytes(
    tmp_path: Path, corpus: Path, reference_bytes: dict[str, str]
) -> None:
    with s3_bucket("bucket") as storage:
        recipe = write_recipe(tmp_path / "s3.yaml", corpus, "s3://bucket/workspace")
        overrides = [f"workspace.storage.{key}={value}" for key, value in storage.items()]
        loaded = load_recipe(recipe, [BUDGET, "run.executor=inline", *overrides])
        assert run_recipe(loaded, Silent()).succeeded
        _download(storage, tmp_path / "workspace")
    assert shard_bytes(tmp_path / "workspace") == reference_bytes


def _download(storage: dict[str, str], folder: Path) -> None:
    from pipeline.blobs import Blobs

    blobs = Blobs("s3://bucket/workspace", storage)
    for path in blobs.list("shards"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(blobs.read(path))


def test_a_second_run_does_nothing(reference: tuple[RunResult, LoadedRecipe], reference_bytes: dict[str, str]) -> None:
    result, loaded = reference
    again = run_recipe(loaded, Silent())
    assert set(done(again).values()) == {0}
    assert again.quarantined == result.quarantined == 1
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == reference_bytes


def test_moving_the_sources_reruns_nothing(load: Load, corpus: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "renamed"
    shutil.copytree(corpus, moved)
    recipe = write_recipe(tmp_path / "moved.yaml", moved, tmp_path / "workspace")
    assert run_recipe(load(), Silent()).succeeded
    result = run_recipe(load_recipe(recipe, [BUDGET, "run.executor=inline"]), Silent())
    assert set(done(result).values()) == {0}


def test_another_caption_template_reruns_caption_and_what_stands_on_it(load: Load) -> None:
    assert run_recipe(load(), Silent()).succeeded
    changed = done(run_recipe(load("caption.by.with_duration=true"), Silent()))
    untouched = {"ingest", "lag", "vote", "align", "calibrate", "segment", "cut"}
    assert {stage for stage, count in changed.items() if count == 0} >= untouched
    assert changed["caption"] > 0
    assert changed["embed"] == changed["caption"]


def test_another_template_text_reruns_caption_and_what_stands_on_it(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_recipe(load(), Silent()).succeeded
    caption = next(stage for stage in RIVER if stage.name == "caption")
    edited = replace(caption, revision=lambda _spec: "digest of an edited template")
    monkeypatch.setattr("jobs.run.RIVER", tuple(edited if stage is caption else stage for stage in RIVER))
    changed = done(run_recipe(load(), Silent()))
    untouched = {"ingest", "lag", "vote", "align", "calibrate", "segment", "cut"}
    assert {stage for stage, count in changed.items() if count == 0} >= untouched
    assert changed["caption"] == changed["embed"] > 0


def test_new_recordings_leave_old_ones_alone(load: Load, tmp_path: Path) -> None:
    corpus, recipe = tmp_path / "growing", tmp_path / "growing.yaml"
    make_corpus(corpus, CorpusParameters(episodes_per_source=1, seed=3))
    shutil.move(corpus / "internet", tmp_path / "later")
    (corpus / "internet").mkdir()
    shutil.copy(next((tmp_path / "later").glob("*.mp4")), corpus / "internet" / "first.mp4")
    write_recipe(recipe, corpus, tmp_path / "workspace")
    overrides = ["run.executor=inline"]
    first = run_recipe(load_recipe(recipe, overrides), Silent())
    make_corpus(tmp_path / "more", CorpusParameters(episodes_per_source=1, seed=4))
    for video in (tmp_path / "more" / "internet").glob("*.mp4"):
        shutil.copy(video, corpus / "internet" / f"new_{video.name}")
    second = run_recipe(load_recipe(recipe, overrides), Silent())
    grown = second.episodes - first.episodes
    assert grown >= 1
    for stage in ("ingest", "lag", "align", "segment", "caption", "embed", "cut"):
        assert done(second)[stage] == grown, stage


def test_too_many_failures_end_a_run_badly(load: Load) -> None:
    result = run_recipe(load("run.error_budget=0.01"), Silent())
    assert result.run.outcome == "over_error_budget"
    assert not result.succeeded
    assert "1 of 11 episodes in quarantine" in result.run.message


def test_quarantine_is_tried_again_only_on_request(load: Load) -> None:
    first = run_recipe(load(), Silent())
    assert first.quarantined == 1
    counts = {stage.stage: stage for stage in run_recipe(load(), Silent()).run.stages}
    assert counts["ingest"].quarantined == 1
    assert counts["ingest"].done == 0
    retried = run_recipe(load(), Silent(), retry_quarantined=True)
    assert {stage.stage: stage.quarantined for stage in retried.run.stages}["ingest"] == 1


def test_a_source_without_episodes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("no video here")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "joinery: 1\nworkspace: {url: ws}\n"
        "sources: [{format: video_folder, name: e, path: empty, card: {licence: CC0}}]\n"
    )
    with pytest.raises(JoineryError, match="no video file below it"):
        run_recipe(load_recipe(recipe, ["run.executor=inline"]), Silent())


def test_every_stage_reads_only_what_earlier_stages_write() -> None:
    written: dict[str, tuple[type, ...]] = {}
    for stage in RIVER:
        for read in stage.reads:
            assert read.record in written[read.stage], f"{stage.name} reads {read.record.__name__} of {read.stage}"
        written[stage.name] = stage.writes


def test_a_recipe_changed_back_points_readers_at_its_own_set(load: Load, reference_bytes: dict[str, str]) -> None:
    workspace = Path(load().recipe.workspace.url)
    assert run_recipe(load(), Silent()).succeeded
    assert run_recipe(load("shard.contact=somebody else"), Silent()).succeeded
    assert shard_bytes(workspace)["latest.json"] != reference_bytes["latest.json"]
    assert set(done(run_recipe(load(), Silent())).values()) == {0}
    assert shard_bytes(workspace)["latest.json"] == reference_bytes["latest.json"]


def test_a_shard_that_fails_stops_the_run_before_anything_is_published(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = next(stage for stage in RIVER if stage.name == "shard")
    run_shard = shard.run

    def broken(bundle: Bundle, spec: object) -> Iterable[object]:
        if bundle.item == "train-000000":
            raise ValueError("a clip is missing")
        return run_shard(bundle, spec)

    river = tuple(replace(stage, run=broken) if stage is shard else stage for stage in RIVER)
    for module in ("jobs.run.RIVER", "jobs.river.RIVER"):
        monkeypatch.setattr(module, river)
    with pytest.raises(JoineryError, match="stage shard failed, and all that follows needs it"):
        run_recipe(load(), Silent())
    workspace = Workspace.existing(load().recipe.workspace.url)
    assert workspace.blobs.list("shards") == []
    assert workspace.rows(Run)[-1].outcome == "failed"
    monkeypatch.undo()
    assert run_recipe(load(), Silent(), retry_quarantined=True).succeeded


def test_what_wide_stages_were_told_is_not_kept(reference: tuple[RunResult, LoadedRecipe]) -> None:
    assert Workspace.existing(reference[1].recipe.workspace.url).blobs.list("inputs") == []


def test_a_storage_error_quarantines_nothing_and_the_next_run_goes_on(
    load: Load, monkeypatch: pytest.MonkeyPatch, reference_bytes: dict[str, str]
) -> None:
    align = next(stage for stage in RIVER if stage.name == "align")

    def full(_bundle: Bundle, _spec: object) -> Iterable[object]:
        raise OSError(28, "No space left on device")

    river = tuple(replace(stage, run=full) if stage is align else stage for stage in RIVER)
    for module in ("jobs.run.RIVER", "jobs.river.RIVER"):
        monkeypatch.setattr(module, river)
    with pytest.raises(StoreError, match=r"stage align, ep-.*No space left on device; storage or memory failed"):
        run_recipe(load(), Silent())
    monkeypatch.undo()
    assert run_recipe(load(), Silent()).quarantined == 1
    assert shard_bytes(Path(load().recipe.workspace.url)) == reference_bytes


def test_another_shard_size_makes_a_whole_set_again(load: Load) -> None:
    workspace = Workspace.open(load().recipe.workspace.url)
    for samples in (64, 32, 16):
        assert run_recipe(load(f"shard.samples_per_shard={samples}"), Silent()).succeeded
        assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()


def test_an_episode_that_cannot_be_cut_is_not_scheduled(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = next(stage for stage in RIVER if stage.name == "cut")

    def torn(bundle: Bundle, spec: object) -> Iterable[object]:
        if bundle.episode_ref().source == "umi":
            raise SourceError("the file has changed")
        return cut.run(bundle, spec)

    river = tuple(replace(stage, run=torn) if stage is cut else stage for stage in RIVER)
    for module in ("jobs.run.RIVER", "jobs.river.RIVER"):
        monkeypatch.setattr(module, river)
    loaded = load("run.error_budget=0.5")
    result = run_recipe(loaded, Silent())
    assert result.succeeded
    assert result.quarantined > 1
    blobs = Workspace.open(loaded.recipe.workspace.url).blobs
    assert verify(blobs, shard_set_path(blobs)).problems == ()


def test_a_run_over_budget_leaves_readers_where_they_were(load: Load) -> None:
    workspace = Path(load().recipe.workspace.url)
    assert not run_recipe(load("run.error_budget=0.01"), Silent()).succeeded
    assert not (workspace / "shards" / "latest.json").exists()
    assert run_recipe(load(), Silent()).succeeded
    assert (workspace / "shards" / "latest.json").exists()


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_workspace_that_cannot_be_written_ends_a_run_with_one_clear_error(load: Load, executor: str) -> None:
    loaded = load(f"run.executor={executor}")
    workspace = Path(loaded.recipe.workspace.url)
    workspace.mkdir()
    (workspace / "tars").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"^stage shard, .*storage or memory failed"):
        run_recipe(loaded, Silent())
    assert not (workspace / "shards").exists()


def test_another_cleaning_threshold_decodes_nothing_changes_no_recording_and_is_taken_back(
    load: Load, corpus: Path
) -> None:
    """One episode begins black. Kept this time, it is cut again; all others come out of align as they were."""
    before = _contents(corpus)
    first = run_recipe(load(), Silent())
    changed = done(run_recipe(load("align.trim_black=false"), Silent()))
    assert changed["ingest"] == changed["lag"] == changed["vote"] == 0
    assert changed["align"] == first.episodes - first.quarantined
    assert 1 <= changed["segment"] < changed["align"]
    assert set(done(run_recipe(load(), Silent())).values()) == {0}
    assert _contents(corpus) == before


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
