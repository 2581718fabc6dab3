"""Stage ``schedule``: the order of draws, compiled ahead of time (clustering.md, Schedule; loader.md, Plan semantics).

Cells take turns by Tijdeman's chairman assignment, rows (vision-language clusters) first, so that *every* prefix
follows the plan: rows within 1 draw of their share, cells within 2. Inside a cell the events come in a hashed
permutation without replacement; when it is used up the next pass brings another one. Training events the epoch
has no room for go to the ``reserve`` split, so that every event is in some shard.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.chairman import two_stage
from clustering.counter_hash import mix
from clustering.roster import Roster, roster_of
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
    """The drawn rows of the roster, int64 [T], and how often each had been drawn before."""

    rows: Rows
    repeat: Rows


def draw_epoch(roster: Roster, plan: SamplingPlan) -> Epoch:
    """The training epoch. Raises ValueError when the plan's cells are not the roster's."""
    train = roster.of(Split.TRAIN)
    cells = np.array([(cell.vision_language, cell.action) for cell in plan.cells], np.int64).reshape(-1, 2)
    found = np.stack([roster.vision_language[train], roster.action[train]], axis=1)
    names, cell_of, counts = np.unique(found, axis=0, return_inverse=True, return_counts=True)
    order = np.lexsort((cells[:, 1], cells[:, 0]))
    if not np.array_equal(names, cells[order]) or list(counts) != [plan.cells[i].n_events for i in order]:
        raise ValueError(
            f"{plan.plan_id}: it was made for {len(cells)} cells of {plan.n_events} events, the memberships have "
            f"{len(names)} of {len(train)}; run balance again"
        )
    rows, repeat = np.zeros(plan.n_draws, np.int64), np.zeros(plan.n_draws, np.int64)
    masses = np.array([plan.cells[i].mass for i in order])
    turns = two_stage(names[:, 0], masses, plan.n_draws)
    places = np.split(np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns, minlength=len(names))))
    members = np.split(train[np.argsort(cell_of.reshape(-1), kind="stable")], np.cumsum(counts))
    for place, member in zip(places[:-1], members[:-1], strict=True):
        rows[place], repeat[place] = _take(roster, member, len(place))
    return Epoch(rows, repeat)


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
    epoch = draw_epoch(roster, plan)
    unused = np.setdiff1d(roster.of(Split.TRAIN), epoch.rows)
    yield from _draws("train", roster, plan, epoch, samples_per_shard)
    rest = (
        ("reserve", unused, RESERVE_ORDER),
        ("validation", roster.of(Split.VALIDATION), HELD_OUT_ORDER),
        ("test", roster.of(Split.TEST), HELD_OUT_ORDER),
    )
    for split, rows, counter in rest:
        once = Epoch(_shuffled(roster, rows, counter), np.zeros(len(rows), np.int64))
        yield from _draws(split, roster, plan, once, samples_per_shard)


def _draws(split: str, roster: Roster, plan: SamplingPlan, epoch: Epoch, samples_per_shard: int) -> Iterator[Draw]:
    for t, (row, repeat) in enumerate(zip(epoch.rows.tolist(), epoch.repeat.tolist(), strict=True)):
        yield Draw(
            plan_id=plan.plan_id,
            split=split,
            t=t,
            event_id=roster.event_id[row].decode(),
            episode_id=roster.episode_id[row].decode(),
            vision_language=int(roster.vision_language[row]),
            action=int(roster.action[row]),
            repeat=repeat,
            shard=f"{split}-{t // samples_per_shard:06d}",
            position=t % samples_per_shard,
        )


def run(bundle: Bundle, spec: ScheduleSlice) -> Iterable[object]:
    """All draws of the corpus; lazily, because there may be millions."""
    (plan,) = (plan for batch in bundle.stream(SamplingPlan) for plan in batch)
    return schedule(roster_of(bundle.stream(Membership), spec.seed), plan, spec.samples_per_shard)


def _slice(recipe: Recipe) -> ScheduleSlice:
    return ScheduleSlice(seed=recipe.balance.seed, samples_per_shard=recipe.shard.samples_per_shard)


STAGE = Stage(
    name="schedule",
    version=1,
    scope=Scope.CORPUS,
    reads=(Read(SamplingPlan, "balance"), Read(Membership, "dedup")),
    writes=(Draw,),
    recipe_slice=_slice,
    run=run,
)
