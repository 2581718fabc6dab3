"""Orders of draws that need no package: independent ones, and strides with random phases."""

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]
Shares = NDArray[np.float64]
LIGHT = 0.6
"""Standard deviation of log shares: at K = 1000 the lightest cell gets a dozen of 100,000 draws."""


def made_up_shares(k: int) -> Shares:
    """Log-normal shares."""
    weights = np.random.default_rng(k).lognormal(0.0, LIGHT, k)
    return weights / weights.sum()


def independent(shares: Shares, n_draws: int) -> Order:
    """Every draw at random, whatever came before: what most mixers do."""
    return np.random.default_rng(1).choice(len(shares), n_draws, p=shares)


def random_phase(shares: Shares, n_draws: int) -> Order:
    """Turn x of cell i at time (x + u_i)/λ_i with u_i uniform: loader.md's first proposal for `stride`."""
    phases = np.random.default_rng(2).random(len(shares))
    n_turns = np.ceil(shares * n_draws + 2).astype(np.int64)
    cell = np.repeat(np.arange(len(shares)), n_turns)
    turn = np.arange(len(cell)) - np.repeat(np.cumsum(n_turns) - n_turns, n_turns)
    times = (turn + phases[cell]) / shares[cell]
    return cell[np.argsort(times, kind="stable")][:n_draws]
