"""Who takes which packs of a step: the longest first to whoever has least to do (LPT; Graham 1969).

Steps wait for their slowest rank, and packs of equal token counts do not cost the same: attention is quadratic in each
window's length. Computed when a step is read, from the step alone, so any number of ranks sees the same packs.
"""

import heapq
from collections.abc import Sequence

from schemas.load_plan import PlannedPack
from schemas.recipe_load import LoadSpec


def cost(pack: PlannedPack, spec: LoadSpec) -> float:
    """Modelled cost a·L + b·ΣL² of a pack of windows with these many tokens."""
    squares = sum(draw.n_tokens**2 for draw in pack.draws)
    return spec.cost_linear * pack.n_tokens + spec.cost_quadratic * squares


def assign(costs: Sequence[float], world: int) -> list[list[int]]:
    """Slots of every rank, ascending; equal costs go by slot, equal loads by rank. Raises ValueError for no ranks."""
    if world < 1:
        raise ValueError(f"world: found {world}, expected at least 1 rank")
    loads = [(0.0, rank) for rank in range(world)]
    slots: list[list[int]] = [[] for _ in range(world)]
    for slot in sorted(range(len(costs)), key=lambda slot: (-costs[slot], slot)):
        load, rank = loads[0]
        heapq.heapreplace(loads, (load + costs[slot], rank))
        slots[rank].append(slot)
    return [sorted(taken) for taken in slots]


def imbalance(costs: Sequence[float], world: int) -> float:
    """Largest over mean modelled cost of the ranks of a step; 1 is perfect."""
    loads = [sum(costs[slot] for slot in slots) for slots in assign(costs, world)]
    return max(loads) * world / sum(loads)
