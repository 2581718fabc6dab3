"""What is left to do follows from the listing, the recipe and what is committed; and from nothing else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipeline import ledger as ledger_module
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.input_listing import listed_attempts
from pipeline.ledger import Ledger
from pipeline.stage import Bundle, Match, Read, Scope, Stage
from pipeline.store import Workspace
from pipeline.work_item import WorkItem
from schemas.calibration import Calibration, calibration_group
from schemas.finding import Failure, Finding, Verdict
from schemas.identity import digest, work_key
from schemas.plan import Draw
from schemas.recipe import Recipe
from schemas.recipe_section import section_digest
from schemas.run import WorkDone
from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref


def ref(name: str, *, source: str = "s", dataset: str = "d", path: str = "a.mp4", root: str = "/r") -> EpisodeRef:
    files = (SourceFile("video/main", path, digest(name), 10),)
    return make_ref(
        source=source, kind=SourceKind.TELEOP, dataset=dataset, embodiment="arm", locator=name, root=root,
        files=files, metadata="{}",
    )  # fmt: skip


def never(_bundle: Bundle, _spec: BaseModel) -> list[object]:
    raise AssertionError("the ledger runs nothing")


def stage(name: str, scope: Scope, *reads: Read, revision: str = "", version: int = 1) -> Stage:
    return Stage(
        name, version, scope, reads, (Finding,), lambda recipe: recipe.align, never, revision=lambda _spec: revision
    )


FIRST = stage("first", Scope.EPISODE)
GROUPED = stage("grouped", Scope.GROUP, Read(Finding, "first"))
SECOND = stage("second", Scope.EPISODE, Read(Finding, "first"), Read(Calibration, "grouped"))
WHOLE = stage("whole", Scope.CORPUS, Read(Finding, "second"))
TARRED = stage("tarred", Scope.SHARD, Read(Draw, "whole", Match.SHARD), Read(Finding, "second"))
STAGES = (FIRST, GROUPED, SECOND, WHOLE, TARRED)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(str(tmp_path / "ws"))


@pytest.fixture
def recipe() -> Recipe:
    source = {"format": "video_folder", "name": "s", "path": "/r", "card": {"licence": "CC0"}}
    return Recipe.model_validate({"joinery": 1, "workspace": {"url": "/ws"}, "sources": [source]})


def ledger_of(
    workspace: Workspace, recipe: Recipe, refs: list[EpisodeRef], stages: tuple[Stage, ...] = STAGES
) -> Ledger:
    workspace.replace(EpisodeRef, [refs])
    ledger = Ledger(workspace, recipe, stages)
    ledger.refresh_all()
    return ledger


def finish(workspace: Workspace, name: str, items: list[WorkItem], make: Callable[[WorkItem], list[object]]) -> None:
    writer = AttemptWriter(workspace)
    done = []
    for i, item in enumerate(items):
        attempt = f"{name}-{item.item}-{i}"
        writer.add(make(item), item.work_key, attempt)
        done.append(WorkDone(item.work_key, name, item.item, attempt, item.work_key, "run", 0.0))
    workspace.commit([Attempt(writer.finish(), tuple(done), ())])


def note(item: WorkItem) -> list[object]:
    return [Finding(item.item, "s", "x", "c", Verdict.KEEP, "m")]


def run_all(workspace: Workspace, recipe: Recipe, refs: list[EpisodeRef], draws: list[Draw]) -> Ledger:
    ledger = ledger_of(workspace, recipe, refs)
    for one in STAGES:
        ledger.refresh(one.name)
        make = (lambda _item: list(draws)) if one is WHOLE else note
        finish(workspace, one.name, list(ledger.left(one.name)), make)
        ledger.refresh(one.name)
    return ledger


def test_sql_and_python_agree_on_a_work_key(workspace: Workspace, recipe: Recipe) -> None:
    episode = ref("a")
    keyed = stage("first", Scope.EPISODE, revision="weights", version=3)
    (item,) = ledger_of(workspace, recipe, [episode], (keyed,)).left("first")
    assert item.work_key == work_key("first", 3, section_digest(recipe.align), "weights", [episode.fingerprint])


def test_everything_is_left_at_first_and_nothing_after(workspace: Workspace, recipe: Recipe) -> None:
    refs = [ref("a"), ref("b")]
    ledger = ledger_of(workspace, recipe, refs)
    items = list(ledger.left("first"))
    assert [item.item for item in items] == sorted(episode.episode_id for episode in refs)
    finish(workspace, "first", items, note)
    ledger.refresh("first")
    assert list(ledger.left("first")) == []
    assert ledger.state("first").done == 2


def test_a_later_stage_waits_for_its_upstream(workspace: Workspace, recipe: Recipe) -> None:
    ledger = ledger_of(workspace, recipe, [ref("a"), ref("b")])
    first = list(ledger.left("first"))
    assert ledger.state("second").waiting == 2
    finish(workspace, "first", first[:1], note)
    ledger.refresh_all()
    finish(workspace, "grouped", list(ledger.left("grouped")), note)
    ledger.refresh_all()
    (item,) = ledger.left("second")
    assert item.item == first[0].item
    assert item.attempts["first"] == (f"first-{item.item}-0",)
    assert len(item.attempts["grouped"]) == 1


def test_moving_the_source_changes_no_key(workspace: Workspace, recipe: Recipe) -> None:
    before = [item.work_key for item in ledger_of(workspace, recipe, [ref("a", root="/old")]).left("first")]
    after = [
        item.work_key for item in ledger_of(workspace, recipe, [ref("a", root="/new", path="b.mp4")]).left("first")
    ]
    assert before == after


def test_groups_are_keyed_apart_and_by_all_their_members(workspace: Workspace, recipe: Recipe) -> None:
    refs = [ref("a", dataset="d"), ref("b", dataset="d"), ref("c", dataset="e")]
    ledger = ledger_of(workspace, recipe, refs)
    finish(workspace, "first", list(ledger.left("first")), note)
    ledger.refresh_all()
    keys = {item.item: item.work_key for item in ledger.left("grouped")}
    assert set(keys) == {calibration_group("d", "arm"), calibration_group("e", "arm")}
    ledger = ledger_of(workspace, recipe, [*refs, ref("z", dataset="d")])
    finish(workspace, "first", list(ledger.left("first")), note)
    ledger.refresh_all()
    grown = {item.item: item.work_key for item in ledger.left("grouped")}
    assert grown[calibration_group("e", "arm")] == keys[calibration_group("e", "arm")]
    assert grown[calibration_group("d", "arm")] != keys[calibration_group("d", "arm")]


def test_a_wide_stage_lists_its_inputs_in_order(workspace: Workspace, recipe: Recipe) -> None:
    ledger = ledger_of(workspace, recipe, [ref("a"), ref("b"), ref("c")])
    items = list(ledger.left("first"))
    finish(workspace, "first", items, note)
    ledger.refresh_all()
    (group,) = ledger.left("grouped")
    listed = [attempt for chunk in listed_attempts(workspace, group.listing, "first") for attempt in chunk]
    assert listed == [f"first-{item.item}-{i}" for i, item in enumerate(items)]


def test_a_recipe_change_reruns_its_readers_and_their_dependants_only(workspace: Workspace, recipe: Recipe) -> None:
    refs = [ref("a")]
    run_all(workspace, recipe, refs, [])
    changed = (FIRST, replace(GROUPED, revision=lambda _spec: "new prompt"), *STAGES[2:])
    ledger = ledger_of(workspace, recipe, refs, changed)
    assert [len(list(ledger.left(one.name))) for one in changed[:3]] == [0, 1, 0]
    assert ledger.state("second").waiting == 1


def test_two_runs_that_raced_count_once(workspace: Workspace, recipe: Recipe) -> None:
    ledger = ledger_of(workspace, recipe, [ref("a")])
    (item,) = ledger.left("first")
    for attempt in ("zz", "aa"):
        writer = AttemptWriter(workspace)
        writer.add(note(item), item.work_key, attempt)
        done = WorkDone(item.work_key, "first", item.item, attempt, item.work_key, "run", 0.0)
        workspace.commit([Attempt(writer.finish(), (done,), ())])
    ledger.refresh("first")
    assert ledger.done_attempts("first") == [(item.item, "aa")]


def test_quarantine_stays_until_asked_and_is_counted(workspace: Workspace, recipe: Recipe) -> None:
    ledger = ledger_of(workspace, recipe, [ref("a"), ref("b")])
    bad, good = ledger.left("first")
    failure = Failure("first", bad.item, "s", bad.work_key, "SourceError", "m", "t", "run")
    workspace.commit([Attempt({}, (), (failure,))])
    ledger.refresh_all()
    assert [item.item for item in ledger.left("first")] == [good.item]
    assert {item.item for item in ledger.left("first", retry_quarantined=True)} == {bad.item, good.item}
    assert ledger.quarantined_share() == (1, 2)
    finish(workspace, "first", [bad], note)
    ledger.refresh_all()
    assert ledger.quarantined_share() == (0, 2)


def test_a_recording_listed_twice_is_used_once(workspace: Workspace, recipe: Recipe) -> None:
    twins = [ref("a", source="t", root="/t"), ref("a", source="s", root="/s")]
    ledger = ledger_of(workspace, recipe, twins)
    (item,) = ledger.left("first")
    assert ledger.duplicates() == [(item.item, "t", "a", "s", "a")]


def test_a_shard_is_keyed_by_its_draws_and_its_episodes(workspace: Workspace, recipe: Recipe) -> None:
    refs = sorted([ref("a"), ref("b")], key=lambda episode: episode.episode_id)

    def draw(t: int, episode: EpisodeRef, shard: str) -> Draw:
        return Draw("plan", "train", t, f"ev-{t}", episode.episode_id, 0, 0, 0, shard, t, 0.5, None, 1.0)

    draws = [draw(0, refs[0], "train-000000"), draw(1, refs[1], "train-000001")]
    ledger = run_all(workspace, recipe, refs, draws)
    assert [item for item, _ in ledger.done_attempts("tarred")] == ["train-000000", "train-000001"]
    workspace_of_one = ledger_of(workspace, recipe, refs)
    assert list(workspace_of_one.left("tarred")) == []


@pytest.mark.parametrize("at_once", [1, 2, 3, 5])
def test_shards_have_the_same_keys_however_many_draws_are_looked_at_at_once(
    workspace: Workspace, recipe: Recipe, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = sorted([ref(name) for name in "abc"], key=lambda episode: episode.episode_id)
    draws = [
        Draw("plan", "train", t, f"ev-{t}", refs[t % 3].episode_id, 0, 0, 0, f"train-{t // 2:06d}", t, 0.5, None, 1.0)
        for t in range(9)
    ]
    ledger = run_all(workspace, recipe, refs, draws)
    expected = ledger.rows("SELECT item, work_key FROM key_tarred ORDER BY item")
    assert [item for item, _ in expected] == [f"train-{number:06d}" for number in range(5)]
    monkeypatch.setattr(ledger_module, "DRAWS_AT_ONCE", at_once)
    ledger.refresh("tarred")
    assert ledger.rows("SELECT item, work_key FROM key_tarred ORDER BY item") == expected


def test_a_failed_group_counts_as_all_its_episodes(workspace: Workspace, recipe: Recipe) -> None:
    ledger = ledger_of(workspace, recipe, [ref("a", dataset="d"), ref("b", dataset="d"), ref("c", dataset="e")])
    finish(workspace, "first", list(ledger.left("first")), note)
    ledger.refresh_all()
    bad = next(item for item in ledger.left("grouped") if item.item == calibration_group("d", "arm"))
    workspace.commit([Attempt({}, (), (Failure("grouped", bad.item, "", bad.work_key, "E", "m", "t", "run"),))])
    ledger.refresh_all()
    assert ledger.quarantined_share() == (2, 3)


def test_a_run_goes_by_its_own_listing_whatever_others_list_meanwhile(workspace: Workspace, recipe: Recipe) -> None:
    reading = replace(FIRST, reads_source=True)
    episode = ref("a")
    ledger = Ledger(workspace, recipe, (reading,), workspace.replace(EpisodeRef, [[episode]]))
    ledger.refresh_all()
    workspace.replace(EpisodeRef, [[ref("other")]])
    (item,) = ledger.left("first")
    assert item.ref == episode


def test_without_a_listing_named_it_goes_by_the_one_there_was(workspace: Workspace, recipe: Recipe) -> None:
    episodes = [ref("a"), ref("b")]
    ledger = ledger_of(workspace, recipe, episodes, (replace(FIRST, reads_source=True),))
    workspace.replace(EpisodeRef, [[ref("other")]])
    assert {item.item: item.ref for item in ledger.left("first")} == {ref.episode_id: ref for ref in episodes}


def test_a_stage_waits_for_what_it_comes_after_without_reading_it(workspace: Workspace, recipe: Recipe) -> None:
    later = stage("later", Scope.EPISODE, Read(Finding, "first"))
    stages = (FIRST, stage("other", Scope.EPISODE), replace(later, after=("other",)))
    ledger = ledger_of(workspace, recipe, [ref("a")], stages)
    finish(workspace, "first", list(ledger.left("first")), note)
    ledger.refresh_all()
    assert list(ledger.left("later")) == []
    finish(workspace, "other", list(ledger.left("other")), note)
    ledger.refresh_all()
    (item,) = ledger.left("later")
    free = ledger_of(workspace, recipe, [ref("a")], (*stages[:2], later))
    assert item.work_key == next(free.left("later")).work_key
