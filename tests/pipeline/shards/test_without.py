"""A set without some episodes: whole, in order, the rest of it as it was, and honest about being another one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clustering import schedule
from clustering.balance import balance
from clustering.strata import count_strata
from pipeline.blobs import Blobs
from pipeline.cards.taken_out import Gone
from pipeline.errors import StoreError
from pipeline.loader.names import SET, STATS
from pipeline.loader.reader import ShardSet
from pipeline.shards import publish
from pipeline.shards import without as module
from pipeline.shards.json_text import pretty
from pipeline.shards.latest import point_at, shard_set_path
from pipeline.shards.shard import sample_statistics
from pipeline.shards.statistics import statistics
from pipeline.shards.verify import verify
from pipeline.shards.without import names_any, sets_there, unfinished, without
from pipeline.stage import Bundle
from schemas.cluster import Membership
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.recipe_balance import BalanceSpec
from schemas.shard import ShardSet as PublishedSet
from tests.pipeline.shards.corpus import SPEC, Corpus, card_streams, membership, write_shards

ONE, TWO, HELD_OUT = (f"ep-{number:032x}" for number in (0, 1, 3))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Blobs:
    shutil.copytree(folder, tmp_path / "shards" / folder.name)
    blobs = Blobs(str(tmp_path))
    point_at(blobs, folder.name)
    return blobs


def gone(*episodes: str, events: frozenset[str] = frozenset()) -> Gone:
    return Gone(frozenset(episodes), events)


def problems(blobs: Blobs) -> tuple[str, ...]:
    return verify(blobs, shard_set_path(blobs)).problems


def test_verify_is_green_and_samples_keep_their_bytes(copy: Blobs, folder: Path) -> None:
    before = ShardSet.open(str(folder))
    less = without(copy, folder.name, gone(ONE))
    assert problems(copy) == ()
    after = ShardSet.open(f"{copy.url}/shards", check=True)
    assert after.shard_set_id == less.now != folder.name
    kept = {
        key: members
        for split in before.splits
        for t in range(before.n_samples(split))
        for key, members in [before.read_members(split, t)]
        if ONE.encode() not in members["event.json"]
    }
    found = dict(after.read_members(split, t) for split in after.splits for t in range(after.n_samples(split)))
    assert found == kept
    assert less.n_samples == sum(before.n_samples(split) for split in before.splits) - len(kept) > 0


def test_a_hole_that_is_not_listed_turns_verify_red(copy: Blobs, folder: Path) -> None:
    less = without(copy, folder.name, gone(ONE))
    path = f"shards/{less.now}/{SET}"
    content = json.loads(copy.read(path))
    del content["taken_out"]["train"][0]
    copy.put_bytes(path, pretty(content).encode())
    assert any("draws are missing" in problem for problem in problems(copy))


def test_statistics_made_from_tars_are_those_of_the_shard_stage(folder: Path) -> None:
    opened = ShardSet.open(str(folder))
    by_shard: dict[str, list[object]] = {}
    for t, shard in enumerate(opened.manifest("train", ["shard"]).column(0).to_pylist()):
        by_shard.setdefault(shard, []).append(opened.read("train", t))
    batches = [sample_statistics(name, "train", samples) for name, samples in sorted(by_shard.items())]  # type: ignore[arg-type]
    assert pretty(statistics(batches)) == (folder / STATS).read_text()


def test_one_after_the_other_or_both_at_once_is_the_same_set(copy: Blobs, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(copy.url, tmp_path / "again", ignore=shutil.ignore_patterns("again"))
    again = Blobs(str(tmp_path / "again"))
    first = without(copy, folder.name, gone(ONE))
    second = without(copy, first.now, gone(HELD_OUT))
    assert problems(copy) == ()
    assert without(again, folder.name, gone(ONE, HELD_OUT)).now == second.now
    text = copy.read(f"shards/{second.now}/README.md").decode()
    assert text.count("Taken down since") == 1
    assert f"{first.n_samples + second.n_samples} samples, and all that was said" in text


def test_whoever_opens_the_old_set_is_told(copy: Blobs, folder: Path) -> None:
    less = without(copy, folder.name, gone(ONE))
    for ask in (lambda: ShardSet.open(f"{copy.url}/shards/{folder.name}"), lambda: shard_set_path(copy, folder.name)):
        with pytest.raises(StoreError, match=f"taken down, so this set is no more; open {less.now}"):
            ask()
    assert without(copy, folder.name, gone(ONE)) == less


def test_a_set_of_nothing_else_is_no_more(copy: Blobs, folder: Path) -> None:
    everybody = {f"ep-{number:032x}" for number in range(9)}
    assert without(copy, folder.name, gone(*everybody)).now == ""
    with pytest.raises(StoreError, match="no shard set yet"):
        shard_set_path(copy)


def test_a_kill_before_the_old_set_is_touched_changes_nothing_of_it(
    copy: Blobs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_point_elsewhere", killed)
    with pytest.raises(KeyboardInterrupt):
        without(copy, folder.name, gone(TWO))
    assert verify(copy, f"shards/{folder.name}").problems == ()
    monkeypatch.undo()
    less = without(copy, folder.name, gone(TWO))
    assert problems(copy) == ()
    assert sets_there(copy) == sorted([folder.name, less.now])
    assert copy.list(f"shards/{folder.name}") == [f"shards/{folder.name}/replaced.json"]


def test_a_folder_without_set_json_is_no_set(copy: Blobs, folder: Path) -> None:
    (Path(copy.url) / "shards" / folder.name / SET).unlink()
    assert sets_there(copy) == []
    assert unfinished(copy) == [folder.name]


def test_a_set_with_other_tables_is_refused_before_anything_of_it_changes(copy: Blobs, folder: Path) -> None:
    path = f"shards/{folder.name}/{SET}"
    copy.put_bytes(path, pretty({**json.loads(copy.read(path)), "format": 2}).encode())
    with pytest.raises(StoreError, match="has format 2, expected 3; remove the folder"):
        names_any(copy, folder.name, gone(ONE))
    assert not names_any(copy, folder.name, gone(f"ep-{99:032x}"))


def ordered(of: Corpus, n_episodes: int, before: list[Any]) -> list[Any]:
    """The plan, draws and segments of the first so many episodes, drawn behind those there were."""
    known = {episode.episode_id for episode in of.episodes[:n_episodes]}
    members = [membership(item) for item in of.assignments if item.episode_id in known]
    spec = BalanceSpec()
    plan = balance(count_strata([members], spec), spec)
    streams: dict[type, Any] = {
        kind: (lambda kind=kind: iter([[item for item in before if type(item) is kind]]))
        for kind in (Draw, DrawSegment)
    }
    streams |= {SamplingPlan: lambda: iter([[plan]]), Membership: lambda: iter([members])}
    asked = schedule.ScheduleSlice(seed=0, samples_per_shard=3, on_append="extend", balance=spec)
    return [plan, *schedule.STAGE.run(Bundle("corpus", streams=streams), asked)]


@pytest.mark.parametrize("number", [0, 2, 3])
def test_a_set_that_was_extended_keeps_its_segments(filmed: Corpus, tmp_path: Path, number: int) -> None:
    """Whether the episode was there from the beginning, came later, or is held out."""
    plan, *order = ordered(filmed, 4, ordered(filmed, 2, []))
    segments = [item for item in order if isinstance(item, DrawSegment)]
    assert [segment.start > 0 for segment in segments] == [False, True]
    draws = tuple(item for item in order if isinstance(item, Draw))
    of, blobs = replace(filmed, plan=plan, draws=draws), Blobs(str(tmp_path))
    streams = card_streams(of, write_shards(of, blobs)) | {DrawSegment: lambda: iter([segments])}
    (whole,) = publish.STAGE.run(Bundle("corpus", work_key="extended", blobs=blobs, streams=streams), SPEC)
    assert isinstance(whole, PublishedSet)
    assert verify(blobs, whole.path).problems == ()
    less = without(blobs, whole.shard_set_id, gone(filmed.episodes[number].episode_id))
    assert verify(blobs, f"shards/{less.now}").problems == ()
    assert less.n_samples == sum(draw.episode_id == filmed.episodes[number].episode_id for draw in draws) > 0
    (plan_file,) = Path(blobs.url).glob(f"shards/{less.now}/plan.json")
    assert [segment["start"] for segment in json.loads(plan_file.read_text())["segments"]] == [
        segment.start for segment in segments
    ]
