"""A takedown: nothing is left, what is left is in order, and the proof of it can fail."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from annotators.review.store import ReviewStore
from annotators.vlm.cache import path_of
from jobs.cli import app
from jobs.compile import Extent, compile_load_plan
from jobs.forget import Wish, forget
from jobs.run import RunResult
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.errors import JoineryError, StoreError
from pipeline.loader.plan_loader import PlanLoader
from pipeline.loader.reader import ShardSet
from pipeline.revision import publish, reviews_in
from pipeline.shards.handed_out import HandedOut, remember
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Episode
from schemas.model_call import CallOutcome, ModelCall
from schemas.recipe_file import LoadedRecipe
from schemas.review import Review
from schemas.run import Run
from schemas.takedown import takedown_path
from tests.annotators.review.made import made
from tests.jobs.runs import shard_bytes
from tests.pipeline.s3_server import s3_bucket

AT = "2026-11-22T00:00:00+00:00"


@pytest.fixture
def workspace(reference: tuple[RunResult, LoadedRecipe], tmp_path: Path) -> Workspace:
    """A copy of the reference run's, to take things out of."""
    shutil.copytree(reference[1].recipe.workspace.url, tmp_path / "workspace")
    return Workspace.existing(str(tmp_path / "workspace"))


def named(workspace: Workspace, source: str) -> str:
    """The first episode of a source that went into shards."""
    rows = workspace.scan(Episode, ["episode_id", "source"]).read_all().to_pylist()
    held = set(ShardSet.open(f"{workspace.url}/shards").manifest("train", ["episode_id"]).column(0).to_pylist())
    return min(row["episode_id"] for row in rows if row["source"] == source and row["episode_id"] in held)


def wish(*episodes: str) -> Wish:
    return Wish(episodes, at=AT)


def test_nothing_is_left_and_what_is_left_is_in_order(workspace: Workspace) -> None:
    episode, before = named(workspace, "teleop"), shard_bytes(Path(workspace.url))
    result = forget(workspace, wish(episode))
    assert result.remaining == ()
    assert result.proven
    path = shard_set_path(workspace.blobs)
    assert verify(workspace.blobs, path).problems == ()
    after, (takedown,) = shard_bytes(Path(workspace.url)), result.takedowns
    ((was, now),) = takedown.shard_sets.items()
    assert path.endswith(now)
    held = {place: n for place, n in takedown.removed.items() if place.startswith("shards/")}
    tars = [name.partition("/")[2] for name in before if name.endswith(".tar")]
    same = [name for name in tars if after[f"{now}/{name}"] == before[f"{was}/{name}"]]
    assert 0 < len(same) < len(tars)
    assert held == {f"shards/{was}": 1 * held[f"shards/{was}"]}
    old, new = json.loads(workspace.blobs.read(f"{path}/set.json")), takedown.removed[f"shards/{was}"]
    assert sum(len(rows) for rows in old["taken_out"].values()) == new
    assert json.loads(workspace.blobs.read(takedown_path(episode)))["proof"]["found"] == 0


def test_what_people_said_of_it_goes_and_what_they_said_of_others_stays(workspace: Workspace) -> None:
    gone, stays = named(workspace, "teleop"), named(workspace, "umi")
    said = [Review(name, 100, (), (), "a face") for name in sorted((gone, stays))]
    publish(workspace.blobs, said, 7)
    assert forget(workspace, wish(gone)).proven
    assert [review.episode_id for review in reviews_in(workspace.blobs)] == [stays]


def test_the_rest_of_a_set_reads_as_before(workspace: Workspace) -> None:
    shards = f"{workspace.url}/shards"
    before = ShardSet.open(shards)
    samples = {(split, t): before.read(split, t) for split in before.splits for t in range(before.n_samples(split))}
    episode = named(workspace, "umi")
    forget(workspace, wish(episode))
    after = ShardSet.open(shards, check=True)
    kept = [sample for sample in samples.values() if sample.episode_id != episode]
    assert sum(after.n_samples(split) for split in after.splits) == len(kept) < len(samples)
    for split in after.splits:
        for _, sample in after.iterate(split):
            assert sample.views == samples[split, sample.t].views


def test_an_old_version_left_in_place_turns_the_proof_red(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shed = Workspace.shed
    monkeypatch.setattr(Workspace, "shed", lambda self, name: None if name == "events" else shed(self, name))
    result = forget(workspace, wish(named(workspace, "teleop")))
    assert not result.proven
    assert {one.path.split("/")[1] for one in result.remaining} == {"events.lance"}
    assert any("episode id" in one.why for one in result.remaining)
    monkeypatch.undo()
    again = forget(workspace, wish(result.takedowns[0].episode_id))
    assert again.proven
    assert again.takedowns[0].removed == result.takedowns[0].removed


def test_a_dry_run_changes_nothing(workspace: Workspace) -> None:
    def everything() -> dict[str, bytes]:
        root = Path(workspace.url)
        return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    before, episode = everything(), named(workspace, "teleop")
    result = forget(workspace, wish(episode), dry_run=True)
    assert result.takedowns[0].removed["tables/episodes"] == 1
    assert not result.proven
    assert everything() == before


def test_a_name_that_fits_several_is_refused_and_they_are_listed(workspace: Workspace) -> None:
    with pytest.raises(JoineryError, match=r"episodes fit; name one by its id:\n  ep-"):
        forget(workspace, wish("episode_index=0"))
    with pytest.raises(JoineryError, match="no episode of this workspace"):
        forget(workspace, wish("episode_index=4711"))
    assert workspace.blobs.list("forgotten") == []


def test_a_locator_names_it_too_and_copies_go_with_it(workspace: Workspace) -> None:
    one, other = named(workspace, "teleop"), named(workspace, "umi")
    row = DuplicateEpisodes(
        other, "umi", "0", one, "teleop", "0", same_recording=True, film=1.0, path_m=None, n_shared=1, n_events=2
    )
    writer = AttemptWriter(workspace)
    writer.add([row], "key", "attempt-of-copies")
    workspace.commit([Attempt(writer.finish(), (), ())])
    seen = forget(workspace, wish("teleop: episode_index=0"), dry_run=True)
    assert [entry.episode_id for entry in seen.takedowns] == [one]
    assert seen.copies == (row,)
    both = forget(workspace, Wish((one,), AT, with_copies=True))
    assert sorted(entry.episode_id for entry in both.takedowns) == sorted([one, other])
    assert both.proven


def test_files_that_are_not_ours_are_named_and_left(workspace: Workspace) -> None:
    episode = named(workspace, "teleop")
    notes = Path(workspace.url) / "notes.txt"
    notes.write_text(f"look at {episode}")
    result = forget(workspace, wish(episode))
    assert [(one.path, one.why) for one in result.remaining] == [("notes.txt", "1 × episode id")]
    assert result.takedowns[0].proof is None
    notes.unlink()
    assert forget(workspace, wish(episode)).proven


def test_what_models_said_of_it_goes_and_what_it_cost_stays(workspace: Workspace) -> None:
    episode, other = named(workspace, "teleop"), named(workspace, "umi")
    keys = {name: f"{name[-1]}" * 64 for name in ("own", "its", "lost")}
    for key in keys.values():
        workspace.blobs.put_bytes(path_of(key), b"{}")
    workspace.append(ModelCall, [_call(episode, keys["own"]), _call(other, keys["its"])])
    assert forget(workspace, wish(episode)).proven
    assert workspace.blobs.list("answers") == [path_of(keys["its"])], "whose an unaccounted one was nobody knows"
    calls = {call.item: call for call in workspace.rows(ModelCall)}
    assert set(calls) == {"(forgotten)", other}
    assert (calls["(forgotten)"].tokens, calls["(forgotten)"].subject, calls["(forgotten)"].key) == (30, "", "")


def _call(item: str, key: str) -> ModelCall:
    return ModelCall("run", item, "tree", f"{item} 0", "model", key, CallOutcome.ANSWERED, 10, 20, 1, 0.1)


def test_the_review_folder_and_what_runs_said_go_too(workspace: Workspace) -> None:
    episode = named(workspace, "teleop")
    folder = Path(workspace.url) / "review"
    folder.mkdir()
    store = ReviewStore(folder / "review.sqlite")
    store.add(made(episode_id=episode), "sha")
    store.close()
    run = next(run for run in workspace.rows(Run) if run.finished_at)  # other tests may have run it again
    workspace.append(Run, [replace(run, run_id="another", message=f"stage cut, {episode}: broke")])
    result = forget(workspace, wish(episode))
    assert result.proven, result.remaining
    assert result.takedowns[0].removed["review"] == 1
    assert {run.message for run in workspace.rows(Run) if run.run_id == "another"} == {
        "stage cut, ep-(forgotten): broke"
    }


def test_the_command_says_what_went_what_stays_and_what_is_out_of_reach(
    reference: tuple[RunResult, LoadedRecipe], workspace: Workspace
) -> None:
    def joinery(*words: object) -> Result:
        words = (*words, "--set", f"workspace.url={workspace.url}")
        return CliRunner().invoke(app, ["forget", str(reference[1].path), *map(str, words)], catch_exceptions=False)

    episode = named(workspace, "teleop")
    remember(workspace.blobs, HandedOut("training run", "/elsewhere", "ss-1"))
    seen = joinery(episode, "--dry-run")
    assert seen.exit_code == 0
    assert "would be removed" in seen.stdout
    assert "nothing was changed" in seen.stdout
    (Path(workspace.url) / "notes.txt").write_text(episode)
    left = joinery(episode, "--at", AT, "--reason", "asked")
    assert left.exit_code == 1
    assert "STILL THERE: notes.txt: 1 × episode id" in left.stdout
    assert "out of reach: training run at /elsewhere" in left.stdout
    (Path(workspace.url) / "notes.txt").unlink()
    gone = joinery(episode, "--json")
    assert gone.exit_code == 0
    said = json.loads(gone.stdout)
    assert said["proven"]
    assert (said["takedowns"][0]["at"], said["takedowns"][0]["reason"]) == (AT, "asked"), "as it was first asked for"
    again = joinery(episode)
    assert (again.exit_code, "proven:" in again.stdout) == (0, True)
    assert joinery("episode_index=0").exit_code == 1


def test_exports_and_training_runs_are_listed_as_out_of_reach(workspace: Workspace) -> None:
    made_of = HandedOut("export", "/elsewhere", "ss-1")
    remember(workspace.blobs, made_of)
    assert made_of in forget(workspace, wish(named(workspace, "teleop"))).out_of_reach


def test_a_load_plan_compiled_before_is_refused_with_what_to_do(workspace: Workspace, tmp_path: Path) -> None:
    shards, plan = f"{workspace.url}/shards", str(tmp_path / "plan")
    compile_load_plan(shards, plan, None, Extent(draws=40))
    old = ShardSet.open(shards).shard_set_id
    forget(workspace, wish(named(workspace, "teleop")))
    with pytest.raises(StoreError, match="compiled from other training events"), PlanLoader(plan, shards) as loader:
        next(iter(loader))
    with pytest.raises(StoreError, match="compile it again"):
        PlanLoader(plan, f"{shards}/{old}")


@pytest.mark.slow  # a minute: every one of some thousand requests goes to a server in Python
def test_a_workspace_on_an_object_store_is_served_too(workspace: Workspace) -> None:
    episode = named(workspace, "teleop")
    with s3_bucket("bucket") as storage:
        there = Workspace("s3://bucket/workspace", storage)
        root = Path(workspace.url)
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            there.blobs.put_bytes(path.relative_to(root).as_posix(), path.read_bytes())
        result = forget(there, wish(episode))
        assert result.proven, result.remaining
        assert verify(there.blobs, shard_set_path(there.blobs)).problems == ()
        forget(workspace, wish(episode))
        here, on_store = (where.read(takedown_path(episode)) for where in (workspace.blobs, there.blobs))
        assert json.loads(on_store)["shard_sets"] == json.loads(here)["shard_sets"]


def test_a_review_folder_elsewhere_is_served_and_searched_too(workspace: Workspace, tmp_path: Path) -> None:
    episode, folder = named(workspace, "teleop"), tmp_path / "elsewhere"
    folder.mkdir()
    store = ReviewStore(folder / "review.sqlite")
    store.add(made(episode_id=episode), "sha")
    store.close()
    (folder / "notes.txt").write_text(episode)
    result = forget(workspace, Wish((episode,), AT, review=folder))
    assert [one.path for one in result.remaining] == [f"{folder}/notes.txt"]
