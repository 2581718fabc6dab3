"""``joinery gc``: remove from a workspace what no longer counts (docs/operations.md).

Rows first, then files, in an order that a kill cannot spoil: whatever is left of it is found again by the next one.
Results that an earlier recipe made still count, unless ``superseded`` says that they need not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from jobs.listing import DISCOVER
from jobs.river import RIVER
from pipeline.at_work import Deed, at_work
from pipeline.ledger import Ledger
from pipeline.loader.names import SET
from pipeline.shards.latest import SHARDS
from pipeline.shards.without import is_replaced, sets_there
from pipeline.sql import in_memory
from pipeline.store import Workspace
from pipeline.upkeep.files_there import NS_PER_S, clock_of_store, files_there, given_back
from pipeline.upkeep.garbage import (
    DeadRows,
    Unneeded,
    dead_rows,
    forget_results,
    losers,
    removed_rows,
    unneeded_files,
    visible_attempts,
)
from schemas.recipe import Recipe
from schemas.shard import ShardFile, ShardSet


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    older_than_s: float = 3600.0
    """Younger files stay: somebody may be reading them."""
    superseded: tuple[Recipe, ...] = ()
    """Recipes in use; results that none of them has a use for go. Empty: all results stay."""


@dataclass(frozen=True)
class Pile:
    """Files of one kind."""

    kind: str
    n_files: int
    n_bytes: int
    """Given back: none for a second name of a file that stays."""


@dataclass(frozen=True)
class Collected:
    """What went, or would go."""

    n_results: int
    """Superseded ones."""
    rows: tuple[DeadRows, ...]
    piles: tuple[Pile, ...]
    paths: tuple[str, ...]
    waiting_bytes: int
    """Of files that are not needed either, but younger than asked for."""
    dry_run: bool

    @property
    def n_bytes(self) -> int:
        return sum(pile.n_bytes for pile in self.piles)


def collect(workspace: Workspace, wish: Wish, *, dry_run: bool = False) -> Collected:
    """Remove what no longer counts. Raises StoreError while somebody is at work in the workspace."""
    with _alone(workspace, dry_run):
        now = clock_of_store(workspace.blobs)
        before = now - int(wish.older_than_s * NS_PER_S)
        dropped = _superseded(workspace, wish.superseded) if wish.superseded else frozenset[str]()
        lost = losers(workspace)
        rows = tuple(dead_rows(workspace, dropped))
        if not dry_run:
            forget_results(workspace, dropped | lost)
            for dead in rows:
                removed_rows(workspace, dead)
            now = clock_of_store(workspace.blobs)
            before = now - int(wish.older_than_s * NS_PER_S)
        files = unneeded_files(workspace, before, dropped)
        waiting = _n_bytes(workspace, unneeded_files(workspace, now, dropped)) - _n_bytes(workspace, files)
        piles = _piles(workspace, files)
        if not dry_run:
            _remove(workspace, files)
        return Collected(len(dropped), rows, piles, tuple(one.file.path for one in files), max(0, waiting), dry_run)


@contextmanager
def _alone(workspace: Workspace, dry_run: bool) -> Iterator[None]:
    """Looking changes nothing, so it need not be alone; what it finds may be what a run is just writing."""
    if dry_run:
        yield
        return
    with at_work(workspace.blobs, Deed.GC):
        yield


def _remove(workspace: Workspace, files: Sequence[Unneeded]) -> None:
    blobs = workspace.blobs
    for one in files:
        blobs.remove(one.file.path)
    emptied = {one.file.path.rpartition("/")[0] for one in files if not one.file.path.startswith("tables/")}
    for folder in sorted(emptied):
        if "/" in folder and not files_there(blobs, folder):
            blobs.remove_folder(folder)


def _piles(workspace: Workspace, files: Sequence[Unneeded]) -> tuple[Pile, ...]:
    n_files, n_bytes = Counter[str](), Counter[str]()
    for one, size in zip(files, given_back(workspace.blobs, [one.file for one in files]), strict=True):
        n_files[one.kind] += 1
        n_bytes[one.kind] += size
    return tuple(Pile(kind, n_files[kind], n_bytes[kind]) for kind in sorted(n_files))


def _n_bytes(workspace: Workspace, files: Sequence[Unneeded]) -> int:
    return sum(given_back(workspace.blobs, [one.file for one in files]))


# -- superseded --------------------------------------------------------------------------------------------------------


def _superseded(workspace: Workspace, recipes: Sequence[Recipe]) -> frozenset[str]:
    """Attempts of results that none of the recipes has a use for and no shard set was published from.

    What stages decided for good stays (`Stage.keeps`): made anew it would come out otherwise, history being an input.
    So do findings of listings, which `joinery why` reads.
    """
    spared = {DISCOVER, *(stage.name for stage in RIVER if stage.keeps)}
    live = _of_sets(workspace)
    for recipe in recipes:
        ledger = Ledger(workspace, recipe, RIVER)
        ledger.refresh_all()
        live |= {attempt for stage in RIVER for _, attempt in ledger.done_attempts(stage.name)}
    with in_memory() as sql:
        visible_attempts(workspace, sql)
        rows = sql.execute("SELECT stage, attempt FROM visible").fetchall()
    return frozenset(attempt for stage, attempt in rows if stage not in spared and attempt not in live)


def _of_sets(workspace: Workspace) -> set[str]:
    """Attempts that the files of a published set belong to, past ones too: its tars and its tables."""
    blobs = workspace.blobs
    there = {name for name in sets_there(blobs) if not is_replaced(blobs, name)}
    digests = {shard["sha256"] for name in there for shard in _shards(workspace, name)}
    found = set[str]()
    for batch in workspace.scan(ShardFile, ["sha256", "attempt"]):
        found |= {row["attempt"] for row in batch.to_pylist() if row["sha256"] in digests}
    for batch in workspace.scan(ShardSet, ["shard_set_id", "attempt"]):
        found |= {row["attempt"] for row in batch.to_pylist() if row["shard_set_id"] in there}
    return found


def _shards(workspace: Workspace, shard_set_id: str) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = json.loads(workspace.blobs.read(f"{SHARDS}/{shard_set_id}/{SET}"))["shards"]
    return shards
