"""Megatron Energon: the tars as they are, with the indexes and the ``.nv-meta`` folder `energon prepare` would make.

Written by hand because Energon's own preparation asks questions, and gives a dataset another random id each time. No
blend weights are written: the tars hold each event as often as the plan draws it, so reading them through once is the
plan. A blend of one dataset per cell would draw at random, and give nothing to a cell that a worker has no sample of
(docs/design/loader.md).
"""

import json
import sqlite3
import struct
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import yaml

from pipeline.errors import JoineryError
from pipeline.exporters.folder import Counts, Losses
from pipeline.exporters.set_files import CARD, PLAN, RECIPE, place_file, place_papers
from pipeline.loader.names import MANIFEST, STATS
from pipeline.loader.reader import ShardSet
from pipeline.shards.tar import BLOCK, members

META = ".nv-meta"
ENERGON = "7.4.1"
"""The version whose files these are."""
SPLITS = {"train": "train", "validation": "val", "test": "test", "reserve": "reserve"}
"""Ours to Energon's, in its order."""
_SCHEMA = (
    "CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, "
    "sample_index INTEGER NOT NULL, byte_offset INTEGER, byte_size INTEGER)",
    "CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, "
    "content_byte_offset INTEGER, content_byte_size INTEGER)",
)
_INDEXES = (
    "CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index)",
    "CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset)",
    "CREATE INDEX idx_sample_parts_full ON sample_parts(tar_file_id, sample_index, part_name, content_byte_offset, "
    "content_byte_size)",
)


@dataclass(frozen=True)
class _Sample:
    """Where a sample lies in its tar."""

    key: str
    offset: int
    n_bytes: int
    parts: tuple[tuple[str, int, int], ...]
    """Extension, offset and size of each member's content."""


def write_energon(shards: ShardSet, out: Path) -> Counts:
    """The whole set as an Energon dataset: splits stay apart, as ``train``, ``val``, ``test`` and ``reserve``."""
    listed = [(f"{shard['shard']}.tar", str(shard["split"])) for shard in shards.description["shards"]]
    (out / META).mkdir(parents=True)
    index = sqlite3.connect(out / META / "index.sqlite")
    counts: dict[str, int] = {}
    n_frames = 0
    try:
        for statement in _SCHEMA:
            index.execute(statement)
        for number, (name, split) in enumerate(listed):
            place_file(shards, name, out / name)
            samples = list(_samples(shards, name.removesuffix(".tar"), split))
            _write_offsets(out / f"{name}.idx", samples)
            _insert(index, number, samples)
            counts[name] = len(samples)
        for statement in _INDEXES:
            index.execute(statement)
        index.commit()
    finally:
        index.close()
    for split in shards.splits:
        n_frames += int(shards.index(split).n_frames.sum())
    _write_meta(out / META, shards.shard_set_id, counts, listed)
    place_papers(shards, out, (CARD, RECIPE, PLAN, STATS, MANIFEST))
    return Counts(sum(counts.values()), n_frames, Losses())


def _samples(shards: ShardSet, shard: str, split: str) -> Iterator[_Sample]:
    rows = shards.manifest(split, ["shard", "key", "offset", "n_bytes"])
    rows = rows.filter(pa.compute.equal(rows.column("shard"), shard)).sort_by("offset")
    with shards.open_file(f"{shard}.tar") as tar:
        for row in rows.to_pylist():
            tar.seek(row["offset"])
            data = tar.read(row["n_bytes"])
            at, parts = row["offset"], []
            for name, content in members(data, f"{shard}.tar, sample {row['key']}"):
                parts.append((name.partition(".")[2], at + BLOCK, len(content)))
                at += BLOCK + len(content) + -len(content) % BLOCK
            if at != row["offset"] + row["n_bytes"]:
                raise JoineryError(f"{shard}.tar, sample {row['key']}: ends at {at}, the manifest says otherwise")
            yield _Sample(row["key"], row["offset"], row["n_bytes"], tuple(parts))


def _write_offsets(path: Path, samples: Sequence[_Sample]) -> None:
    """Where each sample starts, and where the last one ends; unsigned 64-bit, little-endian."""
    ends = [sample.offset for sample in samples] + [samples[-1].offset + samples[-1].n_bytes if samples else 0]
    path.write_bytes(struct.pack(f"<{len(ends)}Q", *ends))


def _insert(index: sqlite3.Connection, tar: int, samples: Sequence[_Sample]) -> None:
    rows = [(tar, sample.key, i, sample.offset, sample.n_bytes) for i, sample in enumerate(samples)]
    parts = [(tar, i, *part) for i, sample in enumerate(samples) for part in sample.parts]
    index.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
    index.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", parts)


def _write_meta(meta: Path, shard_set_id: str, counts: dict[str, int], listed: Sequence[tuple[str, str]]) -> None:
    info = {"energon_version": ENERGON, "shard_counts": counts}
    (meta / ".info.json").write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    parts = {theirs: [name for name, split in listed if split == ours] for ours, theirs in SPLITS.items()}
    splits = {"split_parts": parts, "exclude": []}
    (meta / "split.yaml").write_text(yaml.safe_dump(splits, sort_keys=False), encoding="utf-8")
    dataset = {
        "__module__": "megatron.energon",
        "__class__": "CrudeWebdataset",
        "subflavors": {"joinery": shard_set_id},
    }
    (meta / "dataset.yaml").write_text(yaml.safe_dump(dataset, sort_keys=False), encoding="utf-8")
    (meta / "index.uuid").write_text(str(uuid.uuid5(uuid.NAMESPACE_OID, shard_set_id)), encoding="utf-8")
