"""How alike two clusterings of the same points are, corrected for chance (Hubert & Arabie 1985)."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]


def adjusted_rand(first: Labels, second: Labels) -> float:
    """1 for the same partition under any names, about 0 for two that have nothing to do with each other.

    In whole numbers up to the last division, so the order of points changes no bit. Importing scikit-learn for the same
    number costs 2 s of CPU.
    """
    n = len(first)
    both = _pairs(first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second)
    ours, theirs, all_pairs = _pairs(first), _pairs(second), n * (n - 1) // 2
    apart = all_pairs - ours - theirs + both
    if ours == both and theirs == both:
        return 1.0
    only_ours, only_theirs = ours - both, theirs - both
    return (
        2.0 * (both * apart - only_ours * only_theirs) / (ours * (only_ours + apart) + theirs * (only_theirs + apart))
    )


def _pairs(labels: Labels) -> int:
    """How many pairs of points have the same label."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(np.sum(counts * (counts - 1) // 2))
