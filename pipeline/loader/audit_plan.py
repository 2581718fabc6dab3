"""What one chapter of a plan promises, checked on its arrays: the part of an audit that needs no run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.loader.audit_measure import independence, shares_of, total_variation, worst_deviation
from pipeline.loader.audit_report import Check
from pipeline.loader.catalogue import Catalogue
from pipeline.loader.locations import Locations
from pipeline.loader.plan import COLUMNS, Arrays, LoadPlan, PlanCells
from pipeline.loader.ranks import imbalance
from schemas.load_plan import Chapter

PREFIX_BOUND = {"strict": 1.0, "two_stage": 2.0, "stride": 2.0}
"""How far a cell may be off at any prefix of draws, by `LoadSpec.order`."""
ROUNDING = 1e-6
LEAST_P = 1e-6
"""A plan without shard-order bias fails the chi² once in a million audits."""
_WORLDS = (2, 4, 8, 16, 32, 64)
_STEPS_SAMPLED = 64


@dataclass(frozen=True, eq=False)
class Subject:
    """One chapter, with everything that is known of its events."""

    number: int
    chapter: Chapter
    cells: PlanCells
    columns: Arrays
    """Of all its draws, in the order of packs."""
    cell_of: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    """Per event of the catalogue."""
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    """First frame a window of every event may show and the one after the last: the event's own, or the recording's
    where windows may reach over the edges of events."""
    catalogue: Catalogue | None = None
    locations: Locations | None = None
    """With the shard set it was compiled from."""

    @property
    def bound(self) -> float:
        """How many draws a cell may be off at any prefix of draws."""
        return PREFIX_BOUND[self.chapter.spec.order]

    @property
    def packed_bound(self) -> float:
        """And at any prefix of packs: no draw waits for more than the window."""
        return self.bound + self.chapter.spec.pack_window

    def cell(self, number: int) -> str:
        """A cell's name."""
        cells = self.cells
        name = f"{cells.vision_language[number]}/{cells.action[number]}"
        source, recovery = str(cells.source[number]), int(cells.recovery[number])
        which = {0: " no recovery", 1: " recovery"}.get(recovery, "")
        return name + (f" of {source}" if source else "") + which


def subject_of(plan: LoadPlan, number: int, catalogue: Catalogue | None, locations: Locations | None) -> Subject:
    """Of chapter ``number``; the shard set is left aside when the chapter was compiled from another."""
    chapter = plan.header.chapters[number]
    known = catalogue is not None and catalogue.digest == chapter.catalogue
    events = plan.events(chapter)
    return Subject(
        number=number,
        chapter=chapter,
        cells=plan.cells(chapter),
        columns=_columns(plan, number),
        cell_of=events["cell"].astype(np.int64),
        n_frames=events["n_frames"].astype(np.int64),
        begin=-events["before"] if "before" in events else np.zeros(len(events["cell"]), np.int64),
        end=events["n_frames"].astype(np.int64) + events.get("after", 0),
        catalogue=catalogue if known else None,
        locations=locations if known else None,
    )


def _columns(plan: LoadPlan, chapter: int) -> Arrays:
    segments = [i for i, segment in enumerate(plan.header.segments) if segment.chapter == chapter]
    parts = [plan.segment_arrays(number) for number in segments]
    found: Arrays = {
        name: np.concatenate([part[name].astype(np.int64) for part in parts] or [np.zeros(0, np.int64)])
        for name in COLUMNS
    }
    lengths = [np.diff(part["pack_start"]) for part in parts]
    found["pack_start"] = np.concatenate([[0], *lengths]).cumsum().astype(np.int64)
    return found


def plan_checks(of: Subject) -> Iterator[Check]:
    """Every promise of the chapter."""
    columns, spec = of.columns, of.chapter.spec
    order = np.argsort(columns["draw"], kind="stable")
    draws = columns["draw"][order]
    same = np.flatnonzero(draws[1:] == draws[:-1])
    doubled = f", draw {draws[same[0]]} twice" if len(same) else ", none twice"
    yield Check("every draw once", not len(same), f"{len(draws)} draws{doubled}")
    waiting = int(draws[-1]) - of.chapter.first_draw + 1 - len(draws)
    yield Check(
        "no draw left behind",
        0 <= waiting < spec.pack_window,
        f"{waiting} draws wait for packs to come, expected fewer than pack_window ({spec.pack_window})",
    )
    whole = int(np.argmax(np.concatenate([draws != of.chapter.first_draw + np.arange(len(draws)), [True]])))
    yield from _prefix_checks(of, columns["cell"][order][:whole])
    yield from _window_checks(of)
    yield from _use_checks(of, columns["event"][order][:whole])
    yield _rank_check(of)
    if of.locations is not None:
        yield _layout_check(of.locations.shard[columns["event"]].astype(np.int64), len(of.locations.shards))


def _prefix_checks(of: Subject, drawn: NDArray[np.int64]) -> Iterator[Check]:
    """``drawn`` are the cells of draws 0, 1, … as far as all of them are in packs."""
    worst, mass = worst_deviation(drawn, of.cells.mass), of.cells.mass
    yield Check(
        "cells at every prefix of draws",
        worst.value <= of.bound + ROUNDING,
        f"at worst {worst.value:.4f} draws off (cell {of.cell(worst.group)} after {worst.prefix}), expected at most "
        f"{of.bound:g} ({of.chapter.spec.order})",
    )
    packed = worst_deviation(of.columns["cell"], mass)
    yield Check(
        "cells at every prefix of packs",
        packed.value <= of.packed_bound,
        f"at worst {packed.value:.4f} draws off (cell {of.cell(packed.group)} after {packed.prefix}), expected at most "
        f"{of.packed_bound:g}: {of.bound:g} and the pack_window",
    )
    tv = total_variation(shares_of(drawn, None, len(mass)), mass)
    most = len(mass) * of.bound / (2 * max(len(drawn), 1))
    said = f"{tv:.6f} over {len(mass)} cells, the bound allows {most:.6f}"
    yield Check("total variation", tv <= most + ROUNDING, said)


def _window_checks(of: Subject) -> Iterator[Check]:
    columns, budget = of.columns, of.chapter.spec.budget
    strangers = np.flatnonzero(of.cell_of[columns["event"]] != columns["cell"])
    first = f", first draw {columns['draw'][strangers[0]]}" if len(strangers) else ""
    yield Check(
        "draws are of their cells", not len(strangers), f"{len(strangers)} show an event of another cell{first}"
    )
    event, first_frame = columns["event"], columns["first_frame"].astype(np.int64)
    outside = np.flatnonzero(
        (first_frame < of.begin[event]) | (first_frame + columns["n_frames"] > of.end[event]),
    )
    first = f", first draw {columns['draw'][outside[0]]}" if len(outside) else ""
    yield Check("windows lie inside events", not len(outside), f"{len(outside)} reach past their event's end{first}")
    tokens = np.add.reduceat(columns["n_tokens"], columns["pack_start"][:-1])
    over = np.flatnonzero(tokens > budget)
    first = f", first pack {over[0]} with {tokens[over[0]]}" if len(over) else ""
    fill = tokens.sum() / (len(tokens) * budget)
    yield Check(
        "packs fit", not len(over), f"{len(over)} of {len(tokens)} over {budget} tokens{first}; {fill:.2%} full"
    )


def _use_checks(of: Subject, event: NDArray[np.int64]) -> Iterator[Check]:
    """Events of a cell are drawn equally often, but for one: passes are permutations."""
    n_cells, never = len(of.cells.mass), np.iinfo(np.int64).max
    uses = np.bincount(event, minlength=len(of.cell_of))
    most, least = np.zeros(n_cells, np.int64), np.full(n_cells, never)
    np.maximum.at(most, of.cell_of, uses)
    np.minimum.at(least, of.cell_of, uses)
    uneven = np.flatnonzero((least < never) & (most - np.minimum(least, most) > 1))
    first = f", first {of.cell(int(uneven[0]))}: {least[uneven[0]]} to {most[uneven[0]]}" if len(uneven) else ""
    yield Check("events of a cell take turns", not len(uneven), f"{len(uneven)} of {n_cells} cells uneven{first}")
    drawn, size = np.bincount(of.cell_of[event], minlength=n_cells), np.bincount(of.cell_of, minlength=n_cells)
    missed = np.flatnonzero((size > 0) & (drawn >= size) & (least == 0))
    yield Check(
        "coverage",
        not len(missed),
        f"{np.count_nonzero(uses) / max(len(uses), 1):.2%} of {len(uses)} events drawn, at most {uses.max(initial=0)} "
        f"times; {len(missed)} cells drawn often enough for all their events missed one",
    )


def _rank_check(of: Subject) -> Check:
    """Stated, not bound: it depends on how many ranks share how many packs."""
    spec, columns = of.chapter.spec, of.columns
    tokens, starts = columns["n_tokens"].astype(np.float64), columns["pack_start"][:-1]
    costs = np.add.reduceat(spec.cost_linear * tokens + spec.cost_quadratic * tokens**2, starts)
    steps = costs.reshape(-1, spec.packs_per_step)
    chosen = steps[np.unique(np.linspace(0, len(steps) - 1, min(_STEPS_SAMPLED, len(steps))).astype(np.int64))].tolist()
    said = []
    for world in _WORLDS:
        if 2 * world <= spec.packs_per_step:
            found = [imbalance(step, world) for step in chosen]
            said.append(f"{world} ranks {np.mean(found):.3f}, at worst {max(found):.3f}")
    return Check("modelled cost, largest rank / mean", True, "; ".join(said) or "too few packs a step to share")


def _layout_check(shard: NDArray[np.int64], n_shards: int) -> Check:
    """Whether the shard an event lies in tells when it is drawn."""
    found = independence(shard, n_shards)
    if found is None:
        return Check("no shard-order bias", True, "too few draws per shard for a chi² test")
    return Check(
        "no shard-order bias",
        found.p >= LEAST_P,
        f"chi² of shard against place {found.chi2:.1f}, {found.degrees} degrees of freedom, p = {found.p:.3g}, "
        f"expected at least {LEAST_P:g}",
    )
