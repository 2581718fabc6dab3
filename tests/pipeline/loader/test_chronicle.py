"""Who follows whom: by time, inside an episode and a level."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import StoreError
from pipeline.loader.chronicle import EVENTS, Chronicle
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_set(tmp_path_factory.getbasetemp() / "published")


def test_neighbours_are_those_of_the_same_episode_and_level_in_the_order_of_time(folder: str) -> None:
    chronicle, rows = Chronicle.read(ShardSet.open(folder)), pq.read_table(f"{folder}/{EVENTS}").to_pylist()
    longest = 0
    for row in rows:
        story = [x for x in rows if (x["episode_id"], x["level"]) == (row["episode_id"], row["level"])]
        order = sorted(story, key=lambda x: (x["start_ns"], x["end_ns"], x["event_id"]))
        at = [x["event_id"] for x in order].index(row["event_id"])
        longest = max(longest, len(order))
        before, after = chronicle.before(row["event_id"], 2), chronicle.after(row["event_id"], 2)
        assert [x.event_id for x in before] == [x["event_id"] for x in order[max(0, at - 2) : at]]
        assert [x.event_id for x in after] == [x["event_id"] for x in order[at + 1 : at + 3]]
        for found, expected in zip(after, order[at + 1 : at + 3], strict=True):
            assert (found.caption, found.verb) == (expected["caption"], expected["verb"])
            assert found.seconds == pytest.approx((expected["end_ns"] - expected["start_ns"]) / 1e9)
    assert longest > 2


def test_every_sample_of_the_set_is_found(folder: str) -> None:
    shards = ShardSet.open(folder)
    chronicle = Chronicle.read(shards)
    for split in shards.splits:
        for t in range(shards.n_samples(split)):
            sample = shards.read(split, t)
            for following in chronicle.after(sample.event_id, 1):
                assert chronicle.before(following.event_id, 1)[0].event_id == sample.event_id
                assert chronicle.before(following.event_id, 1)[0].caption == sample.caption


def test_an_unknown_event_is_refused(folder: str) -> None:
    with pytest.raises(KeyError, match="ev-none: not among the"):
        Chronicle.read(ShardSet.open(folder)).after("ev-none", 1)


def test_a_set_without_the_table_is_refused(folder: str, tmp_path: Path) -> None:
    there = Path(shutil.copytree(folder, tmp_path / "set"))
    (there / EVENTS).unlink()
    with pytest.raises(StoreError, match=r"events\.parquet: not in the shard set"):
        Chronicle.read(ShardSet.open(str(there)))
