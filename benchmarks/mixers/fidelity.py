"""How far an order of draws strays from the shares it was asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Fidelity:
    """Of one order of draws."""

    discrepancy: float
    """max over prefixes t and cells i of |count_i(t) − t·λ_i|."""
    total_variation: float
    """½ Σ |count_i/T − λ_i| at the end."""
    worst_relative: float
    """max_i |count_i/(T·λ_i) − 1| at the end."""


def fidelity(order: NDArray[np.integer], shares: NDArray[np.floating]) -> Fidelity:
    """Of ``order`` [T] of cells 0 … K − 1 against ``shares`` [K] > 0, which are normalised first."""
    shares = np.asarray(shares, np.float64) / np.sum(shares)
    counts = np.bincount(order, minlength=len(shares))
    off = counts - len(order) * shares
    return Fidelity(
        discrepancy=_discrepancy(np.asarray(order), shares, counts),
        total_variation=float(np.abs(off).sum() / 2 / len(order)),
        worst_relative=float(np.max(np.abs(off) / (len(order) * shares))),
    )


def _discrepancy(order: NDArray[np.integer], shares: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    """A cell falls behind until just before its next turn and is furthest ahead just after it; the end counts too."""
    by_cell = np.argsort(order, kind="stable")
    cell, turn = order[by_cell], by_cell + 1.0
    number = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    ahead = (number + 1) - turn * shares[cell]
    behind = (turn - 1) * shares[cell] - number
    end = len(order) * shares - counts
    return float(max(ahead.max(), behind.max(), end.max()))
