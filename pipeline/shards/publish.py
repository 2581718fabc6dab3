"""Stage ``publish``: a folder that is a data set: tars under plain names, manifest, statistics, plan, recipe, card.

Nothing is copied: tars are linked from where the shard stage wrote them. The set's id is the digest of
``set.json``, which lists the SHA-256 of every file, so a set is the same set wherever and however often it is
made. ``shards/latest.json`` is not touched: the run points it here when it has succeeded (`pipeline.shards.latest`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar

import pyarrow.parquet as pq

from pipeline.blobs import Blobs
from pipeline.loader.reader import MANIFEST, SET, STATS
from pipeline.shards import card as data_card
from pipeline.shards import facts
from pipeline.shards.json_text import pretty
from pipeline.shards.latest import SHARDS
from pipeline.shards.portable import portable_recipe
from pipeline.shards.statistics import statistics
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.arrow import schema_of, to_row, to_table
from schemas.cluster import ClusterModel, Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Alignment, Episode
from schemas.event import Event
from schemas.finding import Finding
from schemas.identity import canonical_json, digest, make_id
from schemas.plan import DrawSegment, SamplingPlan
from schemas.recipe import Recipe
from schemas.recipe_section import Section
from schemas.shard import ShardEntry, ShardFile, ShardSet, ShardStatistics

MANIFESTS = "manifests"
PLAN, RECIPE, CARD = "plan.json", "recipe.yaml", "card.md"
ROW_GROUP = 65_536
"""Fixed, so that the manifest's bytes do not follow the executor's batches."""
FORMAT = 2
"""Of the folder; 2: the manifest says where every member lies."""

R = TypeVar("R")


class PublishSlice(Section):
    """What of the recipe a set's own files say."""

    title: str
    contact: str
    short_side: int
    recipe: str
    """The portable recipe's text."""


def publish(bundle: Bundle, spec: PublishSlice) -> list[object]:
    """Write the set; nothing when there are no shards."""
    shards = tuple(sorted(_all(bundle.stream(ShardFile)), key=lambda file: file.shard))
    if not shards:
        return []
    counted = gather(bundle, shards)
    blobs = bundle.sink()
    manifest = f"{MANIFESTS}/{bundle.work_key}.parquet"
    blobs.put(manifest, lambda stream: write_manifest(bundle.stream(ShardEntry), counted.plan, counted.splits, stream))
    texts = {
        STATS: pretty(statistics(bundle.stream(ShardStatistics))),
        PLAN: pretty(_plan(counted, _all(bundle.stream(DrawSegment)))),
        RECIPE: spec.recipe,
        CARD: data_card.card(counted, title=spec.title, contact=spec.contact, short_side=spec.short_side),
    }
    manifest_sha256 = _sha256(blobs, manifest)
    content = _content(counted, {name: digest_of(text) for name, text in texts.items()} | {MANIFEST: manifest_sha256})
    shard_set_id = set_id(content)
    folder = f"{SHARDS}/{shard_set_id}"
    for file in shards:
        blobs.link(file.path, f"{folder}/{file.shard}.tar")
    blobs.link(manifest, f"{folder}/{MANIFEST}")
    texts[SET] = pretty({"shard_set_id": shard_set_id, **content})
    for name, text in texts.items():
        blobs.put_bytes(f"{folder}/{name}", text.encode())
    n_samples = sum(file.n_samples for file in shards)
    return [ShardSet(shard_set_id, folder, counted.plan.plan_id, len(shards), n_samples, manifest_sha256)]


def gather(bundle: Bundle, shards: tuple[ShardFile, ...]) -> facts.Facts:
    """Everything there is to count."""
    episodes, episode_ns = facts.count_episodes(bundle.stream(Episode))
    events = facts.count_events(bundle.stream(Event))
    (plan,) = _all(bundle.stream(SamplingPlan))
    return facts.Facts(
        plan=plan,
        shards=shards,
        splits=facts.split_facts(bundle.stream(ShardEntry)),
        episodes=episodes,
        episode_ns=episode_ns,
        levels=events.levels,
        level_ns=events.ns,
        captions=events.captions,
        needs_vlm=events.needs_vlm,
        reviews=events.reviews,
        sync=facts.count_sync(bundle.stream(Alignment)),
        findings=facts.count_findings(bundle.stream(Finding)),
        copies=facts.count_copies(bundle.stream(Membership), bundle.stream(DuplicateEpisodes)),
        clusterings=tuple(sorted(_all(bundle.stream(ClusterModel)), key=lambda model: str(model.space))),
    )


def write_manifest(
    batches: Iterable[list[ShardEntry]], plan: SamplingPlan, splits: dict[str, facts.SplitFacts], stream: BinaryIO
) -> None:
    """Parquet of all entries in order of shard and position, with each cell's realised share filled in."""
    with pq.ParquetWriter(stream, schema_of(ShardEntry), compression="zstd") as writer:
        for group in _regrouped(_realised(batches, plan, splits), ROW_GROUP):
            writer.write_table(to_table(ShardEntry, group), row_group_size=ROW_GROUP)


def _realised(
    batches: Iterable[list[ShardEntry]], plan: SamplingPlan, splits: dict[str, facts.SplitFacts]
) -> Iterator[ShardEntry]:
    share_of = {name: facts.realised_shares(plan, split) for name, split in splits.items()}
    for batch in batches:
        for entry in batch:
            yield replace(entry, realised_share=share_of[entry.split](entry))


def _regrouped(records: Iterable[R], size: int) -> Iterator[list[R]]:
    group: list[R] = []
    for record in records:
        group.append(record)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def set_id(content: dict[str, Any]) -> str:
    """The id of a set whose ``set.json`` says this (without the id itself)."""
    return make_id("ss", canonical_json(content))


def _content(counted: facts.Facts, files: dict[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "plan_id": counted.plan.plan_id,
        "level": counted.plan.level,
        "splits": {name: split.n_samples for name, split in counted.splits.items()},
        "files": files,
        "shards": [
            {
                "shard": file.shard,
                "split": file.split,
                "n_samples": file.n_samples,
                "n_bytes": file.n_bytes,
                "sha256": file.sha256,
            }
            for file in counted.shards
        ],
    }


def _plan(counted: facts.Facts, segments: list[DrawSegment]) -> dict[str, Any]:
    rows, cells = facts.deviations(counted.plan, counted.splits.get("train"))
    return {
        "plan": to_row(counted.plan),
        "segments": [_segment(segment) for segment in segments],
        "realised": {"max_row_deviation": rows, "max_cell_deviation": cells},
    }


def _segment(segment: DrawSegment) -> dict[str, Any]:
    """Which plan made these training draws, and what of them each cell was to get."""
    said = to_row(segment)
    del said["settings"]
    return {**said, "n_draws": segment.n_draws}


def digest_of(text: str) -> str:
    """SHA-256 hex of a text file's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(blobs: Blobs, path: str) -> str:
    with blobs.open(path) as stream:
        hasher = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def _all(batches: Iterable[list[R]]) -> list[R]:
    return [record for batch in batches for record in batch]


def _slice(recipe: Recipe) -> PublishSlice:
    return PublishSlice(
        title=recipe.shard.card_title,
        contact=recipe.shard.contact,
        short_side=recipe.clip.short_side,
        recipe=portable_recipe(recipe),
    )


STAGE = Stage(
    name="publish",
    version=3,
    scope=Scope.CORPUS,
    reads=(
        Read(ShardFile, "shard"),
        Read(ShardEntry, "shard"),
        Read(ShardStatistics, "shard"),
        Read(SamplingPlan, "balance"),
        Read(DrawSegment, "schedule"),
        Read(Episode, "ingest"),
        Read(Alignment, "align"),
        Read(Event, "caption"),
        Read(ClusterModel, "cluster"),
        Read(Finding, "ingest"),
        Read(Finding, "align"),
        Read(Finding, "dedup"),
        Read(Membership, "dedup"),
        Read(DuplicateEpisodes, "dedup"),
    ),
    writes=(ShardSet,),
    recipe_slice=_slice,
    run=publish,
    revision=lambda _spec: digest(data_card.template()),
    writes_blobs=True,
)
