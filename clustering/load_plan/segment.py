"""Segments: whole steps of packed draws, about 2^20 draws at a time, each with all that is needed to go on.

A segment ends with the first step at which it has its draws, and keeps the few that wait for a later pack. So the
steps of a plan do not depend on how many segments were asked for at a time: extending a plan gives the files, and the
hash, of compiling it in one go.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.load_plan.order import DrawOrder, Ints, columns
from clustering.load_plan.windows import windows
from pipeline.loader.pack import FilledPacks, PackState, fill
from pipeline.loader.plan import COLUMNS, Arrays, segment_base

SEGMENT_DRAWS = 1 << 20
_PENDING = "pending_"


@dataclass(frozen=True, eq=False)
class Standing:
    """Where a chapter stands between two steps."""

    next_draw: int
    """The first draw packing has not seen, counted from the chapter's first."""
    turns: Ints
    """Of every cell in the draws before that, [K]."""
    waiting: Arrays
    """Columns of draws seen and not packed, in the order of draws."""


@dataclass(frozen=True, eq=False)
class Steps:
    """Consecutive steps: columns in the order of packs, and where each pack starts."""

    columns: Arrays
    pack_start: Ints

    @property
    def n_draws(self) -> int:
        return int(self.pack_start[-1])

    @property
    def n_packs(self) -> int:
        return len(self.pack_start) - 1


def beginning(n_cells: int) -> Standing:
    """A chapter of which nothing is packed yet."""
    return Standing(0, np.zeros(n_cells, np.int64), {name: np.zeros(0, np.int64) for name in COLUMNS})


def compile_steps(order: DrawOrder, standing: Standing, at_least: int, at_most: int) -> tuple[Steps, Standing]:
    """Steps until they hold ``at_least`` draws or there are ``at_most`` of them, and where the chapter stands then."""
    spec, n_waiting = order.spec, len(standing.waiting["draw"])
    found, count = standing.waiting, 0
    more = _first_guess(order, at_least, at_most)
    while True:
        turns = standing.turns + np.bincount(found["cell"][n_waiting:].astype(np.int64), minlength=len(standing.turns))
        block = columns(order, standing.next_draw + count, more, turns)
        found = {name: np.concatenate([found[name], block[name]]) for name in COLUMNS}
        count += more
        state = PackState(tuple(range(n_waiting)), n_waiting)
        lengths = found["n_tokens"].tolist()
        packed = fill(
            lengths, spec.budget, spec.pack_window, state, group=spec.packs_per_step, at_least=at_least, at_most=at_most
        )
        if packed.enough:
            break
        more = count // 2 + spec.pack_window
    return Steps({name: found[name][packed.draws] for name in COLUMNS}, packed.starts), _after(standing, found, packed)


def _first_guess(order: DrawOrder, at_least: int, at_most: int) -> int:
    """How many draws should be enough: two steps more than asked for, at the mean length of windows."""
    spec = order.spec
    one_of_each = order.members.rows[order.members.starts]
    probe = windows(np.arange(len(one_of_each)), one_of_each, order.sizes, spec)
    per_step = spec.packs_per_step * spec.budget / float(np.average(probe.n_tokens, weights=order.cells.mass))
    return int(min(at_least + 2 * per_step, (at_most + 1) * 1.1 * per_step)) + 2 * spec.pack_window


def _after(standing: Standing, found: Arrays, packed: FilledPacks) -> Standing:
    n_waiting = len(standing.waiting["draw"])
    seen = packed.after.next_t
    fresh = found["cell"][n_waiting:seen].astype(np.int64)
    return Standing(
        next_draw=standing.next_draw + seen - n_waiting,
        turns=standing.turns + np.bincount(fresh, minlength=len(standing.turns)),
        waiting={name: found[name][list(packed.after.waiting)] for name in COLUMNS},
    )


def joined(before: Steps, after: Steps) -> Steps:
    """The steps of one after those of the other."""
    starts = np.concatenate([before.pack_start, after.pack_start[1:] + before.n_draws])
    return Steps({name: np.concatenate([before.columns[name], after.columns[name]]) for name in COLUMNS}, starts)


def segment_arrays(steps: Steps, standing: Standing) -> Arrays:
    """A segment as its file holds it: every column as narrow as its values allow."""
    first = int(min((steps.columns["draw"].min(), *standing.waiting["draw"].tolist())))
    shifted = {**steps.columns, "draw": steps.columns["draw"] - first}
    arrays: Arrays = {name: _narrow(shifted[name]) for name in COLUMNS}
    arrays["pack_start"] = _narrow(steps.pack_start)
    arrays["first_draw"] = np.array([first], np.int64)
    arrays["next_draw"] = np.array([standing.next_draw], np.int64)
    return arrays | {_PENDING + name: standing.waiting[name].astype(np.int64) for name in COLUMNS}


def steps_of(arrays: Arrays) -> Steps:
    """The steps of a segment's file."""
    found: Arrays = {name: arrays[name].astype(np.int64) for name in COLUMNS}
    found["draw"] = found["draw"] + segment_base(arrays)
    return Steps(found, arrays["pack_start"].astype(np.int64))


def standing_of(arrays: Arrays, uses: Ints) -> Standing:
    """Where the chapter stands after a segment; ``uses`` [K] of every cell in the chapter's packs up to there."""
    waiting: Arrays = {name: arrays[_PENDING + name] for name in COLUMNS}
    turns = uses + np.bincount(waiting["cell"], minlength=len(uses))
    return Standing(int(arrays["next_draw"][0]), turns, waiting)


def _narrow(values: NDArray[np.int64]) -> NDArray[np.integer]:
    """The smallest type that holds the values; 10 M draws take 200 MB so, 600 MB otherwise.

    Unsigned, but where a window begins before its event.
    """
    lowest, highest = int(values.min(initial=0)), int(values.max(initial=0))
    return values.astype(np.promote_types(np.min_scalar_type(lowest), np.min_scalar_type(highest)))
