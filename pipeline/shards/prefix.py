"""The promise of the schedule, checked on what was written: how far any prefix of a segment strays from its shares.

Turns go down a tree: first the parts by source and recovery, where the segment has several, then a part's rows
(vision-language clusters), then cells. A group of it is off by less than 1 from what its parent's draws give it, so by
less than 1 + B·(1 + M) from its own target: B is its parent's bound, M by how much its share of the parent changes over
the steps of a curriculum, summed up; 0 where there is none. That is 1, 2 and, with parts, 3 draws.

A target only rises, so |count(t) − target(t)| of one group is largest just before or just after one of its own draws,
or at the end; looking there is looking everywhere: O(N log N) for all groups together.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from schemas.array import Floats, Ints
from schemas.plan import CellName, DrawStep

ROUNDING = 1e-6
"""For t·π in floating point, with t up to 10⁹."""


def largest_deviations(groups: Ints, shares: Floats, lengths: Ints) -> tuple[Floats, Ints]:
    """Per group the worst |count − target| over all prefixes, [K], and the length of the prefix where it happens.

    ``groups`` int64 [N]: which group each draw belongs to; ``shares`` [S, K] hold for ``lengths`` [S] draws.
    """
    n, n_groups = len(groups), shares.shape[1]
    worst, where = np.zeros(n_groups), np.zeros(n_groups, np.int64)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    targets = np.concatenate([np.zeros((1, n_groups)), np.cumsum(shares * lengths[:, None], axis=0)])
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(n_groups + 1))
    for group in range(n_groups):
        at = order[starts[group] : starts[group + 1]]
        counts = np.arange(len(at))
        prefix = np.concatenate([at, at + 1, [n]])
        target = np.interp(prefix, ends, targets[:, group])
        deviation = np.abs(np.concatenate([counts, counts + 1, [len(at)]]) - target)
        i = int(np.argmax(deviation))
        worst[group], where[group] = deviation[i], prefix[i]
    return worst, where


def prefix_problems(found: Sequence[CellName], cells: Sequence[CellName], steps: Sequence[DrawStep]) -> list[str]:
    """Sentences on cells a segment does not know and on prefixes outside the bounds; ``found`` in drawing order."""
    number = {cell: i for i, cell in enumerate(cells)}
    drawn = [number.get(cell, -1) for cell in found]
    if -1 in drawn:
        t = drawn.index(-1)
        return [f"train draw {t}: cell {_named(found[t])} is not in the plan"]
    lengths = np.array([step.n_draws for step in steps], np.int64)
    if lengths.sum() != len(drawn) or any(len(step.shares) != len(cells) for step in steps):
        return [f"train: its steps have {lengths.sum()} draws, found {len(drawn)}, or not one share for every cell"]
    if not drawn:
        return []
    return list(_deviating(np.array(drawn, np.int64), cells, np.array([step.shares for step in steps]), lengths))


def _deviating(drawn: Ints, cells: Sequence[CellName], masses: Floats, lengths: Ints) -> Iterator[str]:
    """The worst group of every level that is outside its bound."""
    parent = np.zeros(len(cells), np.int64)
    bounds, shares = np.zeros(1), masses.sum(axis=1, keepdims=True)
    for level, names in _levels(cells):
        labels = {name: i for i, name in enumerate(sorted(set(names)))}
        group = np.array([labels[name] for name in names], np.int64)
        above = np.zeros(len(labels), np.int64)
        above[group] = parent
        own: Floats = np.stack([np.bincount(group, step, len(labels)) for step in masses]).astype(np.float64)
        within = np.divide(own, shares[:, above], out=np.zeros_like(own), where=shares[:, above] > 0)
        moved = np.abs(np.diff(within[lengths > 0], axis=0)).sum(axis=0)
        bounds = 1.0 + bounds[above] * (1.0 + moved)
        worst, where = largest_deviations(group[drawn], own, lengths)
        i = int(np.argmax(worst - bounds))
        if worst[i] >= bounds[i] + ROUNDING:
            yield (
                f"train: after {where[i]} draws {level} {'/'.join(map(str, list(labels)[i]))} is {worst[i]:.3f} draws "
                f"off its share, expected less than {bounds[i]:g}"
            )
        parent, shares = group, own


def _levels(cells: Sequence[CellName]) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """From wide to narrow: what a level is called, and the group of each cell in it."""
    parts = [_part(cell) for cell in cells]
    if len(set(parts)) > 1:
        yield "part", list(parts)
    yield "row", [(cell.vision_language, *part) for cell, part in zip(cells, parts, strict=True)]
    yield "cell", [(cell.vision_language, cell.action, *part) for cell, part in zip(cells, parts, strict=True)]


def _part(cell: CellName) -> tuple[object, ...]:
    """Source and recovery, where the plan tells them apart."""
    recovery = () if cell.recovery is None else ("recovery" if cell.recovery else "no recovery",)
    return (*((cell.source,) if cell.source else ()), *recovery)


def _named(cell: CellName) -> str:
    return "/".join(map(str, (cell.vision_language, cell.action, *_part(cell))))
