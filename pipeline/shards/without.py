"""A shard set without the samples of some episodes, made from the set's own files alone.

What is left keeps its bytes: samples, their keys and numbers, whole tars that held none of them. Tars that did are
written again without them; tables, statistics and plan follow, the card is counted from those, and ``set.json`` lists
the draws that are gone as holes. A set without samples of them may name them all the same: findings and copies are of
the whole corpus. Other files are another set, so it has another id; the old folder says which.
Killed and repeated it comes to the same: the new folder is whole before the old one is touched.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.blobs import Blobs
from pipeline.cards.folder import CARD_SOURCE, PAPERS, PLAN, Shard, files_of
from pipeline.cards.papers import papers
from pipeline.cards.tables import RECORDS
from pipeline.cards.taken_out import Gone, events_of, is_named, write_tables
from pipeline.errors import StoreError
from pipeline.loader.names import LATEST, MANIFEST, REPLACED, SET, STATS
from pipeline.loader.sample import sample_from_members
from pipeline.shards import facts
from pipeline.shards.holes import HOLES, Hole, holes_in, written
from pipeline.shards.json_text import pretty
from pipeline.shards.latest import SHARDS, point_at
from pipeline.shards.publish import FORMAT, digests_of, set_id, write_manifest
from pipeline.shards.shard import sample_statistics
from pipeline.shards.statistics import statistics
from pipeline.shards.tar import TarStream, members
from schemas.arrow import from_row, from_table
from schemas.data_card_file import parse_card
from schemas.plan import SamplingPlan
from schemas.shard import MemberRange, ShardEntry, ShardStatistics

STAGING = "forgotten/staging"


@dataclass(frozen=True)
class Less:
    """What became of one set."""

    was: str
    now: str
    """Empty when nothing is left of it."""
    n_samples: int
    """Taken out."""


def sets_there(blobs: Blobs) -> list[str]:
    """Ids of all shard sets of a workspace, present or replaced and not yet cleared away."""
    names = {path.split("/")[1] for path in blobs.list(SHARDS) if path.count("/") > 1}
    return sorted(name for name in names if blobs.exists(f"{SHARDS}/{name}/{SET}") or is_replaced(blobs, name))


def unfinished(blobs: Blobs) -> list[str]:
    """Folders that a kill left before they were sets: without a ``set.json`` nobody can open them."""
    names = {path.split("/")[1] for path in blobs.list(SHARDS, unfinished=True) if path.count("/") > 1}
    return sorted(name for name in names if name.startswith("ss-") and name not in sets_there(blobs))


def is_replaced(blobs: Blobs, shard_set_id: str) -> bool:
    """Whether a set is no more."""
    return blobs.exists(f"{SHARDS}/{shard_set_id}/{REPLACED}")


def samples_of(blobs: Blobs, shard_set_id: str, episodes: Collection[str]) -> Counter[str]:
    """How many samples of these episodes a set has, by shard."""
    with blobs.open(f"{SHARDS}/{shard_set_id}/{MANIFEST}") as file:
        table = pq.read_table(file, columns=["episode_id", "shard"])
    held = table.filter(pc.is_in(table.column("episode_id"), pa.array(sorted(episodes), pa.string())))
    return Counter(held.column("shard").to_pylist())


def names_any(blobs: Blobs, shard_set_id: str, gone: Gone) -> bool:
    """Whether a set says anything of them, in samples or in tables.

    Raises StoreError for one that does and was made by a version of Joinery with other tables.
    """
    described = json.loads(blobs.read(f"{SHARDS}/{shard_set_id}/{SET}"))
    found = is_named(blobs, f"{SHARDS}/{shard_set_id}", described["files"], gone)
    if found and described["format"] != FORMAT:
        raise StoreError(
            f"{SHARDS}/{shard_set_id}: names what is to be forgotten and has format {described['format']}, expected "
            f"{FORMAT}; remove the folder, and `joinery run RECIPE` publishes the set anew"
        )
    return found


def events_in(blobs: Blobs, shard_set_id: str, episodes: Collection[str]) -> set[str]:
    """Ids of their events that the set's tables have."""
    described = json.loads(blobs.read(f"{SHARDS}/{shard_set_id}/{SET}"))
    return events_of(blobs, f"{SHARDS}/{shard_set_id}", described["files"], episodes)


def without(blobs: Blobs, shard_set_id: str, gone: Gone) -> Less:
    """Put a set without these episodes in the place of one with them; readers of ``latest.json`` find it.

    Raises StoreError for a set that is damaged: `joinery verify` says how.
    """
    folder = f"{SHARDS}/{shard_set_id}"
    if not is_replaced(blobs, shard_set_id):
        held = samples_of(blobs, shard_set_id, gone.episodes)
        own = {name.rpartition("-")[2] for name in events_in(blobs, shard_set_id, gone.episodes)}
        now = _rewritten(blobs, shard_set_id, Gone(gone.episodes, gone.events | own), held)
        _point_elsewhere(blobs, shard_set_id, now)
        blobs.put_bytes(f"{folder}/{REPLACED}", pretty({"shard_set_id": now, "taken_out": held.total()}).encode())
    said = json.loads(blobs.read(f"{folder}/{REPLACED}"))
    for path in blobs.list(folder, unfinished=True):
        if path != f"{folder}/{REPLACED}":
            blobs.remove(path)
    blobs.remove_folder(f"{STAGING}/{shard_set_id}")
    return Less(shard_set_id, str(said["shard_set_id"]), int(said["taken_out"]))


def _point_elsewhere(blobs: Blobs, was: str, now: str) -> None:
    latest = f"{SHARDS}/{LATEST}"
    if blobs.exists(latest) and json.loads(blobs.read(latest))["shard_set_id"] == was:
        if now:
            point_at(blobs, now)
        else:
            blobs.remove(latest)


def _rewritten(blobs: Blobs, shard_set_id: str, gone: Gone, held: Counter[str]) -> str:
    """Write the new folder; returns its id, empty for a set with nothing left."""
    old, stage = f"{SHARDS}/{shard_set_id}", f"{STAGING}/{shard_set_id}"
    content: dict[str, Any] = json.loads(blobs.read(f"{old}/{SET}"))
    content.pop("shard_set_id")
    if held.total() == sum(shard["n_samples"] for shard in content["shards"]):
        return ""
    texts = {name: blobs.read(f"{old}/{name}").decode() for name in content["files"] if name not in {*RECORDS, *PAPERS}}
    plan_file = json.loads(texts[PLAN])
    plan = from_row(SamplingPlan, plan_file["plan"])
    holes = holes_in(content)
    splits = facts.split_facts(_kept(blobs, old, gone.episodes, holes))
    work = _Tars(blobs, old, stage, gone.episodes, held)
    blobs.put(f"{stage}/{MANIFEST}", lambda stream: write_manifest(work.entries(), plan, splits, stream))
    write_tables(blobs, old, stage, gone)
    shards = [work.files.get(shard["shard"], shard) for shard in content["shards"]]
    if any(name.startswith("train-") for name in held):
        texts[STATS] = pretty(statistics(_statistics(blobs, work, content)))
        rows, cells = facts.deviations(plan, splits["train"].cells if "train" in splits else {})
        texts[PLAN] = pretty({**plan_file, "realised": {"max_row_deviation": rows, "max_cell_deviation": cells}})
    n_holes = sum(map(len, holes.values()))
    of = files_of(
        blobs, {name: f"{stage}/{name}" for name in RECORDS}, texts, (Shard(**shard) for shard in shards), n_holes
    )
    made = papers(of, parse_card(texts[CARD_SOURCE], CARD_SOURCE, Path()))
    content |= {"files": digests_of(of, made), "shards": shards, HOLES: written(holes)}
    content["splits"] = {name: splits[name].n_samples if name in splits else 0 for name in content["splits"]}
    now = set_id(content)
    new = f"{SHARDS}/{now}"
    for shard in shards:
        name = f"{shard['shard']}.tar"
        blobs.link(f"{stage if shard['shard'] in work.files else old}/{name}", f"{new}/{name}")
    for name in RECORDS:
        blobs.link(f"{stage}/{name}", f"{new}/{name}")
    for name, text in {**texts, **made, SET: pretty({"shard_set_id": now, **content})}.items():
        blobs.put_bytes(f"{new}/{name}", text.encode())
    return now


def _entries(blobs: Blobs, folder: str) -> Iterator[list[ShardEntry]]:
    with blobs.open(f"{folder}/{MANIFEST}") as file:
        for batch in pq.ParquetFile(file).iter_batches(4096):
            yield from_table(ShardEntry, pa.Table.from_batches([batch]))


def _kept(
    blobs: Blobs, folder: str, episodes: frozenset[str], holes: dict[str, list[Hole]]
) -> Iterator[list[ShardEntry]]:
    """The entries that stay; ``holes`` gets the others."""
    for batch in _entries(blobs, folder):
        for entry in batch:
            if entry.episode_id in episodes:
                hole = Hole(entry.t, entry.vision_language, entry.action, entry.source, entry.recovery)
                holes.setdefault(entry.split, []).append(hole)
        yield [entry for entry in batch if entry.episode_id not in episodes]


class _Tars:
    """Writes the tars that lose samples while the manifest's rows go by, shard by shard."""

    def __init__(self, blobs: Blobs, old: str, stage: str, episodes: frozenset[str], held: Counter[str]) -> None:
        self._blobs, self._old, self._episodes, self._held = blobs, old, episodes, held
        self.stage = stage
        self.files: dict[str, dict[str, Any]] = {}
        """Rows of ``set.json`` of those written, by shard."""

    def folder_of(self, shard: str) -> str:
        """Where a shard's tar lies until the new folder is made."""
        return self.stage if shard in self._held else self._old

    def entries(self) -> Iterator[list[ShardEntry]]:
        """The manifest's rows as they are now, in order."""
        group: list[ShardEntry] = []
        for batch in _entries(self._blobs, self._old):
            for entry in batch:
                if group and entry.shard != group[0].shard:
                    yield self._rows(group)
                    group = []
                group.append(entry)
        if group:
            yield self._rows(group)

    def _rows(self, group: list[ShardEntry]) -> list[ShardEntry]:
        name = group[0].shard
        if name not in self._held:
            return group
        rows: list[ShardEntry] = []
        self._blobs.put(f"{self.stage}/{name}.tar", lambda stream: self._write(group, rows, stream))
        return rows

    def _write(self, group: list[ShardEntry], rows: list[ShardEntry], stream: BinaryIO) -> None:
        tar, name = TarStream(stream), group[0].shard
        with self._blobs.open(f"{self._old}/{name}.tar") as file:
            for entry in group:
                if entry.episode_id in self._episodes:
                    continue
                file.seek(entry.offset)
                data = file.read(entry.n_bytes)
                if hashlib.sha256(data).hexdigest() != entry.sha256:
                    raise StoreError(f"{self._old}/{name}.tar: sample {entry.key} is damaged; see `joinery verify`")
                rows.append(_moved(entry, tar.add(data)))
        sha256 = tar.finish()
        numbers = {"n_samples": len(rows), "n_bytes": tar.n_bytes, "sha256": sha256}
        self.files[name] = {"shard": name, "split": group[0].split, **numbers}


def _moved(entry: ShardEntry, offset: int) -> ShardEntry:
    by = offset - entry.offset
    parts = tuple(MemberRange(**{**vars(part), "offset": part.offset + by}) for part in entry.members)
    return replace(entry, offset=offset, members=parts)


def _statistics(blobs: Blobs, work: _Tars, content: Mapping[str, Any]) -> Iterator[list[ShardStatistics]]:
    """As the shard stage made them, from what stands in the tars, shard by shard."""
    train = {shard["shard"] for shard in content["shards"] if shard["split"] == "train"}
    with blobs.open(f"{work.stage}/{MANIFEST}") as file:
        table = pq.read_table(file, columns=["shard", "offset", "n_bytes"])
    for name in sorted(train):
        rows = table.filter(pc.equal(table.column("shard"), name)).to_pylist()
        if rows:
            with blobs.open(f"{work.folder_of(name)}/{name}.tar") as tar:
                samples = [_sample(tar, row["offset"], row["n_bytes"], name) for row in rows]
            yield sample_statistics(name, "train", samples)


def _sample(tar: BinaryIO, offset: int, n_bytes: int, where: str) -> Any:
    tar.seek(offset)
    parts = list(members(tar.read(n_bytes), where))
    light = {part.partition(".")[2]: b"" if part.endswith(".mp4") else content for part, content in parts}
    return sample_from_members(parts[0][0].partition(".")[0], light)
