"""How often each cell was drawn, and how far that is from the plan; memory grows with cells, not events."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from schemas.plan import CellName, SamplingPlan
from schemas.shard import ShardEntry

CellKey = tuple[int, int]


@dataclass
class SplitFacts:
    """One split as written."""

    n_samples: int = 0
    cells: Counter[CellKey] = field(default_factory=Counter)
    parts: Counter[CellName] = field(default_factory=Counter)
    """Cells told apart by source and recovery."""


def split_facts(batches: Iterable[list[ShardEntry]]) -> dict[str, SplitFacts]:
    """Per split, sorted by name."""
    found: dict[str, SplitFacts] = {}
    for batch in batches:
        for entry in batch:
            split = found.setdefault(entry.split, SplitFacts())
            split.n_samples += 1
            split.cells[entry.vision_language, entry.action] += 1
            split.parts[CellName(entry.vision_language, entry.action, entry.source, entry.recovery)] += 1
    return dict(sorted(found.items()))


def realised_shares(plan: SamplingPlan, split: SplitFacts) -> Callable[[ShardEntry], float]:
    """An entry's share of the split as written: of its cell, told apart by source and recovery where the plan does."""
    by_source = any(cell.source for cell in plan.cells)
    by_recovery = any(cell.recovery is not None for cell in plan.cells)

    def cell_of(of: CellName | ShardEntry) -> CellName:
        source, recovery = of.source if by_source else "", of.recovery if by_recovery else None
        return CellName(of.vision_language, of.action, source, recovery)

    drawn: Counter[CellName] = Counter()
    for part, n in split.parts.items():
        drawn[cell_of(part)] += n
    return lambda entry: drawn[cell_of(entry)] / split.n_samples


def deviations(plan: SamplingPlan, drawn: Mapping[CellKey, int]) -> tuple[float, float]:
    """Largest |drawn − planned| at the end of the train split: over vision-language rows, over (look, motion) cells.

    ``drawn`` are the draws of each cell in that split.
    """
    n_samples = sum(drawn.values())
    cells: dict[CellKey, float] = {}
    for cell in plan.cells:  # a source's and the recoveries' parts of a cell count together
        key = cell.vision_language, cell.action
        cells[key] = cells.get(key, 0.0) + cell.mass
    off = {key: drawn.get(key, 0) - n_samples * mass for key, mass in cells.items()} if n_samples else {}
    rows: dict[int, float] = {}
    for (row, _), deviation in off.items():
        rows[row] = rows.get(row, 0.0) + deviation
    return max(map(abs, rows.values()), default=0.0), max(map(abs, off.values()), default=0.0)
