"""The promise of the schedule, checked on what was written: how far any prefix strays from the plan.

|count(t) − t·π| of one cell is largest just before or just after one of its own draws, or at the end, so looking
there is looking everywhere: O(N log N) for all cells together.
"""

from collections.abc import Mapping

import numpy as np

from schemas.array import Floats, Ints

ROW_BOUND, CELL_BOUND = 1.0, 2.0
"""Of the two-stage chairman assignment (clustering.md, Schedule)."""
ROUNDING = 1e-6
"""For t·π in floating point, with t up to 10⁹."""


def largest_deviation(groups: Ints, shares: Floats) -> tuple[float, int, int]:
    """Worst |count − t·share| over all prefixes, the group and the prefix length where it happens.

    ``groups`` int64 [N]: which of the ``shares`` [K] each draw belongs to.
    """
    n, worst = len(groups), (0.0, 0, 0)
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(len(shares) + 1))
    for group, share in enumerate(shares):
        at = order[starts[group] : starts[group + 1]]
        counts = np.arange(len(at))
        prefix = np.concatenate([at, at + 1, [n]])
        deviation = np.abs(np.concatenate([counts, counts + 1, [len(at)]]) - prefix * share)
        i = int(np.argmax(deviation))
        if deviation[i] > worst[0]:
            worst = (float(deviation[i]), group, int(prefix[i]))
    return worst


def prefix_problems(vision_language: Ints, action: Ints, masses: Mapping[tuple[int, int], float]) -> list[str]:
    """Sentences on cells the plan does not know and on prefixes outside the bounds; ids in drawing order, int64 [N]."""
    cells = sorted(masses)
    number = {cell: i for i, cell in enumerate(cells)}
    found = [number.get(cell, -1) for cell in zip(vision_language.tolist(), action.tolist(), strict=True)]
    if -1 in found:
        t = found.index(-1)
        return [f"train draw {t}: cell {vision_language[t]}/{action[t]} is not in the plan"]
    problems = []
    rows = sorted({row for row, _ in cells})
    row_number = {row: i for i, row in enumerate(rows)}
    row_shares = np.zeros(len(rows))
    for cell in cells:
        row_shares[row_number[cell[0]]] += masses[cell]
    for name, bound, groups, shares, labels in (
        ("row", ROW_BOUND, [row_number[row] for row in vision_language.tolist()], row_shares, rows),
        ("cell", CELL_BOUND, found, np.array([masses[cell] for cell in cells]), [f"{v}/{a}" for v, a in cells]),
    ):
        deviation, group, prefix = largest_deviation(np.asarray(groups, np.int64), shares)
        if deviation >= bound + ROUNDING:
            problems.append(
                f"train: after {prefix} draws {name} {labels[group]} is {deviation:.3f} draws off its share, "
                f"expected less than {bound:g}"
            )
    return problems
