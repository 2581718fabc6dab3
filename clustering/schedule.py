"""Stage ``schedule``: the order of draws, compiled ahead of time (clustering.md, Schedule; loader.md, Plan semantics).

Cells take turns by Tijdeman's chairman assignment, rows (vision-language clusters) first, so that *every* prefix
follows the plan: rows within 1 draw of their share, cells within 2. Where the recipe limits sources or recoveries,
these come before the rows: a source's events and its recoveries stay within 1 draw each, a row of theirs within 2,
cells within 3. With a curriculum a prefix's target is the sum of the shares of its draws' steps (`clustering.turns`).
Inside a cell the events come in a hashed permutation without replacement; when it is used up the next pass brings
another one. Training events the epoch has no room for go to the ``reserve`` split, so that every event is in some
shard.

After an append the order is extended, not replaced (`clustering.extension`): the stage is given back what it drew last.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import mix
from clustering.extension import Emitted, emitted, missing_shares, places_now, rows_of
from clustering.roster import Roster, roster_of
from clustering.turns import turns
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Membership, Split
from schemas.plan import Cell, Draw, DrawSegment, DrawStep, SamplingPlan
from schemas.recipe import Recipe
from schemas.recipe_balance import BalanceSpec
from schemas.recipe_section import Count, Section, section_digest

Rows = NDArray[np.int64]

HELD_OUT_ORDER, RESERVE_ORDER, FIRST_PASS = 0, 1, 2
"""Counters of the hashed orders: one each outside the epoch, then one per pass inside it."""


class ScheduleSlice(Section):
    """What of the recipe the order depends on. Balance shapes it through the plan, and says when to draw it afresh."""

    seed: int
    samples_per_shard: Count
    on_append: Literal["extend", "rewrite"]
    balance: BalanceSpec


@dataclass(frozen=True, eq=False)
class Epoch:
    """Rows of the roster to draw, int64 [T], how often each had been drawn before, and of which cell it is."""

    rows: Rows
    repeat: Rows
    cells: Rows
    """Their cells in the plan; −1 for an event of none."""


def levels(plan: SamplingPlan) -> list[Rows]:
    """Labels [C] of the groups that take turns: a source's events and recoveries where limited, then rows."""
    parts = sorted({(cell.source, bool(cell.recovery)) for cell in plan.cells})
    place = {part: i for i, part in enumerate(parts)}
    part_of = np.array([place[cell.source, bool(cell.recovery)] for cell in plan.cells], np.int64)
    rows = np.array([cell.vision_language for cell in plan.cells], np.int64)
    return [part_of, rows] if len(parts) > 1 else [rows]


def steps_of(plan: SamplingPlan) -> tuple[DrawStep, ...]:
    """How a plan's own epoch is drawn."""
    if plan.steps:
        return tuple(DrawStep(step.n_draws, step.masses) for step in plan.steps)
    return (DrawStep(plan.n_draws, tuple(cell.mass for cell in plan.cells)),)


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


def members_of(roster: Roster, plan: SamplingPlan, cell_of: Rows) -> list[Rows]:
    """The training rows of every cell. Raises ValueError when the plan's cells are not the roster's."""
    train = roster.of(Split.TRAIN)
    counts = np.bincount(cell_of[train] + 1, minlength=len(plan.cells) + 1)
    if counts[0] or list(counts[1:]) != [cell.n_events for cell in plan.cells]:
        raise ValueError(
            f"{plan.plan_id}: it was made for {len(plan.cells)} cells of {plan.n_events} events, {counts[0]} of the "
            f"{len(train)} in the memberships are in none of them; run balance again"
        )
    return np.split(train[np.argsort(cell_of[train], kind="stable")], np.cumsum(counts[1:]))[:-1]


def draw_epoch(
    roster: Roster, plan: SamplingPlan, members: list[Rows], steps: tuple[DrawStep, ...], uses: Rows
) -> Epoch:
    """Draws by the shares of the ``steps``; ``uses`` says how often each row of the roster was drawn before."""
    lengths = np.array([step.n_draws for step in steps], np.int64)
    rows, repeat = np.zeros(lengths.sum(), np.int64), np.zeros(lengths.sum(), np.int64)
    if len(rows) == 0:
        return Epoch(rows, repeat, rows)
    order = turns(levels(plan), np.array([step.shares for step in steps]), lengths)
    places = np.split(np.argsort(order, kind="stable"), np.cumsum(np.bincount(order, minlength=len(plan.cells))))
    for place, member in zip(places[:-1], members, strict=True):
        rows[place], repeat[place] = _take(roster, member, len(place), uses)
    return Epoch(rows, repeat, order)


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
    rest: tuple[tuple[str, Epoch], ...]
    """Each of the other splits."""


def extension(
    roster: Roster, plan: SamplingPlan, cell_of: Rows, drawn: Emitted, *, rows: Rows, settings: str
) -> Extension:
    """New draws behind those ``drawn`` (``rows`` of the roster), so that old and new together follow the plan."""
    members = members_of(roster, plan, cell_of)
    in_train = drawn.split == b"train"
    uses = np.bincount(rows[in_train], minlength=len(roster))
    known = np.zeros(len(roster), np.bool_)
    known[rows] = True
    train = roster.of(Split.TRAIN)
    steps = steps_of(plan)
    if in_train.any():  # as many as the plan would have for so many events
        n_draws = -(-plan.n_draws * int(np.count_nonzero(~known[train])) // max(1, len(train)))
        counts = np.array([int(uses[member].sum()) for member in members], np.int64)
        masses = np.array([cell.mass for cell in plan.cells])
        steps = (DrawStep(n_draws, tuple(missing_shares(masses, counts, n_draws).tolist())),)
    epoch = draw_epoch(roster, plan, members, steps, uses)
    names = tuple(cell.name for cell in plan.cells)
    segment = DrawSegment(plan.plan_id, settings, int(np.count_nonzero(in_train)), names, steps)
    known[epoch.rows] = True
    sides = (
        ("reserve", train, RESERVE_ORDER),
        ("validation", roster.of(Split.VALIDATION), HELD_OUT_ORDER),
        ("test", roster.of(Split.TEST), HELD_OUT_ORDER),
    )
    rest = ((split, _shuffled(roster, some[~known[some]], counter)) for split, some, counter in sides)
    once = tuple((split, Epoch(some, np.zeros_like(some), cell_of[some])) for split, some in rest)
    return Extension(epoch, segment, once)


def schedule(roster: Roster, plan: SamplingPlan, samples_per_shard: int) -> Iterator[Draw]:
    """Every event of the roster at least once, nothing having been drawn before."""
    nothing = emitted(())
    new = extension(roster, plan, cells_of(roster, plan), nothing, rows=np.zeros(0, np.int64), settings="")
    return new_draws(roster, plan, samples_per_shard, nothing, new)


def new_draws(
    roster: Roster, plan: SamplingPlan, samples_per_shard: int, drawn: Emitted, new: Extension
) -> Iterator[Draw]:
    """The draws of an extension: of the train epoch, then reserve and what is held out, in shard order."""
    for split, epoch in (("train", new.epoch), *new.rest):
        t, shard = drawn.count(split), drawn.next_shard.get(split, 0)
        columns = epoch.rows.tolist(), epoch.repeat.tolist(), epoch.cells.tolist()
        for i, (row, repeat, cell) in enumerate(zip(*columns, strict=True)):
            share = share_of(split, plan.cells[cell] if cell >= 0 else None, plan.n_events)
            yield Draw(
                plan_id=plan.plan_id,
                split=split,
                t=t + i,
                event_id=roster.event_id[row].decode(),
                episode_id=roster.episode_id[row].decode(),
                vision_language=int(roster.vision_language[row]),
                action=int(roster.action[row]),
                repeat=repeat,
                shard=f"{split}-{shard + i // samples_per_shard:06d}",
                position=i % samples_per_shard,
                cell=cell,
                **vars(share),
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
    cell_of = cells_of(roster, plan)
    segments, settings = list(bundle.all(DrawSegment)), settings_of(spec)
    drawn, rows = emitted(()), None
    if spec.on_append == "extend" and {segment.settings for segment in segments} == {settings}:
        drawn = emitted(bundle.stream(Draw))
        rows = rows_of(drawn, roster, cell_of, places_now(drawn, segments, plan))
    if rows is None:
        drawn, rows, segments = emitted(()), np.zeros(0, np.int64), []
    new = extension(roster, plan, cell_of, drawn, rows=rows, settings=settings)
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
    version=3,
    scope=Scope.CORPUS,
    reads=(Read(SamplingPlan, "balance"), Read(Membership, "dedup")),
    writes=(Draw, DrawSegment),
    recipe_slice=_slice,
    run=run,
    keeps=(Draw, DrawSegment),
)
