"""Cells and their shares, and which events of a catalogue lie in which.

A cell is a (vision-language, action) pair; where the balance limits sources or recoveries, also a source and whether
it recovers. Cells are sorted by these names, whatever order the sampling plan lists them in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import Keys, keys_of, mix
from pipeline.errors import StoreError
from pipeline.loader.catalogue import Catalogue
from pipeline.loader.plan import Arrays, PlanCells, arrays_digest

ANY_SOURCE, ANY_RECOVERY = "", -1
_NAMES = ("vision_language", "action", "source", "recovery")


@dataclass(frozen=True, eq=False)
class Members:
    """The catalogue's rows, cell after cell: those of cell c are ``rows[starts[c]:starts[c] + counts[c]]``."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


def plan_cells(cells: Sequence[Mapping[str, Any]], mass: Sequence[float] | None = None) -> PlanCells:
    """The cells of a sampling plan as its JSON has them, sorted, with their own shares or those in ``mass``.

    Raises StoreError when there are none.
    """
    shares = [cell["mass"] for cell in cells] if mass is None else mass
    found = sorted(
        (
            cell["vision_language"],
            cell["action"],
            cell.get("source") or ANY_SOURCE,
            ANY_RECOVERY if cell.get("recovery") is None else int(cell["recovery"]),
            cell["n_events"],
            share,
        )
        for cell, share in zip(cells, shares, strict=True)
    )
    if not found:
        raise StoreError("the sampling plan has no cells: the shard set holds no training events")
    v, a, source, recovery, n_events, sorted_shares = zip(*found, strict=True)
    return PlanCells(
        np.array(v, np.int64),
        np.array(a, np.int64),
        np.array(source, np.str_),
        np.array(recovery, np.int8),
        np.array(n_events, np.int64),
        np.array(sorted_shares, np.float64),
    )


def cell_names(cells: PlanCells) -> list[tuple[int, int, str, int]]:
    """Name of every cell: what identifies it between plans."""
    return list(zip(*(getattr(cells, name).tolist() for name in _NAMES), strict=True))


def cell_keys(cells: PlanCells, seed: int) -> Keys:
    """A hash of the seed and each cell's name, [K]: what its permutations are made of."""
    names, source = np.unique(cells.source, return_inverse=True)
    parts = (cells.vision_language, cells.action, cells.recovery.astype(np.int64))
    keys = keys_of(f"cell-{seed}", names.tolist())[source]
    for counter, part in enumerate(parts):
        keys = mix(keys ^ part.view(np.uint64), counter)
    return keys


def cell_arrays(cells: PlanCells) -> Arrays:
    """As a plan's folder keeps them."""
    return {name: getattr(cells, name) for name in (*_NAMES, "n_events", "mass")}


def cells_digest(cells: PlanCells) -> str:
    """Identity of the cells and their shares, to the last bit."""
    return arrays_digest(cell_arrays(cells))


def cells_of_events(cells: PlanCells, catalogue: Catalogue) -> NDArray[np.uint32]:
    """Which cell every event lies in. Raises StoreError when the plan's cells are not the catalogue's."""
    of_event = _numbers(cells, catalogue)
    unknown = np.flatnonzero(of_event < 0)
    if len(unknown):
        row = unknown[0]
        event, cell = catalogue.event_id[row].decode(), f"{catalogue.vision_language[row]}/{catalogue.action[row]}"
        raise StoreError(f"{event}: the sampling plan has no cell {cell} for it; publish the set again")
    counts = np.bincount(of_event, minlength=len(cells.mass))
    wrong = np.flatnonzero(counts != cells.n_events)
    if len(wrong):
        c = int(wrong[0])
        name = "/".join(map(str, cell_names(cells)[c][:2]))
        found = f"{counts[c]} training events, the sampling plan says {cells.n_events[c]}"
        raise StoreError(f"cell {name}: the manifest has {found}; run `joinery verify`")
    return of_event.astype(np.uint32)


def members_of(cell_of_event: NDArray[np.uint32], cells: PlanCells) -> Members:
    """The events of every cell, in the order of the catalogue."""
    counts = np.bincount(cell_of_event, minlength=len(cells.mass))
    # By the lower half, then by the upper one: on 16 bits numpy counts instead of comparing, twice as fast in all.
    order = np.argsort(cell_of_event.astype(np.uint16), kind="stable")
    order = order[np.argsort((cell_of_event >> 16).astype(np.uint16)[order], kind="stable")]
    return Members(order, np.cumsum(counts) - counts, counts)


def _numbers(cells: PlanCells, catalogue: Catalogue) -> NDArray[np.int64]:
    """Cell of every event, -1 for none; one number per name, compared as numbers, never as objects."""
    by_source = bool(np.any(cells.source != ANY_SOURCE))
    by_recovery = bool(np.any(cells.recovery != ANY_RECOVERY))
    names = {name: code + 1 for code, name in enumerate(catalogue.source_names)}
    cell_source = np.array([names.get(name, 0) for name in cells.source.tolist()], np.int64)
    event_source = catalogue.source.astype(np.int64) + 1 if by_source else np.zeros(len(catalogue), np.int64)
    event_recovery = catalogue.recovery.astype(np.int64) if by_recovery else np.full(len(catalogue), ANY_RECOVERY)
    ours = _codes(cells.vision_language, cells.action, cell_source, cells.recovery.astype(np.int64))
    theirs = _codes(
        catalogue.vision_language.astype(np.int64), catalogue.action.astype(np.int64), event_source, event_recovery
    )
    order = np.argsort(ours, kind="stable")
    place = np.minimum(np.searchsorted(ours[order], theirs), len(ours) - 1)
    return np.where(ours[order][place] == theirs, order[place], -1)


def _codes(v: NDArray[Any], a: NDArray[Any], source: NDArray[Any], recovery: NDArray[Any]) -> NDArray[np.int64]:
    """One number per (v, a, source, recovery): 20 + 20 + 20 + 2 bits, action and recovery shifted off −1."""
    limit = 1 << 20
    if len(v) and max(v.max(), a.max() + 1, source.max()) >= limit:
        raise StoreError(f"cluster and source numbers must stay below {limit}")
    codes: NDArray[np.int64] = (v << 42) | ((a + 1) << 22) | (source << 2) | (recovery + 1)
    return codes
