"""An Energon export read back by Megatron Energon itself, beside the shard set it was made from.

    .venv-energon/bin/python -m benchmarks.readback.energon_reader SHARDS EXPORT

Every split in order, every member of every sample byte by byte; then the decoded train split, and one epoch of the
shuffled training order, which must hold each draw once. Last, what Energon's own preparation makes of the same tars is
compared with the indexes written. Exit status 1 when anything differs.
"""

import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from megatron.energon import (
    Cooker,
    DefaultTaskEncoder,
    SampleDecoder,
    WorkerConfig,
    edataclass,
    get_loader,
    get_train_dataset,
    get_val_dataset,
    stateless,
)
from megatron.energon import Sample as EnergonSample
from megatron.energon.flavors.webdataset.prepare import WebdatasetPreparator
from megatron.energon.task_encoder.cooking import basic_sample_keys

from benchmarks.readback.differences import Differences
from pipeline.exporters.energon import SPLITS
from pipeline.loader.reader import ShardSet


@edataclass
class Event(EnergonSample):
    """A crude sample, its members by extension."""

    members: dict[str, Any]


@stateless
def cook(sample: dict[str, Any]) -> Event:
    """All members as they are."""
    return Event(
        **basic_sample_keys(sample), members={name: part for name, part in sample.items() if not name.startswith("_")}
    )


class Raw(DefaultTaskEncoder[Event, Event, Any, Any]):
    """Bytes."""

    cookers: ClassVar = [Cooker(cook)]
    decoder = None

    def batch(self, samples: list[Event]) -> list[Event]:
        return samples


class Decoded(Raw):
    """JSON and arrays by Energon's own decoder."""

    decoder = SampleDecoder()


def in_order(path: Path, split: str, encoder: Raw) -> Iterator[Event]:
    """A split as Energon reads it for validation: once, in the order of the tars."""
    one = WorkerConfig(rank=0, world_size=1, num_workers=0)
    dataset = get_val_dataset(path, split_part=split, worker_config=one, batch_size=1, task_encoder=encoder)
    for batch in get_loader(dataset):
        yield from batch


def read_back(shards: ShardSet, out: Path) -> None:
    """Every split, raw; then decoded."""
    for split in shards.splits:
        found = Differences(f"{SPLITS[split]} ({shards.n_samples(split)} samples)")
        read = list(in_order(out, SPLITS[split], Raw()))
        found.check("length", len(read) == shards.n_samples(split))
        for t, event in enumerate(read):
            key, members = shards.read_members(split, t)
            found.check("order", event.__key__.rsplit("/", 1)[-1] == key)
            found.check("members", sorted(event.members) == sorted(members))
            for name, content in members.items():
                found.check("bytes", event.members.get(name) == content)
        found.report()


def decoded(shards: ShardSet, out: Path) -> None:
    """What Energon's decoder makes of JSON and arrays."""
    found = Differences("train, decoded by Energon")
    for t, event in enumerate(in_order(out, "train", Decoded())):
        sample = shards.read("train", t)
        found.check("event.json", event.members["event.json"] == sample.record)
        if sample.action_T20 is not None:
            values = event.members["action.npz"]["values"]
            found.numbers("action.npz", np.asarray(values), sample.action_T20)
    found.report()


def training_epoch(shards: ShardSet, out: Path) -> None:
    """Energon shuffles for training; an epoch of it is still each draw once."""
    found = Differences("train, one shuffled epoch")
    one = WorkerConfig(rank=0, world_size=1, num_workers=0)
    dataset = get_train_dataset(
        out, worker_config=one, batch_size=1, shuffle_buffer_size=50, max_samples_per_sequence=20, task_encoder=Raw(),
        repeat=False,
    )  # fmt: skip
    seen = Counter(event.__key__.rsplit("/", 1)[-1] for batch in get_loader(dataset) for event in batch)
    keys = [shards.read_members("train", t)[0] for t in range(shards.n_samples("train"))]
    found.check("draws", seen == Counter(keys))
    found.report()


def beside_their_own(out: Path) -> None:
    """The indexes Energon's preparation makes of the same tars."""
    found = Differences("indexes beside `energon prepare`")
    with tempfile.TemporaryDirectory() as name:
        theirs = Path(name)
        tars = json.loads((out / ".nv-meta" / ".info.json").read_text())["shard_counts"]
        for tar in tars:
            shutil.copyfile(out / tar, theirs / tar)
        WebdatasetPreparator.prepare_dataset(theirs, list(tars), split_parts_patterns=[("train", ".*")], workers=1)
        for tar in tars:
            found.check("idx", (theirs / f"{tar}.idx").read_bytes() == (out / f"{tar}.idx").read_bytes())
        info = [json.loads((folder / ".nv-meta" / ".info.json").read_text()) for folder in (theirs, out)]
        found.check("info", info[0] == info[1])
        for table in ("samples", "sample_parts"):
            rows = [
                sorted(sqlite3.connect(folder / ".nv-meta" / "index.sqlite").execute(f"SELECT * FROM {table}"))
                for folder in (theirs, out)
            ]
            found.check(table, rows[0] == rows[1])
    found.report()


def main() -> None:
    """All of it."""
    shards, out = ShardSet.open(sys.argv[1]), Path(sys.argv[2])
    print(f"megatron-energon {version('megatron-energon')}")
    read_back(shards, out)
    decoded(shards, out)
    training_epoch(shards, out)
    beside_their_own(out)


if __name__ == "__main__":
    main()
