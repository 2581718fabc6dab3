"""Orders against their shares: the plain way to say how far one strays, and shares at random."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def deviation(order: NDArray[Any], shares: NDArray[np.float64]) -> float:
    """Largest |count − t·share| over all prefixes and all groups: every prefix, one after the other."""
    counts, worst = np.zeros(len(shares)), 0.0
    for t, group in enumerate(order.tolist(), 1):
        counts[group] += 1
        worst = max(worst, float(np.abs(counts - t * shares).max()))
    return worst


def random_shares(n_cells: int, concentration: float, heavy: float, seed: int) -> NDArray[np.float64]:
    """Dirichlet shares, of which the first cell takes ``heavy`` before the others."""
    shares = np.random.default_rng(seed).dirichlet(np.full(n_cells, concentration)) + 1e-12
    shares *= (1 - heavy) / shares.sum()
    shares[0] += heavy
    return shares / shares.sum()
