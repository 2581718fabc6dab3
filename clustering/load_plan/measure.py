"""What a plan came to, measured on its draws and packs as they stand in the files, not on how they were made."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.load_plan.order import DrawOrder, Ints
from clustering.load_plan.segment import Standing, Steps
from pipeline.loader.audit_measure import worst_deviation
from pipeline.loader.ranks import imbalance
from schemas.load_plan import WindowKind

PACKS_PER_RANK = 16
"""Packs of a rank in a step at which imbalance is stated (loader.md)."""
STEPS_SAMPLED = 64
"""Steps of a segment whose imbalance is computed, evenly spread."""


@dataclass
class Realised:
    """Worst and total over every segment that was added to it."""

    n_draws: int = 0
    n_packs: int = 0
    n_tokens: int = 0
    room: int = 0
    """Tokens there was room for."""
    kinds: Ints = field(default_factory=lambda: np.zeros(len(WindowKind), np.int64))
    cell_deviation: float = 0.0
    """Largest |count − t·share| of a cell over all prefixes of a chapter's draws."""
    row_deviation: float = 0.0
    """The same of rows: cells of one vision-language cluster together."""
    packed_deviation: float = 0.0
    """`cell_deviation` over prefixes of packs, which is what a trainer consumes."""
    world: int = 0
    """Ranks at which imbalance is stated."""
    imbalances: list[float] = field(default_factory=list)
    """Largest over mean modelled cost of ranks, per sampled step."""

    @property
    def utilisation(self) -> float:
        return self.n_tokens / self.room if self.room else 1.0


def measure(into: Realised, order: DrawOrder, steps: Steps, *, before: Standing, after: Standing, uses: Ints) -> None:
    """Add steps compiled from ``before`` to ``after``; ``uses`` [K]: of cells in the chapter's earlier packs."""
    spec, cell = order.spec, steps.columns["cell"]
    into.n_draws += steps.n_draws
    into.n_packs += steps.n_packs
    into.n_tokens += int(steps.columns["n_tokens"].sum())
    into.room += steps.n_packs * spec.budget
    into.kinds += np.bincount(steps.columns["kind"], minlength=len(WindowKind))
    drawn = _fresh_cells(order, before, steps, after)
    _, row_of = np.unique(order.cells.vision_language, return_inverse=True)
    row_share = np.bincount(row_of, order.cells.mass)
    row_turns = np.bincount(row_of, before.turns).astype(np.int64)
    into.cell_deviation = max(into.cell_deviation, largest_deviation(drawn, order.cells.mass, before.turns))
    into.row_deviation = max(into.row_deviation, largest_deviation(row_of[drawn], row_share, row_turns))
    into.packed_deviation = max(into.packed_deviation, largest_deviation(cell, order.cells.mass, uses))
    into.world = max(2, spec.packs_per_step // PACKS_PER_RANK)
    into.imbalances += step_imbalances(steps, order, into.world)


def _fresh_cells(order: DrawOrder, before: Standing, steps: Steps, after: Standing) -> Ints:
    """Cells of draws ``before.next_draw`` … ``after.next_draw − 1``, in the order of draws."""
    draw = np.concatenate([steps.columns["draw"], after.waiting["draw"]]) - order.first_draw - before.next_draw
    cell = np.concatenate([steps.columns["cell"], after.waiting["cell"]]).astype(np.int64)
    found = np.full(after.next_draw - before.next_draw, -1, np.int64)
    found[draw[draw >= 0]] = cell[draw >= 0]
    if len(found) and found.min() < 0:
        raise AssertionError("a draw is in no pack and does not wait for one")
    return found


def largest_deviation(groups: Ints, shares: NDArray[Any], counts: Ints) -> float:
    """Worst |count − t·share| over all prefixes of ``groups`` [N], which ``counts`` [K] came before."""
    return worst_deviation(groups, shares, counts).value


def step_imbalances(steps: Steps, order: DrawOrder, world: int) -> list[float]:
    """Imbalance among ``world`` ranks of evenly chosen steps."""
    spec = order.spec
    tokens = steps.columns["n_tokens"].astype(np.float64)
    costs = np.add.reduceat(spec.cost_linear * tokens + spec.cost_quadratic * tokens**2, steps.pack_start[:-1])
    by_step = costs.reshape(-1, spec.packs_per_step)
    chosen = np.unique(np.linspace(0, len(by_step) - 1, min(STEPS_SAMPLED, len(by_step))).round().astype(np.int64))
    return [imbalance(by_step[step].tolist(), world) for step in chosen]
