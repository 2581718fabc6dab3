"""Stage ``schedule``: the order of draws, compiled ahead of time (clustering.md, Schedule; loader.md, Plan semantics).

Cells take turns by Tijdeman's chairman assignment, rows (vision-language clusters) first, so that *every* prefix
follows the plan: rows within 1 draw of their share, cells within 2. Inside a cell the events come in a hashed
permutation without replacement; when it is used up the next pass brings another one. Training events the epoch
has no room for go to the ``reserve`` split, so that every event is in some shard.

After an append the order is extended, not replaced (`clustering.extension`): the stage is given back what it drew last.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clustering.chairman import two_stage
from clustering.counter_hash import mix
from clustering.extension import Emitted, emitted, missing_shares, rows_of
from clustering.roster import Roster, roster_of
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Membership, Split
from schemas.plan import Cell, Draw, DrawSegment, SamplingPlan
from schemas.recipe import BalanceSpec, Recipe
from schemas.recipe_section import Count, Section, section_digest

Rows = NDArray[np.int64]

HELD_OUT_ORDER, RESERVE_ORDER, FIRST_PASS = 0, 1, 2
"""Counters of the hashed orders: one each outside the epoch, then one per pass inside it."""


class ScheduleSlice(Section):
    """What of the recipe the order depends on; the rest of balance reaches it through the plan."""

    seed: int
    samples_per_shard: Count
    on_append: Literal["extend", "rewrite"]
    balance: BalanceSpec
    """Other wishes make another order, even where the plan's cells are the same."""


@dataclass(frozen=True, eq=False)
class Epoch:
    """Rows of the roster to draw, int64 [T], and how often each had been drawn before."""

    rows: Rows
    repeat: Rows


@dataclass(frozen=True, eq=False)
class Cells:
    """The training cells of a roster, sorted, as the plan has them."""

    names: Rows
    """Int64 [K, 2]: vision-language and action."""
    masses: NDArray[np.float64]
    members: tuple[Rows, ...]
    """Rows of the roster, per cell."""


def cells_of(roster: Roster, plan: SamplingPlan) -> Cells:
    """Raises ValueError when the plan's cells are not the roster's."""
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
    masses = np.array([plan.cells[i].mass for i in order])
    members = np.split(train[np.argsort(cell_of.reshape(-1), kind="stable")], np.cumsum(counts))[:-1]
    return Cells(names, masses, tuple(members))


def draw_epoch(roster: Roster, cells: Cells, shares: NDArray[np.float64], n_draws: int, uses: Rows) -> Epoch:
    """Draws in proportion to ``shares`` [K]; ``uses`` says how often each row of the roster was drawn before."""
    rows, repeat = np.zeros(n_draws, np.int64), np.zeros(n_draws, np.int64)
    turns = two_stage(cells.names[:, 0], shares, n_draws)
    places = np.split(np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns, minlength=len(cells.names))))
    for place, member in zip(places[:-1], cells.members, strict=True):
        rows[place], repeat[place] = _take(roster, member, len(place), uses)
    return Epoch(rows, repeat)


def _take(roster: Roster, member: Rows, n: int, uses: Rows) -> tuple[Rows, Rows]:
    """``n`` draws from one cell's rows: pass after pass, each a permutation of all that were used less often."""
    rows, repeat = [member[:0]], [member[:0]]
    so_far = uses[member]
    while n > 0:
        number = int(so_far.min())
        due = so_far == number
        rows.append(_shuffled(roster, member[due], FIRST_PASS + number)[:n])
        repeat.append(np.full(len(rows[-1]), number, np.int64))
        n -= len(rows[-1])
        so_far[due] += 1
    return np.concatenate(rows), np.concatenate(repeat)


def _shuffled(roster: Roster, rows: Rows, counter: int) -> Rows:
    """The rows in the order of their hashes for this counter; equal hashes keep the order of ids."""
    return rows[np.argsort(mix(roster.key[rows], counter), kind="stable")]


@dataclass(frozen=True, eq=False)
class Extension:
    """What an order goes on with: everything where there was none."""

    epoch: Epoch
    segment: DrawSegment
    rest: tuple[tuple[str, Rows], ...]
    """Rows of the roster for each of the other splits."""


def extension(roster: Roster, plan: SamplingPlan, drawn: Emitted, rows: Rows, settings: str) -> Extension:
    """New draws behind those ``drawn`` (``rows`` of the roster), so that old and new together follow the plan."""
    cells = cells_of(roster, plan)
    in_train = drawn.split == b"train"
    uses = np.bincount(rows[in_train], minlength=len(roster))
    train = roster.of(Split.TRAIN)
    known = np.zeros(len(roster), np.bool_)
    known[rows] = True
    n_draws = plan.n_draws
    if len(rows):  # as many as the plan would have for so many events
        n_draws = -(-plan.n_draws * int(np.count_nonzero(~known[train])) // max(1, len(train)))
    counts = np.array([int(uses[member].sum()) for member in cells.members], np.int64)
    shares = missing_shares(cells.masses, counts, n_draws)
    epoch = draw_epoch(roster, cells, shares, n_draws, uses)
    segment = DrawSegment(
        plan.plan_id, settings, int(np.count_nonzero(in_train)), n_draws, cells.names[:, 0], cells.names[:, 1], shares
    )
    known[epoch.rows] = True
    sides = (
        ("reserve", train, RESERVE_ORDER),
        ("validation", roster.of(Split.VALIDATION), HELD_OUT_ORDER),
        ("test", roster.of(Split.TEST), HELD_OUT_ORDER),
    )
    others = tuple((split, _shuffled(roster, some[~known[some]], counter)) for split, some, counter in sides)
    return Extension(epoch, segment, others)


def schedule(roster: Roster, plan: SamplingPlan, samples_per_shard: int) -> Iterator[Draw]:
    """Every event at least once, nothing having been drawn before."""
    nothing = emitted(())
    new = extension(roster, plan, nothing, np.zeros(0, np.int64), "")
    return new_draws(roster, plan, samples_per_shard, nothing, new)


def new_draws(
    roster: Roster, plan: SamplingPlan, samples_per_shard: int, drawn: Emitted, new: Extension
) -> Iterator[Draw]:
    """The draws of an extension: of the train epoch, then reserve and what is held out, in shard order."""
    cells = {(cell.vision_language, cell.action): cell for cell in plan.cells}
    parts = [("train", new.epoch), *((split, Epoch(rows, np.zeros_like(rows))) for split, rows in new.rest)]
    for split, epoch in parts:
        t, shard = drawn.count(split), drawn.next_shard.get(split, 0)
        for i, (row, repeat) in enumerate(zip(epoch.rows.tolist(), epoch.repeat.tolist(), strict=True)):
            cell = int(roster.vision_language[row]), int(roster.action[row])
            yield Draw(
                plan_id=plan.plan_id,
                split=split,
                t=t + i,
                event_id=roster.event_id[row].decode(),
                episode_id=roster.episode_id[row].decode(),
                vision_language=cell[0],
                action=cell[1],
                repeat=repeat,
                shard=f"{split}-{shard + i // samples_per_shard:06d}",
                position=i % samples_per_shard,
                **vars(share_of(split, cells.get(cell), plan.n_events)),
            )


@dataclass(frozen=True)
class Share:
    """What the plan says about a draw."""

    target_share: float
    weight: float | None
    repeat_cap: float


def share_of(split: str, cell: Cell | None, n_events: int) -> Share:
    """The share of a draw from this cell of a plan for so many events; None for a cell it does not have."""
    if cell is None:
        return Share(0.0, None, 1.0)
    if split != "train":
        return Share(cell.mass, None, 1.0)
    natural = cell.n_events / n_events
    return Share(cell.mass, cell.mass / natural, cell.upper / natural)


def run(bundle: Bundle, spec: ScheduleSlice) -> Iterable[object]:
    """All draws of the corpus, old ones first; lazily, because there may be millions."""
    (plan,) = (plan for batch in bundle.stream(SamplingPlan) for plan in batch)
    roster = roster_of(bundle.stream(Membership), spec.seed)
    segments, settings = list(bundle.all(DrawSegment)), settings_of(spec)
    drawn, rows = emitted(()), None
    if spec.on_append == "extend" and {segment.settings for segment in segments} == {settings}:
        drawn = emitted(bundle.stream(Draw))
        rows = rows_of(drawn, roster)
    if rows is None:
        drawn, rows, segments = emitted(()), np.zeros(0, np.int64), []
    new = extension(roster, plan, drawn, rows, settings)
    if segments:
        yield from (draw for batch in bundle.stream(Draw) for draw in batch)
    yield from new_draws(roster, plan, spec.samples_per_shard, drawn, new)
    yield from segments
    if new.segment.n_draws or not segments:
        yield new.segment


def settings_of(spec: ScheduleSlice) -> str:
    """Digest of all that shapes an order but the events: under another one nothing of it stays."""
    return section_digest(spec.model_copy(update={"on_append": "extend"}))


def _slice(recipe: Recipe) -> ScheduleSlice:
    return ScheduleSlice(
        seed=recipe.balance.seed,
        samples_per_shard=recipe.shard.samples_per_shard,
        on_append=recipe.shard.on_append,
        balance=recipe.balance,
    )


STAGE = Stage(
    name="schedule",
    version=2,
    scope=Scope.CORPUS,
    reads=(Read(SamplingPlan, "balance"), Read(Membership, "dedup")),
    writes=(Draw, DrawSegment),
    recipe_slice=_slice,
    run=run,
    keeps=(Draw, DrawSegment),
)
