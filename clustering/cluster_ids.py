"""Ids that outlive a refit: a new cluster keeps the id of the old one it is, and no id ever means two things.

Old and new clusters are paired so that as many events as possible of a common sample keep their id (the Hungarian
method on the contingency table). A pair counts only if it shares at least half of the smaller of the two, else two
strangers that were left over would be called the same. What is new gets an id that the space has never used.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Ids = NDArray[np.int64]
SAME_SHARE = 0.5


def inherited_ids(old: Ids, new: Ids, n_new: int, first_free: int) -> Ids:
    """Ids [n_new] of the new clusters, given for every event of a sample its old cluster's id and its new label."""
    old_ids, old_label = np.unique(old, return_inverse=True)
    table = np.zeros((len(old_ids), n_new), np.int64)
    np.add.at(table, (old_label, new), 1)
    smaller = np.minimum(table.sum(axis=1)[:, None], table.sum(axis=0)[None, :])
    ids = np.full(n_new, -1, np.int64)
    for row, column in zip(*linear_sum_assignment(table, maximize=True), strict=True):
        if table[row, column] > 0 and table[row, column] >= SAME_SHARE * smaller[row, column]:
            ids[column] = old_ids[row]
    return with_fresh_ids(ids, first_free)


def with_fresh_ids(ids: Ids, first_free: int) -> Ids:
    """The ids with every −1 replaced by the next one that was never used."""
    fresh = ids.copy()
    unnamed = np.flatnonzero(fresh < 0)
    fresh[unnamed] = first_free + np.arange(len(unnamed))
    return fresh
