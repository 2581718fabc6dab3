"""An Energon dataset as it lies on disk; Energon itself reads it in benchmarks/readback."""

import json
import sqlite3
import struct
import tarfile
from pathlib import Path

import pytest
import yaml

from pipeline.exporters.energon import write_energon
from pipeline.exporters.folder import digests
from pipeline.loader.reader import ShardSet


@pytest.fixture(scope="module")
def out(opened: ShardSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("energon")
    counts = write_energon(opened, folder)
    assert counts.n_events == sum(opened.n_samples(split) for split in opened.splits)
    return folder


def test_the_tars_are_the_sets_own(out: Path, opened: ShardSet) -> None:
    found = digests(out)
    for shard in opened.description["shards"]:
        assert found[f"{shard['shard']}.tar"] == shard["sha256"]
    assert json.loads((out / ".nv-meta" / ".info.json").read_text())["shard_counts"] == {
        f"{shard['shard']}.tar": shard["n_samples"] for shard in opened.description["shards"]
    }
    for name in ("README.md", "recipe.yaml", "plan.json"):
        assert found[name] == opened.description["files"][name]


def test_offsets_lead_to_samples(out: Path) -> None:
    for path in out.glob("*.tar"):
        raw = Path(f"{path}.idx").read_bytes()
        offsets = struct.unpack(f"<{len(raw) // 8}Q", raw)
        with tarfile.open(path) as tar:
            firsts: dict[str, int] = {}
            for member in tar:
                firsts.setdefault(member.name.partition(".")[0], member.offset)
            assert list(offsets) == [*firsts.values(), tar.offset]


def test_the_index_leads_to_every_member(out: Path) -> None:
    index = sqlite3.connect(out / ".nv-meta" / "index.sqlite")
    tars = list(json.loads((out / ".nv-meta" / ".info.json").read_text())["shard_counts"])
    query = (
        "SELECT p.tar_file_id, s.sample_key, part_name, content_byte_offset, content_byte_size FROM sample_parts p "
        "JOIN samples s ON s.tar_file_id = p.tar_file_id AND s.sample_index = p.sample_index"
    )
    found = {(tars[row[0]], f"{row[1]}.{row[2]}", row[3], row[4]) for row in index.execute(query)}
    expected = set()
    for name in tars:
        with tarfile.open(out / name) as tar:
            expected |= {(name, member.name, member.offset_data, member.size) for member in tar}
    assert found == expected
    assert len(found) > 50


def test_splits_stay_apart(out: Path, opened: ShardSet) -> None:
    parts = yaml.safe_load((out / ".nv-meta" / "split.yaml").read_text())["split_parts"]
    named = {"train": "train", "val": "validation", "reserve": "reserve", "test": "test"}
    assert {named[part]: names for part, names in parts.items()} == {
        split: [f"{shard['shard']}.tar" for shard in opened.description["shards"] if shard["split"] == split]
        for split in named.values()
    }


def test_the_same_set_gives_the_same_bytes(out: Path, opened: ShardSet, tmp_path: Path) -> None:
    write_energon(opened, tmp_path)
    assert digests(tmp_path) == digests(out)
