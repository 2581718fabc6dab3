"""Proof that a published shard set is whole: every byte, every frame, every promise. What ``joinery verify`` runs.

Nothing is trusted but the set's id, which is the digest of ``set.json``, which names every file's digest. Memory
holds one sample, one shard's manifest rows and a few columns of the manifest.
"""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.blobs import Blobs
from pipeline.cards.check import card_problems
from pipeline.cards.folder import PLAN
from pipeline.errors import StoreError
from pipeline.loader.names import MANIFEST, SET
from pipeline.loader.signature import SIGNATURE, check, public_key
from pipeline.shards.holes import Hole, draws_left, holes_in
from pipeline.shards.prefix import prefix_problems
from pipeline.shards.publish import set_id
from pipeline.shards.verify_tar import Tally, tar_problems
from pipeline.shards.verify_tree import overlap_problems
from schemas.arrow import from_table
from schemas.plan import CellName, DrawStep
from schemas.shard import ShardEntry

_COLUMNS = (
    "split", "t", "event_id", "episode_id", "source", "vision_language", "action", "recovery", "shard", "key",
    "start_ns", "end_ns",
)  # fmt: skip
_CELL = ["t", "vision_language", "action", "source", "recovery"]
MAX_PROBLEMS = 1000
"""A broken disk breaks everything; the first thousand sentences say enough."""


@dataclass(frozen=True)
class VerifyReport:
    """What was looked at and what is wrong."""

    shard_set_id: str
    n_shards: int
    n_samples: int
    """Readable ones."""
    n_clips: int
    n_frames: int
    """Decoded, over all views."""
    n_bytes: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(blobs: Blobs, shard_set_path: str, key: Path | None = None) -> VerifyReport:
    """Check the set in this folder below the workspace root. Damage is reported, not raised.

    With ``key``, the file of a public key, the set must have been signed with its private one.

    Raises FileNotFoundError when there is no ``set.json``, i.e. no set at all.
    """
    text = blobs.read(f"{shard_set_path}/{SET}")
    try:
        content = json.loads(text)
        stated, shards, _ = content.pop("shard_set_id"), content["shards"], holes_in(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"{SET}: cannot be read ({error}); nothing else can be checked"
        return VerifyReport("", 0, 0, 0, 0, 0, (problem,))
    tally = Tally()
    wrong = itertools.chain(
        _signature_problems(blobs, shard_set_path, text, key),
        _problems(blobs, shard_set_path, str(stated), content, tally),
    )
    problems = tuple(itertools.islice(wrong, MAX_PROBLEMS))
    return VerifyReport(str(stated), len(shards), tally.samples, tally.clips, tally.frames, tally.n_bytes, problems)


def _signature_problems(blobs: Blobs, folder: str, described: bytes, key: Path | None) -> Iterator[str]:
    if key is None:
        return
    path = f"{folder}/{SIGNATURE}"
    try:
        check(described, blobs.read(path) if blobs.exists(path) else None, public_key(key), SET)
    except StoreError as error:
        yield str(error)


def _problems(blobs: Blobs, folder: str, stated: str, content: dict[str, Any], tally: Tally) -> Iterator[str]:
    if set_id(content) != stated:
        yield f"{SET}: its content has the id {set_id(content)}, it says {stated}; the file was changed"
    yield from _file_problems(blobs, folder, content)
    left = {shard["shard"]: shard for shard in content["shards"]}
    for group in _entries_by_shard(blobs, folder):
        if isinstance(group, str):
            yield group
            return
        shard = left.pop(group[0].shard, None)
        if shard is None:
            yield f"{MANIFEST}: rows of {group[0].shard} where there should be none; {SET} does not list it (again)"
        else:
            yield from tar_problems(blobs, folder, shard, group, tally)
    for name, shard in sorted(left.items()):
        if shard["n_samples"]:
            yield f"{name}: the manifest has no rows for it, {SET} lists it"
        else:  # all its samples were taken out
            yield from tar_problems(blobs, folder, shard, (), tally)
    with blobs.open(f"{folder}/{MANIFEST}") as file:
        table = pq.read_table(file, columns=list(_COLUMNS))
    holes = holes_in(content)
    yield from _split_problems(table, holes)
    yield from overlap_problems(table)
    yield from _plan_problems(blobs, folder, table, holes.get("train", ()))
    yield from card_problems(blobs, folder, tally.episodes, tally.trees.said)


def _file_problems(blobs: Blobs, folder: str, content: Mapping[str, Any]) -> Iterator[str]:
    for name, sha256 in sorted(content["files"].items()):
        if not blobs.exists(f"{folder}/{name}"):
            yield f"{name}: not there, {SET} lists it"
        elif hashlib.sha256(blobs.read(f"{folder}/{name}")).hexdigest() != sha256:
            yield f"{name}: its SHA-256 is not the one in {SET}; the file was changed"
    expected = {SET, *content["files"], *(f"{shard['shard']}.tar" for shard in content["shards"])}
    expected.add(SIGNATURE)
    there = {path.removeprefix(f"{folder}/") for path in blobs.list(folder)}
    yield from (f"{name}: does not belong to the set, {SET} does not list it" for name in sorted(there - expected))


def _entries_by_shard(blobs: Blobs, folder: str) -> Iterator[list[ShardEntry] | str]:
    """The manifest's rows shard by shard, or the sentence that says why it cannot be read."""
    rows: list[ShardEntry] = []
    try:
        with blobs.open(f"{folder}/{MANIFEST}") as file:
            for batch in pq.ParquetFile(file).iter_batches():
                for row in from_table(ShardEntry, pa.Table.from_batches([batch])):
                    if rows and row.shard != rows[0].shard:
                        yield rows
                        rows = []
                    rows.append(row)
    except (OSError, ValueError, KeyError) as error:
        yield f"{MANIFEST}: cannot be read ({error}); nothing else can be checked"
        return
    if rows:
        yield rows


def _split_problems(table: pa.Table, holes: Mapping[str, Sequence[Hole]]) -> Iterator[str]:
    """Draws are 0 … n − 1 in reading order, but for those taken out; what is held out shares nothing with others."""
    split = table.column("split")
    for name in sorted(pc.unique(split).to_pylist()):
        draws = table.filter(pc.equal(split, name)).column("t").to_numpy()
        wrong = np.flatnonzero(draws != draws_left(len(draws), holes.get(name, ())))
        if len(wrong):
            yield (
                f"{name}: sample {wrong[0]} in reading order is draw {draws[wrong[0]]}; draws are missing, doubled or "
                "out of order"
            )
    for held_out, where, others in (
        ("test", pc.equal(split, "test"), pc.not_equal(split, "test")),
        ("validation", pc.equal(split, "validation"), pc.is_in(split, value_set=pa.array(["train", "reserve"]))),
    ):
        for column, what in (("event_id", "event"), ("episode_id", "episode")):
            inside = pc.unique(table.filter(where).column(column))
            outside = table.filter(others).column(column)
            both = pc.unique(outside.filter(pc.is_in(outside, value_set=inside))).to_pylist()
            yield from (f"{what} {name} is in {held_out} and in another split" for name in sorted(both))


def _plan_problems(blobs: Blobs, folder: str, table: pa.Table, holes: Sequence[Hole]) -> Iterator[str]:
    """Every prefix of each segment of the train split, holes filled, follows the segment's shares."""
    if not blobs.exists(f"{folder}/{PLAN}"):
        return
    try:
        segments = json.loads(blobs.read(f"{folder}/{PLAN}"))["segments"]
        cells = [[CellName(**cell) for cell in segment["cells"]] for segment in segments]
        steps = [
            [DrawStep(int(step["n_draws"]), tuple(map(float, step["shares"]))) for step in segment["steps"]]
            for segment in segments
        ]
        spans = [(int(segment["start"]), int(segment["n_draws"])) for segment in segments]
    except (ValueError, KeyError, TypeError) as error:
        yield f"{PLAN}: cannot be read ({error})"
        return
    train = table.filter(pc.equal(table.column("split"), "train")).select(_CELL)
    if holes:
        train = pa.concat_tables([train, pa.Table.from_pylist([vars(hole) for hole in holes], train.schema)])
    train = train.sort_by("t")
    ends = [0, *(start + n_draws for start, n_draws in spans)]
    if [start for start, _ in spans] != ends[:-1] or ends[-1] != len(train):
        yield f"{PLAN}: its segments are {spans} (first draw, draws), the train split has {len(train)} draws"
        return
    for (start, n_draws), known, own in zip(spans, cells, steps, strict=True):
        problems = prefix_problems(_names(train.slice(start, n_draws), known), known, own)
        yield from (f"from draw {start}: {problem}" for problem in problems)


def _names(draws: pa.Table, cells: Sequence[CellName]) -> list[CellName]:
    """The cells of manifest rows, told apart as ``cells`` are."""
    by_source = any(cell.source for cell in cells)
    by_recovery = any(cell.recovery is not None for cell in cells)
    columns = (draws.column(name).to_pylist() for name in ("vision_language", "action", "source", "recovery"))
    return [
        CellName(v, a, source if by_source else "", recovery if by_recovery else None)
        for v, a, source, recovery in zip(*columns, strict=True)
    ]
