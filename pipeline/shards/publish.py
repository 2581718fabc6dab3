"""Stage ``publish``: a folder that is a data set: tars under plain names, tables, statistics, plan, recipe, cards.

Nothing is copied: tars are linked from where the shard stage wrote them. Cards are counted from the files that are
published with them (`pipeline.cards.count`). The set's id is the digest of ``set.json``, which lists the SHA-256 of
every file, so a set is the same set wherever and however often it is made. ``shards/latest.json`` is not touched: the
run points it here when it has succeeded (`pipeline.shards.latest`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, TypeVar

from pipeline.cards.count import CARD_VERSION
from pipeline.cards.folder import CARD_SOURCE, PLAN, RECIPE, SetFiles, Shard, files_of, text_file
from pipeline.cards.papers import card_text, papers
from pipeline.cards.tables import tables, write_table
from pipeline.loader.names import MANIFEST, SET, STATS
from pipeline.shards import statistics as shard_statistics
from pipeline.shards.facts import SplitFacts, deviations, realised_shares, split_facts
from pipeline.shards.json_text import pretty
from pipeline.shards.latest import SHARDS
from pipeline.shards.portable import portable_text, portable_values
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.arrow import to_row
from schemas.cluster import ClusterModel, Membership
from schemas.data_card import DataCard
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Alignment, Episode
from schemas.event import Event
from schemas.finding import Finding
from schemas.identity import canonical_json, make_id
from schemas.plan import DrawSegment, SamplingPlan
from schemas.recipe import Recipe
from schemas.recipe_section import Section
from schemas.shard import ShardEntry, ShardFile, ShardSet, ShardStatistics
from schemas.source import SourceKind
from schemas.source_card import SourceCard

MANIFESTS = "manifests"
FORMAT = 3
"""Of the folder; 2: the manifest says where every member lies; 3: tables of what the card counts."""

R = TypeVar("R")


class SourceOfSet(Section):
    """What of a source its own row says."""

    name: str
    kind: SourceKind
    card: SourceCard


class PublishSlice(Section):
    """What of the recipe a set's own files say."""

    card: DataCard
    sources: tuple[SourceOfSet, ...]
    recipe: dict[str, Any]
    """`portable_values`."""


def publish(bundle: Bundle, spec: PublishSlice) -> list[object]:
    """Write the set; nothing when there are no shards."""
    shards = tuple(sorted(_all(bundle.stream(ShardFile)), key=lambda file: file.shard))
    if not shards:
        return []
    blobs = bundle.sink()
    (plan,) = _all(bundle.stream(SamplingPlan))
    splits = split_facts(bundle.stream(ShardEntry))
    paths = _write_tables(bundle, spec, plan, splits)
    planned = _plan(plan, splits, _all(bundle.stream(DrawSegment)), _all(bundle.stream(ClusterModel)))
    statistics = shard_statistics.statistics(bundle.stream(ShardStatistics))
    texts = {
        STATS: pretty(statistics),
        PLAN: pretty(planned),
        RECIPE: portable_text(spec.recipe),
        CARD_SOURCE: card_text(spec.card),
    }
    tars = [Shard(file.shard, file.split, file.n_samples, file.n_bytes, file.sha256) for file in shards]
    of = files_of(blobs, paths, texts, tars)
    made = papers(of, spec.card)
    texts |= made
    digests = digests_of(of, made)
    content = _content(plan, splits, shards, digests)
    shard_set_id = set_id(content)
    folder = f"{SHARDS}/{shard_set_id}"
    for file in shards:
        blobs.link(file.path, f"{folder}/{file.shard}.tar")
    for name, path in paths.items():
        blobs.link(path, f"{folder}/{name}")
    texts[SET] = pretty({"shard_set_id": shard_set_id, **content})
    for name, text in texts.items():
        blobs.put_bytes(f"{folder}/{name}", text.encode())
    n_samples = sum(file.n_samples for file in shards)
    return [ShardSet(shard_set_id, folder, plan.plan_id, len(shards), n_samples, digests[MANIFEST])]


def _write_tables(
    bundle: Bundle, spec: PublishSlice, plan: SamplingPlan, splits: dict[str, SplitFacts]
) -> dict[str, str]:
    """File of the set → where its bytes are for now."""
    sources = {source.name: (str(source.kind), source.card) for source in spec.sources}
    writers: dict[str, Callable[[BinaryIO], None]] = {
        MANIFEST: lambda stream: write_manifest(bundle.stream(ShardEntry), plan, splits, stream),
        **tables(bundle.stream, sources),
    }
    paths = {name: f"{MANIFESTS}/{bundle.work_key}/{name}" for name in writers}
    for name, write in writers.items():
        bundle.sink().put(paths[name], write)
    return paths


def write_manifest(
    batches: Iterable[list[ShardEntry]], plan: SamplingPlan, splits: dict[str, SplitFacts], stream: BinaryIO
) -> None:
    """Parquet of all entries in order of shard and position, with each cell's realised share filled in."""
    write_table(ShardEntry, _realised(batches, plan, splits), stream)


def _realised(
    batches: Iterable[list[ShardEntry]], plan: SamplingPlan, splits: dict[str, SplitFacts]
) -> Iterator[ShardEntry]:
    share_of = {name: realised_shares(plan, split) for name, split in splits.items()}
    for batch in batches:
        for entry in batch:
            yield replace(entry, realised_share=share_of[entry.split](entry))


def digests_of(of: SetFiles, papers: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 of every file of a set but its tars."""
    papered = {name: text_file(name, text).sha256 for name, text in papers.items()}
    return {file.name: file.sha256 for file in of.files} | papered


def set_id(content: dict[str, Any]) -> str:
    """The id of a set whose ``set.json`` says this (without the id itself)."""
    return make_id("ss", canonical_json(content))


def _content(
    plan: SamplingPlan, splits: dict[str, SplitFacts], shards: tuple[ShardFile, ...], files: dict[str, str]
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "plan_id": plan.plan_id,
        "level": plan.level,
        "splits": {name: split.n_samples for name, split in splits.items()},
        "files": files,
        "shards": [
            {
                "shard": file.shard,
                "split": file.split,
                "n_samples": file.n_samples,
                "n_bytes": file.n_bytes,
                "sha256": file.sha256,
            }
            for file in shards
        ],
    }


def _plan(
    plan: SamplingPlan, splits: dict[str, SplitFacts], segments: list[DrawSegment], models: list[ClusterModel]
) -> dict[str, Any]:
    rows, cells = deviations(plan, splits["train"].cells if "train" in splits else {})
    return {
        "plan": to_row(plan),
        "segments": [_segment(segment) for segment in segments],
        "realised": {"max_row_deviation": rows, "max_cell_deviation": cells},
        "clusterings": [_clustering(model) for model in sorted(models, key=lambda model: str(model.space))],
    }


def _clustering(model: ClusterModel) -> dict[str, Any]:
    """What cells come from; the centroids themselves are the workspace's."""
    return {
        "space": str(model.space),
        "model_id": model.model_id,
        "embedding_model": model.embedding_model,
        "n_clusters": model.n_clusters,
        "seed_ari": model.seed_ari if model.seed_ari >= 0 else None,
        "smallest_cluster": model.smallest_cluster,
        "n_fitted": model.n_fitted,
    }


def _segment(segment: DrawSegment) -> dict[str, Any]:
    """Which plan made these training draws, and what of them each cell was to get."""
    said = to_row(segment)
    del said["settings"]
    return {**said, "n_draws": segment.n_draws}


def _all(batches: Iterable[list[R]]) -> list[R]:
    return [record for batch in batches for record in batch]


def _slice(recipe: Recipe) -> PublishSlice:
    return PublishSlice(
        card=recipe.shard.card,
        sources=tuple(SourceOfSet(name=of.name, kind=of.kind, card=of.card) for of in recipe.sources),
        recipe=portable_values(recipe),
    )


STAGE = Stage(
    name="publish",
    version=4,
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
    revision=lambda _spec: str(CARD_VERSION),
    writes_blobs=True,
)
