"""Draws of a chapter: draw → cell → event → window, as columns, for any stretch of draws.

A cell's events come in the order of a seeded permutation; when it is used up the next pass brings another one, so two
events of a cell are never used more than once apart. Uses before the chapter count, so a change of weights does not
bring the same events again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.chairman import chairman, two_stage
from clustering.counter_hash import Keys, mix
from clustering.feistel import permuted
from clustering.load_plan.cells import Members, cell_keys
from clustering.load_plan.windows import EventSizes, windows
from clustering.stride import StrideTree, draws, stride_tree
from pipeline.loader.plan import Arrays, PlanCells
from schemas.recipe_load import LoadSpec

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DrawOrder:
    """What the draws of a chapter are made of."""

    spec: LoadSpec
    cells: PlanCells
    members: Members
    sizes: EventSizes
    first_draw: int
    uses_before: Ints
    """Draws of every cell before the chapter, [K]."""
    keys: Keys
    """Of every cell's permutations: hashes of the seed and the cell's name."""
    tree: StrideTree | None


def draw_order(
    spec: LoadSpec, cells: PlanCells, members: Members, sizes: EventSizes, *, first_draw: int, uses_before: Ints
) -> DrawOrder:
    """The order of a chapter whose first draw has the number ``first_draw``."""
    tree = stride_tree(cells.mass, spec.seed) if spec.order == "stride" else None
    return DrawOrder(spec, cells, members, sizes, first_draw, uses_before, cell_keys(cells, spec.seed), tree)


def columns(order: DrawOrder, first: int, count: int, turns: Ints) -> Arrays:
    """Draws ``first`` … ``first + count − 1`` of the chapter; ``turns`` [K] are those of every cell before them."""
    if order.tree is not None:
        cell, inside = draws(order.tree, first, count)
    else:
        if order.spec.order == "strict":
            cell = chairman(order.cells.mass, count, turns)
        else:
            cell = two_stage(order.cells.vision_language, order.cells.mass, count, turns)
        inside = turns[cell] + running_count(cell, len(turns))
    event = _events(order, cell, inside + order.uses_before[cell])
    draw = np.arange(order.first_draw + first, order.first_draw + first + count, dtype=np.int64)
    shown = windows(draw, event, order.sizes, order.spec)
    return {
        "draw": draw,
        "event": event,
        "cell": cell,
        "kind": shown.kind,
        "first_frame": shown.first_frame,
        "n_frames": shown.n_frames,
        "n_tokens": shown.n_tokens,
    }


def _events(order: DrawOrder, cell: Ints, use: Ints) -> Ints:
    """Row of the catalogue for use number ``use`` [N] of cells [N]."""
    size = order.members.counts[cell]
    turn, place = use // size, use % size
    keys = mix(order.keys[cell] + turn.astype(np.uint64), 0)
    event: Ints = order.members.rows[order.members.starts[cell] + permuted(keys, place, size)]
    return event


def running_count(groups: Ints, n_groups: int) -> Ints:
    """How many rows before each row are of its group."""
    sort = np.argsort(groups, kind="stable")
    totals = np.bincount(groups, minlength=n_groups)
    found = np.empty(len(groups), np.int64)
    found[sort] = np.arange(len(groups)) - (np.cumsum(totals) - totals)[groups[sort]]
    return found
