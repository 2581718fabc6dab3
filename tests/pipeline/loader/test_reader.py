"""The order every rank walks: nothing lost, nothing doubled, whatever the world and wherever it stopped."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.loader.reader import ShardSet, draws
from schemas.shard import ShardSet as Published
from tests.pipeline.shards.corpus import Corpus


def test_draws_come_in_the_order_of_the_plan(opened: ShardSet, filmed: Corpus) -> None:
    for split in ("train", "validation"):
        planned = [draw.event_id for draw in filmed.draws if draw.split == split]
        assert [sample.event_id for _, sample in opened.iterate(split)] == planned
        assert opened.n_samples(split) == len(planned)


def test_random_access_reads_what_iterating_reads(opened: ShardSet) -> None:
    keys = {t: sample.key for t, sample in opened.iterate("train")}
    for t in reversed(range(opened.n_samples("train"))):
        assert opened.read("train", t).key == keys[t]


@given(st.integers(0, 50), st.integers(0, 60), st.integers(1, 9), st.integers(1, 9))
def test_any_world_resumed_by_any_other_reads_every_draw_once(n: int, stop: int, before: int, after: int) -> None:
    first = [t for rank in range(before) for t in draws(min(stop, n), 0, rank, before)]
    second = [t for rank in range(after) for t in draws(n, min(stop, n), rank, after)]
    assert sorted(first + second) == list(range(n))
    for rank in range(after):
        assert all(t % after == rank for t in draws(n, stop, rank, after))


def test_a_rank_outside_the_world_is_refused() -> None:
    with pytest.raises(ValueError, match="rank 2 of 2"):
        draws(5, 0, 2, 2)
    with pytest.raises(ValueError, match="start -1"):
        draws(5, -1, 0, 1)


def test_it_opens_by_set_or_by_the_folder_of_sets(folder: Path, opened: ShardSet, published: Published) -> None:
    assert ShardSet.open(str(folder.parent)).shard_set_id == opened.shard_set_id == published.shard_set_id
    assert opened.splits == ("train", "validation")


def test_anything_else_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"found neither set\.json nor latest\.json"):
        ShardSet.open(str(tmp_path))


def test_a_worker_gets_a_copy_that_opens_its_own_files(opened: ShardSet) -> None:
    opened.read("train", 0)
    again = pickle.loads(pickle.dumps(opened))
    assert again.read("train", 3).key == opened.read("train", 3).key


def test_damage_is_noticed_when_asked_to_check(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "set"))
    path = copy / "train-000000.tar"
    data = bytearray(path.read_bytes())
    data[600] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"train-000000\.tar, draw 0 of train: the manifest says other bytes"):
        ShardSet.open(str(copy), check=True).read("train", 0)
    assert ShardSet.open(str(copy), check=True).read("train", 1).t == 1


def test_a_missing_tar_and_a_missing_draw_are_named(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "set"))
    (copy / "train-000001.tar").unlink()
    opened = ShardSet.open(str(copy))
    with pytest.raises(StoreError, match=r"train-000001\.tar: the manifest names this shard"):
        opened.read("train", 5)
    with pytest.raises(IndexError, match="draw 99 of train, which has 12"):
        opened.read("train", 99)
    with pytest.raises(KeyError, match="no split 'test'"):
        opened.read("test", 0)
    assert opened.n_samples("test") == 0


def test_the_index_has_the_lengths_packing_needs(opened: ShardSet) -> None:
    index = opened.index("train")
    for t, sample in opened.iterate("train"):
        assert index.n_frames[t] == sample.n_frames
        assert index.duration_ns[t] == sample.span.end_ns - sample.span.start_ns


def test_only_a_few_tars_are_open_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.loader.reader.MAX_OPEN_TARS", 2)
    opened = ShardSet.open(str(folder))
    for t in (0, 5, 10, 0, 10):
        opened.read("train", t)
    assert len(opened._tars) == 2


def test_statistics_are_of_one_embodiment(opened: ShardSet) -> None:
    assert opened.stats("arm7").known_20.tolist() == [False] * 10 + [True] * 10
    with pytest.raises(KeyError, match=r"no statistics for embodiment 'moose', found \['arm7'\]"):
        opened.stats("moose")


def test_a_worker_that_reads_imports_nothing_heavy() -> None:
    script = (
        "import sys, pipeline.loader.reader, pipeline.loader.decode, pipeline.loader.pack\n"
        "print(sorted({'ray', 'webdataset', 'lance', 'torch', 'cv2', 'duckdb'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
