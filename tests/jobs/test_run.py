"""How runs end: with errors told, nothing half published, and no more quarantined than is to blame."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import run
from jobs.placement import Placement
from jobs.river import RIVER
from jobs.run import RunResult, run_recipe
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError, ServiceError, SourceError, StoreError
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.stage import Bundle
from pipeline.store import Workspace
from schemas.finding import Failure
from schemas.model_call import CallOutcome, ModelCall
from schemas.recipe_file import LoadedRecipe, load_recipe
from schemas.run import Run
from tests.jobs.runs import Silent, shard_bytes

Load = Callable[..., LoadedRecipe]
StoppedAfter = Callable[[str], None]


def test_too_many_failures_end_a_run_badly(load: Load, stopped_after: StoppedAfter) -> None:
    stopped_after("shard")
    result = run_recipe(load("run.error_budget=0.01"), Silent())
    assert result.run.outcome == "over_error_budget"
    assert not result.succeeded
    assert "1 of 11 episodes in quarantine" in result.run.message


def test_quarantine_is_tried_again_only_on_request(load: Load, already_run: RunResult) -> None:
    assert already_run.quarantined == 1
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


def test_a_shard_that_fails_stops_the_run_before_anything_is_published(
    load: Load, stopped_after: StoppedAfter, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after("schedule")
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
    load: Load, stopped_after: StoppedAfter, monkeypatch: pytest.MonkeyPatch, reference_bytes: dict[str, str]
) -> None:
    stopped_after("vote")
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


class ServiceLost:
    """An executor whose first batch finds a service down after it has spent something."""

    name = "inline"

    def n_workers(self, _placement: Placement) -> int:
        return 1

    def execute(self, batches: Iterator[Batch], _placement: Placement) -> Iterator[Attempt]:
        call = ModelCall(next(batches).run_id, "ep-1", "tree", "w", "m@1", "k", CallOutcome.ANSWERED, 100, 20, 1, 0.5)
        yield Attempt({}, (), (), calls=(call,), stopped="http://host/v1: HTTP 401")

    def close(self) -> None:
        pass


def test_a_lost_service_ends_the_run_and_what_was_spent_stays(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "make_executor", lambda _spec: ServiceLost())
    loaded = load()
    with pytest.raises(ServiceError, match="stage ingest: http://host/v1: HTTP 401"):
        run_recipe(loaded, Silent())
    workspace = Workspace.existing(loaded.recipe.workspace.url)
    assert workspace.rows(Failure) == []
    (spent,) = workspace.rows(ModelCall)
    (last,) = {each.run_id for each in workspace.rows(Run) if each.outcome == "failed"}
    assert (spent.run_id, spent.tokens) == (last, 120)


def test_an_episode_that_cannot_be_cut_is_not_scheduled(
    load: Load, stopped_after: StoppedAfter, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after("caption")
    cut = next(stage for stage in RIVER if stage.name == "cut")

    def torn(bundle: Bundle, spec: object) -> Iterable[object]:
        if bundle.episode_ref().source == "umi":
            raise SourceError("the file has changed")
        return cut.run(bundle, spec)

    river = tuple(replace(stage, run=torn) if stage is cut else stage for stage in RIVER)
    for module in ("jobs.run.RIVER", "jobs.river.RIVER"):
        monkeypatch.setattr(module, river)
    loaded = load("run.error_budget=0.5", "run.sandbox.mode=off")  # a decoding process knows the stages as they are
    result = run_recipe(loaded, Silent())
    assert result.succeeded
    assert result.quarantined > 1
    blobs = Workspace.open(loaded.recipe.workspace.url).blobs
    assert verify(blobs, shard_set_path(blobs)).problems == ()


def test_a_run_over_budget_leaves_readers_where_they_were(load: Load, stopped_after: StoppedAfter) -> None:
    stopped_after("shard")
    workspace = Path(load().recipe.workspace.url)
    assert not run_recipe(load("run.error_budget=0.01"), Silent()).succeeded
    assert not (workspace / "shards" / "latest.json").exists()
    assert run_recipe(load(), Silent()).succeeded
    assert (workspace / "shards" / "latest.json").exists()


@pytest.mark.parametrize("executor", ["inline", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_workspace_that_cannot_be_written_ends_a_run_with_one_clear_error(
    load: Load, stopped_after: StoppedAfter, executor: str
) -> None:
    stopped_after("schedule")
    loaded = load(f"run.executor={executor}")
    workspace = Path(loaded.recipe.workspace.url)
    (workspace / "tars").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"^stage shard, .*storage or memory failed"):
        run_recipe(loaded, Silent())
    assert not (workspace / "shards").exists()
