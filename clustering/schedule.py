"""Stage ``schedule``: the order of draws, compiled ahead of time (clustering.md, Schedule; loader.md, Plan semantics).

Cells take turns by Tijdeman's chairman assignment, rows (vision-language clusters) first, so that *every* prefix
follows the plan: rows within 1 draw of their share, cells within 2. Where the recipe limits sources or recoveries,
these come before the rows: a source's events and its recoveries stay within 1 draw each, a row of theirs within 2,
cells within 3. With a curriculum a prefix's target is the sum of the shares of its draws' steps (`clustering.turns`).
Inside a cell the events come in a hashed permutation without replacement; when it is used up the next pass brings
another one. Training events the epoch has no room for go to the ``reserve`` split, so that every event is in some
shard.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import mix
from clustering.roster import Roster, roster_of
from clustering.turns import turns
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Membership, Split
from schemas.plan import Draw, SamplingPlan
from schemas.recipe import Recipe
from schemas.recipe_section import Count, Section

Rows = NDArray[np.int64]

HELD_OUT_ORDER, RESERVE_ORDER, FIRST_PASS = 0, 1, 2
"""Counters of the hashed orders: one each outside the epoch, then one per pass inside it."""


class ScheduleSlice(Section):
    """What of the recipe the order depends on; the rest of balance reaches it through the plan."""

    seed: int
    samples_per_shard: Count


@dataclass(frozen=True, eq=False)
class Epoch:
    """The drawn rows of the roster, int64 [T], how often each had been drawn before, and of which cell it is."""

    rows: Rows
    repeat: Rows
    cells: Rows
    """Their cells in the plan; −1 for an event of none."""


def draw_epoch(roster: Roster, plan: SamplingPlan) -> Epoch:
    """The training epoch. Raises ValueError when the plan's cells are not the roster's."""
    train = roster.of(Split.TRAIN)
    cell_of = cells_of(roster, plan)[train]
    counts = np.bincount(cell_of + 1, minlength=len(plan.cells) + 1)
    if counts[0] or list(counts[1:]) != [cell.n_events for cell in plan.cells]:
        raise ValueError(
            f"{plan.plan_id}: it was made for {len(plan.cells)} cells of {plan.n_events} events, {counts[0]} of the "
            f"{len(train)} in the memberships are in none of them; run balance again"
        )
    rows, repeat = np.zeros(plan.n_draws, np.int64), np.zeros(plan.n_draws, np.int64)
    if plan.n_draws == 0:
        return Epoch(rows, repeat, rows)
    order = turns(levels(plan), *masses_of(plan))
    places = np.split(np.argsort(order, kind="stable"), np.cumsum(np.bincount(order, minlength=len(plan.cells))))
    members = np.split(train[np.argsort(cell_of, kind="stable")], np.cumsum(counts[1:]))
    for place, member in zip(places[:-1], members[:-1], strict=True):
        rows[place], repeat[place] = _take(roster, member, len(place))
    return Epoch(rows, repeat, order)


def levels(plan: SamplingPlan) -> list[Rows]:
    """Labels [C] of the groups that take turns: a source's events and recoveries where limited, then rows."""
    parts = sorted({(cell.source, bool(cell.recovery)) for cell in plan.cells})
    place = {part: i for i, part in enumerate(parts)}
    part_of = np.array([place[cell.source, bool(cell.recovery)] for cell in plan.cells], np.int64)
    rows = np.array([cell.vision_language for cell in plan.cells], np.int64)
    return [part_of, rows] if len(parts) > 1 else [rows]


def masses_of(plan: SamplingPlan) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Shares of draws [S, C] and how many draws [S] each holds for."""
    if plan.steps:
        return np.array([step.masses for step in plan.steps]), np.array([step.n_draws for step in plan.steps], np.int64)
    return np.array([[cell.mass for cell in plan.cells]]), np.array([plan.n_draws], np.int64)


def cells_of(roster: Roster, plan: SamplingPlan) -> Rows:
    """[N] the plan's cell of every event; −1 for an event of none."""
    by_source = any(cell.source for cell in plan.cells)
    by_recovery = any(cell.recovery is not None for cell in plan.cells)
    source = {name: i for i, name in enumerate(roster.sources)} if by_source else {"": 0}
    asked = np.array(
        [(c.vision_language, c.action, source.get(c.source, -1), bool(c.recovery)) for c in plan.cells], np.int64
    ).reshape(-1, 4)
    nothing = np.zeros(len(roster), np.int64)
    found = np.stack(
        [
            roster.vision_language,
            roster.action,
            roster.source if by_source else nothing,
            roster.recovery if by_recovery else nothing,
        ],
        axis=1,
    )
    names, place = np.unique(np.concatenate([asked, found]), axis=0, return_inverse=True)
    cell = np.full(len(names), -1, np.int64)
    cell[place.reshape(-1)[: len(asked)]] = np.arange(len(asked))
    return cell[place.reshape(-1)[len(asked) :]]


def _take(roster: Roster, member: Rows, n: int) -> tuple[Rows, Rows]:
    """``n`` draws from one cell's rows: pass after pass, each a permutation of all of them."""
    n_passes = -(-n // len(member))
    passes = [_shuffled(roster, member, FIRST_PASS + number) for number in range(n_passes)]
    repeat = np.arange(n, dtype=np.int64) // len(member)
    return (np.concatenate(passes)[:n] if passes else member[:0]), repeat


def _shuffled(roster: Roster, rows: Rows, counter: int) -> Rows:
    """The rows in the order of their hashes for this counter; equal hashes keep the order of ids."""
    return rows[np.argsort(mix(roster.key[rows], counter), kind="stable")]


def schedule(roster: Roster, plan: SamplingPlan, samples_per_shard: int) -> Iterator[Draw]:
    """Every event of the roster at least once: the train epoch, then reserve and what is held out, in shard order."""
    epoch, cell_of = draw_epoch(roster, plan), cells_of(roster, plan)
    unused = np.setdiff1d(roster.of(Split.TRAIN), epoch.rows)
    yield from _draws("train", roster, plan, epoch, samples_per_shard)
    rest = (
        ("reserve", unused, RESERVE_ORDER),
        ("validation", roster.of(Split.VALIDATION), HELD_OUT_ORDER),
        ("test", roster.of(Split.TEST), HELD_OUT_ORDER),
    )
    for split, rows, counter in rest:
        shuffled = _shuffled(roster, rows, counter)
        once = Epoch(shuffled, np.zeros(len(rows), np.int64), cell_of[shuffled])
        yield from _draws(split, roster, plan, once, samples_per_shard)


def _draws(split: str, roster: Roster, plan: SamplingPlan, epoch: Epoch, per_shard: int) -> Iterator[Draw]:
    columns = epoch.rows.tolist(), epoch.repeat.tolist(), epoch.cells.tolist()
    for t, (row, repeat, cell) in enumerate(zip(*columns, strict=True)):
        yield Draw(
            plan_id=plan.plan_id,
            split=split,
            t=t,
            event_id=roster.event_id[row].decode(),
            episode_id=roster.episode_id[row].decode(),
            vision_language=int(roster.vision_language[row]),
            action=int(roster.action[row]),
            repeat=repeat,
            shard=f"{split}-{t // per_shard:06d}",
            position=t % per_shard,
            cell=cell,
        )


def run(bundle: Bundle, spec: ScheduleSlice) -> Iterable[object]:
    """All draws of the corpus; lazily, because there may be millions."""
    (plan,) = (plan for batch in bundle.stream(SamplingPlan) for plan in batch)
    return schedule(roster_of(bundle.stream(Membership), spec.seed), plan, spec.samples_per_shard)


def _slice(recipe: Recipe) -> ScheduleSlice:
    return ScheduleSlice(seed=recipe.balance.seed, samples_per_shard=recipe.shard.samples_per_shard)


STAGE = Stage(
    name="schedule",
    version=2,
    scope=Scope.CORPUS,
    reads=(Read(SamplingPlan, "balance"), Read(Membership, "dedup")),
    writes=(Draw,),
    recipe_slice=_slice,
    run=run,
)
