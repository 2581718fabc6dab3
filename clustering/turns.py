"""The order in which cells take turns: chairs are given down a tree of labels, from the widest to the cells.

With levels such as rows → cells, each prefix keeps the widest groups within 1 draw of their target, those below within
2, those below them within 3: a group's turns are divided among its parts by a chairman of their own, who adds less than
1 to what the group itself is off by. When shares change from step to step, a part's deviation grows further by how much
its share *within the group* changes over the steps, summed up: Σ_k |λ_{k+1} − λ_k|.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clustering.chairman import chairman
from clustering.moving_chairman import moving_chairman

Order = NDArray[np.int64]


def turns(levels: Sequence[NDArray[np.int64]], masses: NDArray[np.float64], lengths: NDArray[np.int64]) -> Order:
    """Int64 [T] of cells: ``levels`` are labels [C] from wide to narrow, ``masses`` [S, C] hold for ``lengths`` [S]."""
    n_cells = masses.shape[1]
    order = np.zeros(int(lengths.sum()), np.int64)
    waiting = [(np.arange(len(order)), np.arange(n_cells), lengths, 0)]
    narrowing = [*levels, np.arange(n_cells)]
    while waiting:
        places, cells, own, depth = waiting.pop()
        if len(cells) == 1:
            order[places] = cells[0]
        elif len(places):
            group = np.unique(narrowing[depth][cells], return_inverse=True)[1].reshape(-1)
            shares = np.stack([np.bincount(group, step) for step in masses[:, cells]]).astype(np.float64)
            parts = _divided(places, cells, own, group=group, shares=shares)
            waiting += [(*part, depth + 1) for part in parts]
    return order


def _divided(
    places: Order, cells: Order, lengths: Order, *, group: Order, shares: NDArray[np.float64]
) -> list[tuple[Order, Order, Order]]:
    """The ``places``, ``lengths`` [S] of them in each step, shared out among the groups of the ``cells``."""
    chairs = chairman(shares[0], len(places)) if len(lengths) == 1 else moving_chairman(shares, lengths)
    step_of = np.repeat(np.arange(len(lengths)), lengths)
    turn_ends = np.cumsum(np.bincount(chairs, minlength=shares.shape[1]))
    cell_ends = np.cumsum(np.bincount(group))
    turns_of = np.split(np.argsort(chairs, kind="stable"), turn_ends)[:-1]
    cells_of = np.split(np.argsort(group, kind="stable"), cell_ends)[:-1]
    return [
        (places[mine], cells[member], np.bincount(step_of[mine], minlength=len(lengths)))
        for mine, member in zip(turns_of, cells_of, strict=True)
    ]
