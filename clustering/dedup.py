"""Stage ``dedup``: which events are copies of others, and which episodes are held out (docs/dedup.md).

What `shard.allow` does not let through is set aside first, so that nothing is left out for a copy nobody gets. Whole
recordings are compared by their outlines, events by both their points inside their cell. Episodes that share anything
go to one side of the split; then the better copy is kept. Points wait on disk, cell by cell; memory holds some
hundred bytes of an event and half a kilobyte of a film.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from clustering.cell_points import CellPoints
from clustering.copies import Copy, find_copies
from clustering.dedup_report import copy_findings, duplicate_episodes, side_findings
from clustering.event_table import EventTable, table_of
from clustering.near_duplicates import CellEvents, find_near, join
from clustering.recordings import Recording, best_first, recording_of
from clustering.same_recording import matched
from clustering.sides import SAFEST, own_side
from clustering.spherical import one_thread
from clustering.withheld import Refusal, refused_episodes, withheld_findings, without
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Assignment, ClusterModel, Embedding, Membership, Space, Split
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Episode
from schemas.finding import Finding
from schemas.identity import make_id
from schemas.outline import Outline
from schemas.recipe import Recipe
from schemas.recipe_dedup import DedupSpec, SplitSpec
from schemas.recipe_section import Section
from schemas.source_card import Redistribution

Rows = NDArray[np.int64]


class DedupSlice(Section):
    """What of the recipe memberships depend on."""

    dedup: DedupSpec
    split: SplitSpec
    allow: tuple[str, ...] | None = None
    """Licences and redistribution modes; None: all, and then episodes are not even read."""
    redistribution: dict[str, Redistribution] = Field(default_factory=dict)
    """By source, where there is a list to hold it against."""


@dataclass(frozen=True, eq=False)
class Duplicates:
    """What is one with what."""

    table: EventTable
    recordings: dict[str, Recording]
    copies: Sequence[Copy]
    rank: Rows
    """Of the table's episodes, 0 for the best."""
    side: Rows
    """Of the table's episodes, places in `SAFEST`."""
    group: Rows
    """Of the table's events: a row that names the group; its own when alone."""
    keeper: Rows
    """Of the table's events: the row kept in its place; its own when it is kept."""


@dataclass(frozen=True, eq=False)
class Spilled:
    """The points of all events that are not alone in their cell."""

    cells: Sequence[Rows]
    """Rows of the table, best event first."""
    place: Rows
    """Where a row's point is."""
    points: CellPoints


def find_duplicates(bundle: Bundle, spec: DedupSlice, refused: Mapping[str, Refusal], folder: Path) -> Duplicates:
    """Everything there is to find among episodes that are not ``refused``; ``folder`` holds temporary files."""
    recordings: dict[str, Recording] = {}
    copies = find_copies(_noting(without(bundle.stream(Outline), refused), recordings), folder)
    table = table_of(without(bundle.stream(Assignment), refused))
    rank = best_first([name.decode() for name in table.episode_ids], recordings)
    with one_thread():
        spilled = _spilled(bundle, table, rank, folder)
        together = np.zeros(len(table.episode_ids), np.int64)
        group, keeper = _near(table, spilled, together, spec.dedup)
        linked = _linked(table, group, keeper, copies, spec.split.shared_events)
        side = _sides(table, linked, spec.split)
        if spec.split.shared_events > 0:  # events that do not bind their episodes may lie on both sides
            group, keeper = _near(table, spilled, side, spec.dedup)
    group, keeper = _with_copies(table, copies, rank, group, keeper)
    return Duplicates(table, recordings, copies, rank, side, group, keeper)


def _spilled(bundle: Bundle, table: EventTable, rank: Rows, folder: Path) -> Spilled:
    cells = list(table.cells(rank))
    place = np.full(len(table), -1)
    start = 0
    for rows in cells:
        place[rows] = start + np.arange(len(rows))
        start += len(rows)
    models = [model for batch in bundle.stream(ClusterModel) for model in batch]
    points = CellPoints(folder / "points", start, models)
    for batch in bundle.stream(Embedding):
        rows = table.rows_of([item.event_id for item in batch])
        points.write(batch, np.where(rows >= 0, place[rows], -1))
    return Spilled(cells, place, points)


def _noting(batches: Iterable[list[Outline]], recordings: dict[str, Recording]) -> Iterator[list[Outline]]:
    for batch in batches:
        recordings.update({outline.episode_id: recording_of(outline) for outline in batch})
        yield batch


def _near(table: EventTable, spilled: Spilled, side: Rows, spec: DedupSpec) -> tuple[Rows, Rows]:
    """Groups and keepers among events alone, cell by cell."""
    group, keeper = np.arange(len(table)), np.arange(len(table))
    for rows in spilled.cells:
        near = find_near(_cell(table, rows, spilled, side), spec)
        group[rows], keeper[rows] = rows[near.group], rows[near.keeper]
    return group, keeper


def _cell(table: EventTable, rows: Rows, spilled: Spilled, side: Rows) -> CellEvents:
    with_action = bool(table.with_action[rows[0]])
    return CellEvents(
        vision_language=spilled.points.of(spilled.place[rows], Space.VISION_LANGUAGE),
        action=spilled.points.of(spilled.place[rows], Space.ACTION) if with_action else None,
        episode=table.episode[rows],
        side=side[table.episode[rows]],
        seconds=table.seconds[rows],
        protected=table.protected[rows],
    )


def _linked(table: EventTable, group: Rows, keeper: Rows, copies: Sequence[Copy], shared_events: float) -> Rows:
    """[E]: which episodes must be on one side, as the number of one of them."""
    n = len(table.episode_ids)
    ours, theirs = table.episode, table.episode[group if shared_events == 0 else keeper]
    apart = ours != theirs
    pairs, shared = np.unique(np.stack([ours[apart], theirs[apart]]), axis=1, return_counts=True)
    sizes = np.bincount(table.episode, minlength=n)
    enough = shared >= shared_events * np.minimum(sizes[pairs[0]], sizes[pairs[1]])
    ends = np.array([table.episodes_of([copy.first, copy.second]) for copy in copies], np.int64).reshape(-1, 2)
    ends = ends[(ends >= 0).all(axis=1)]
    return join(np.arange(n), *np.concatenate([pairs[:, enough], ends.T], axis=1))


def _sides(table: EventTable, linked: Rows, spec: SplitSpec) -> Rows:
    """[E]: the safest side that an episode of the same company has by itself (`clustering.sides`)."""
    own = np.array([SAFEST.index(own_side(name.decode(), spec)) for name in table.episode_ids], np.int64)
    safest = np.full(len(linked), len(SAFEST))
    np.minimum.at(safest, linked, own)
    side: Rows = safest[linked]
    return side


def _with_copies(table: EventTable, copies: Sequence[Copy], rank: Rows, group: Rows, keeper: Rows) -> tuple[Rows, Rows]:
    """Groups and keepers with the events of whole recordings that are one."""
    pairs = np.array(list(matched(table, copies, rank)), np.int64).reshape(-1, 2)
    group = join(group, group[pairs[:, 0]], group[pairs[:, 1]])
    keeper = keeper.copy()
    keeper[pairs[:, 0]] = pairs[:, 1]
    while not np.array_equal(further := keeper[keeper], keeper):  # who was kept may be left out now
        keeper = further
    return group, keeper


def memberships(
    batches: Iterable[list[Assignment]], found: Duplicates, refused: Mapping[str, Refusal], spec: DedupSlice
) -> Iterator[Membership]:
    """One membership per assignment, in the order they come."""
    table, size = found.table, np.bincount(found.group, minlength=len(found.table))
    drop = spec.dedup.on_duplicates == "drop"
    for batch in batches:
        for item, row in zip(batch, table.rows_of([item.event_id for item in batch]).tolist(), strict=True):
            if row < 0:
                side = own_side(item.episode_id, spec.split)
                yield _membership(item, side, withheld=refused[item.episode_id].licence)
                continue
            group, keeper = int(found.group[row]), int(found.keeper[row])
            yield _membership(
                item,
                SAFEST[found.side[table.episode[row]]],
                duplicate_group=make_id("dg", table.event_id[group]) if size[group] > 1 else "",
                duplicate_of=table.event_id[keeper].decode() if drop and keeper != row else "",
            )


def _membership(
    item: Assignment, split: Split, *, duplicate_group: str = "", duplicate_of: str = "", withheld: str = ""
) -> Membership:
    return Membership(
        event_id=item.event_id,
        episode_id=item.episode_id,
        source=item.source,
        dataset=item.dataset,
        level=item.level,
        vision_language=item.vision_language,
        action=item.action,
        tail=item.tail,
        recovery=item.recovery,
        split=split,
        duplicate_group=duplicate_group,
        duplicate_of=duplicate_of,
        n_frames=item.n_frames,
        duration_s=item.duration_s,
        withheld=withheld,
    )


def run(bundle: Bundle, spec: DedupSlice) -> Iterator[object]:
    """The memberships of the corpus, lazily, because there may be millions; then who is a copy of whom."""
    refused = {} if spec.allow is None else refused_episodes(bundle.stream(Episode), spec.allow, spec.redistribution)
    with TemporaryDirectory(prefix="joinery-dedup-") as folder:
        found = find_duplicates(bundle, spec, refused, Path(folder))
        drop = spec.dedup.on_duplicates == "drop"
        yield from memberships(bundle.stream(Assignment), found, refused, spec)
        pairs = duplicate_episodes(found.table, found.recordings, found.copies, found.rank, found.keeper)
        yield from pairs
        yield from copy_findings(pairs, drop=drop)
        yield from side_findings(found.table, found.recordings, found.side, spec.split)
        yield from withheld_findings(refused, bundle.stream(Assignment), spec.allow or ())


def _slice(recipe: Recipe) -> DedupSlice:
    allow = recipe.shard.allow
    modes = {} if allow is None else {source.name: source.card.redistribution for source in recipe.sources}
    return DedupSlice(
        dedup=recipe.dedup,
        split=recipe.split,
        allow=None if allow is None else tuple(allow),
        redistribution=modes,
    )


STAGE = Stage(
    name="dedup",
    version=2,
    scope=Scope.CORPUS,
    reads=(
        Read(Assignment, "assign"),
        Read(Embedding, "embed"),
        Read(ClusterModel, "cluster"),
        Read(Outline, "outline"),
        Read(Episode, "ingest", wanted=lambda spec: spec.allow is not None),
    ),
    writes=(Membership, DuplicateEpisodes, Finding),
    recipe_slice=_slice,
    run=run,
)
