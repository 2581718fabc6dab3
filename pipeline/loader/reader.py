"""Opening a shard set: random access by draw number, and the order every rank walks.

The plan fixed the order of draws when the shards were written, so there is no sampler, no shuffle buffer and
no random state here. Draw ``t`` of a split is a byte range of a tar; rank r of W reads t ≡ r (mod W); the
whole state of a run is one integer, and W may change at any t. Nothing is read but the manifest's index
columns (about 20 bytes per sample in memory) and the samples asked for.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.blobs import Blobs, Ranges
from pipeline.errors import StoreError
from pipeline.loader.names import LATEST, MANIFEST, REPLACED, SET, STATS
from pipeline.loader.sample import EventSample, sample_from_members
from pipeline.loader.signed_folder import SIGNED_BY, SignedBlobs
from pipeline.loader.stats import ActionStats, stats_from_json
from pipeline.shards.holes import Hole, draws_left, holes_in
from pipeline.shards.tar import members
from schemas.array import Ints

MAX_OPEN_TARS = 16


@dataclass(frozen=True, eq=False)
class SplitIndex:
    """Where each draw of a split lies; row t is draw t, or where draws were taken out, the t-th that is left."""

    shard: Ints
    """int32 index into the set's shard names."""
    offset: Ints
    n_bytes: Ints
    n_frames: Ints
    duration_ns: Ints

    def __len__(self) -> int:
        return len(self.offset)


class ShardSet:
    """An open shard set. Picklable: worker processes reopen the tars themselves."""

    def __init__(self, blobs: Blobs, description: Mapping[str, Any], *, check: bool = False) -> None:
        self._blobs = blobs
        self._description = description
        check = self._check = check or isinstance(blobs, SignedBlobs)
        self._shards, self._splits, self._sha256 = _index(blobs, holes_in(description), with_sha256=check)
        self._stats: dict[str, Any] | None = None
        self._tars: OrderedDict[str, Ranges] = OrderedDict()

    @staticmethod
    def open(path: str, storage: dict[str, str] | None = None, *, check: bool = False) -> "ShardSet":
        """Open a set's folder, or a ``shards`` folder whose ``latest.json`` names one; local path or object-store URL.

        ``storage`` as in the recipe's workspace section; with ``signed_by``, the file of a public key, whatever was
        not signed with its private one is refused. ``check`` compares every sample's SHA-256 on reading.
        Raises StoreError when there is no shard set.
        """
        blobs = shard_set_folder(path, storage)
        return ShardSet(blobs, json.loads(blobs.read(SET)), check=check)

    @property
    def shard_set_id(self) -> str:
        return str(self._description["shard_set_id"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that hold samples, sorted."""
        return tuple(sorted(self._splits))

    @property
    def description(self) -> Mapping[str, Any]:
        """``set.json``: splits, shards and the set's other files, each with its SHA-256."""
        return self._description

    def open_file(self, name: str) -> BinaryIO:
        """A file of the set: a tar, the card, the plan. Raises FileNotFoundError naming it."""
        return self._blobs.open(name)

    def local_file(self, name: str) -> Path | None:
        """Where a file of the set lies on this machine; None in an object store."""
        return self._blobs.local(name) if self._blobs.bucket is None else None

    def n_samples(self, split: str) -> int:
        """0 for a split the set does not have."""
        return len(self._splits[split]) if split in self._splits else 0

    def index(self, split: str) -> SplitIndex:
        """Sizes and frame counts of all samples of a split, for planning packs without reading any."""
        if split not in self._splits:
            raise KeyError(f"{self._blobs.url}: no split {split!r}, found {list(self.splits)}")
        return self._splits[split]

    def manifest(self, split: str, columns: list[str]) -> pa.Table:
        """Columns of ``manifest.parquet``, row t for draw t of the split."""
        with self._blobs.open(MANIFEST) as file:
            table = pq.read_table(file, columns=[*columns, "t"], filters=[("split", "==", split)])
        return table.sort_by("t").select(columns)

    def read_members(self, split: str, t: int) -> tuple[str, dict[str, bytes]]:
        """Key and members by extension of draw ``t``. Raises IndexError or StoreError naming the place."""
        index = self.index(split)
        if not 0 <= t < len(index):
            raise IndexError(f"{self._blobs.url}: draw {t} of {split}, which has {len(index)} samples")
        shard = self._shards[int(index.shard[t])]
        where = f"{shard}.tar, draw {t} of {split}"
        try:
            data = self._tar(shard).read_at(int(index.n_bytes[t]), int(index.offset[t]))
        except FileNotFoundError as error:
            raise StoreError(
                f"{self._blobs.url}/{shard}.tar: the manifest names this shard but it is not there; "
                "run `joinery verify`"
            ) from error
        if self._check and hashlib.sha256(data).hexdigest() != self._sha256[split][t]:
            raise StoreError(f"{self._blobs.url}/{where}: the manifest says other bytes; run `joinery verify`")
        key, found = "", {}
        for name, content in members(data, where):
            key, _, extension = name.partition(".")
            found[extension] = content
        if not found:
            raise StoreError(f"{self._blobs.url}/{where}: the tar ends before the sample; run `joinery verify`")
        return key, found

    def read(self, split: str, t: int) -> EventSample:
        """Draw ``t`` of a split."""
        return sample_from_members(*self.read_members(split, t))

    def iterate(self, split: str, start: int = 0, rank: int = 0, world: int = 1) -> Iterator[tuple[int, EventSample]]:
        """(t, sample) for every t ≥ ``start`` of the split with t ≡ ``rank`` (mod ``world``), in order.

        To resume, pass the number of draws all ranks have consumed together as ``start``; ``world`` may differ
        from the run before. Raises ValueError on a rank outside the world.
        """
        for t in draws(self.n_samples(split), start, rank, world):
            yield t, self.read(split, t)

    def stats(self, embodiment: str) -> ActionStats:
        """Normalisation of one embodiment. Raises KeyError naming the embodiments there are."""
        return stats_from_json(embodiment, self._read_stats())

    def all_stats(self) -> dict[str, ActionStats]:
        """Normalisation of every embodiment that has actions."""
        stats = self._read_stats()
        return {name: stats_from_json(name, stats) for name in stats["embodiments"]}

    def _read_stats(self) -> dict[str, Any]:
        if self._stats is None:
            self._stats = json.loads(self._blobs.read(STATS))
        return self._stats

    def _tar(self, shard: str) -> Ranges:
        tar = self._tars.get(shard)
        if tar is None:
            tar = self._tars[shard] = self._blobs.ranges(f"{shard}.tar")
            if len(self._tars) > MAX_OPEN_TARS:
                self._tars.popitem(last=False)[1].close()
        else:
            self._tars.move_to_end(shard)
        return tar

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tars": OrderedDict()}


def shard_set_folder(path: str, storage: dict[str, str] | None = None) -> Blobs:
    """The folder of a set, given itself or the ``shards`` folder whose ``latest.json`` names it. Raises StoreError.

    Where ``storage`` names a public key under ``signed_by``, of that set nothing is read that was not signed with it.
    """
    blobs = Blobs(path.rstrip("/"), storage or {})
    if not blobs.exists(SET) and blobs.exists(LATEST):
        blobs = Blobs(f"{blobs.url}/{json.loads(blobs.read(LATEST))['shard_set_id']}", blobs.storage)
    if not blobs.exists(SET) and blobs.exists(REPLACED):
        raise StoreError(f"{path}: {replaced_message(json.loads(blobs.read(REPLACED)))}")
    if not blobs.exists(SET):
        raise StoreError(f"{path}: found neither {SET} nor {LATEST}; expected the folder of a published shard set")
    if SIGNED_BY in blobs.storage:
        signed = SignedBlobs(blobs.url, blobs.storage)
        signed.read(SET)
        return signed
    return blobs


def replaced_message(said: Mapping[str, Any]) -> str:
    """What to do for someone who wants a set that is no more."""
    now = str(said["shard_set_id"])
    instead = f"open {now} instead" if now else "nothing is left of it: run the recipe again"
    return (
        f"recordings were taken down, so this set is no more; {instead}. A load plan compiled on it draws what is "
        "gone: compile it again, or go on from a step with `joinery compile --append --from-step` (docs/forget.md)"
    )


def draws(n_samples: int, start: int, rank: int, world: int) -> range:
    """The draws one rank reads: t ≥ start with t ≡ rank (mod world)."""
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}: expected 0 ≤ rank < world")
    if start < 0:
        raise ValueError(f"start {start}: expected a draw number ≥ 0")
    return range(start + (rank - start) % world, n_samples, world)


def _index(
    blobs: Blobs, holes: Mapping[str, list[Hole]], *, with_sha256: bool
) -> tuple[list[str], dict[str, SplitIndex], dict[str, list[str]]]:
    """Shard names, index per split, and SHA-256 per split (empty unless asked for)."""
    columns = ["shard", "split", "t", "offset", "n_bytes", "n_frames", "start_ns", "end_ns"]
    with blobs.open(MANIFEST) as file:
        table = pq.read_table(file, columns=columns + ["sha256"] * with_sha256)
    shard = pc.dictionary_encode(table.column("shard").combine_chunks())
    codes = shard.indices.to_numpy(zero_copy_only=False)
    split = table.column("split").to_numpy()
    numbers = {name: table.column(name).to_numpy() for name in columns[2:]}
    splits: dict[str, SplitIndex] = {}
    digests: dict[str, list[str]] = {}
    for name in sorted(set(split)):
        rows = np.flatnonzero(split == name)
        rows = rows[np.argsort(numbers["t"][rows], kind="stable")]
        if not np.array_equal(numbers["t"][rows], draws_left(len(rows), holes.get(name, ()))):
            expected = f"0 … {len(rows) - 1}" + f" without {len(holes.get(name, ()))} taken out" * (name in holes)
            raise StoreError(f"{blobs.url}/{MANIFEST}: draws of {name} are not {expected}; run `joinery verify`")
        splits[name] = SplitIndex(
            shard=codes[rows].astype(np.int32),
            offset=numbers["offset"][rows],
            n_bytes=numbers["n_bytes"][rows],
            n_frames=numbers["n_frames"][rows],
            duration_ns=numbers["end_ns"][rows] - numbers["start_ns"][rows],
        )
        if with_sha256:
            digests[name] = table.column("sha256").take(rows).to_pylist()
    return shard.dictionary.to_pylist(), splits, digests
