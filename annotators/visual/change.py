"""The two-window change score: how much what is seen after a frame differs from what was seen before it."""

import numpy as np

from schemas.array import Bools, Floats


def change_score(rows: Floats, window: int) -> Floats:
    """Distance of the means of up to ``window`` rows before and from each row of one shot, float64 [N].

    Windows are cut short at the shot's ends; the distance is then scaled by what so few rows are worth (the weight
    Ward's method gives them), so that the noise of three rows is no peak. 0 for the first row.
    """
    n = len(rows)
    score = np.zeros(n)
    if n < 2:
        return score
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    at = np.arange(1, n)
    low, high = np.maximum(0, at - window), np.minimum(n, at + window)
    before, after = (at - low)[:, None], (high - at)[:, None]
    apart = (total[high] - total[at]) / after - (total[at] - total[low]) / before
    weight = 2.0 * before * after / (before + after) / window
    score[1:] = np.sqrt(weight[:, 0]) * np.linalg.norm(apart, axis=1)
    return score


def peaks_of(score: Floats, least: float, apart: int) -> list[int]:
    """Local maxima ≥ ``least``, none within ``apart`` rows of a higher one, in order; of a plateau its first row."""
    n = len(score)
    padded = np.concatenate([[-np.inf], score, [-np.inf]])
    top: Bools = (score >= least) & (score > padded[:-2]) & (score >= padded[2:])
    kept: list[int] = []
    taken = np.zeros(n, np.bool_)
    for row in sorted(np.flatnonzero(top).tolist(), key=lambda row: (-float(score[row]), row)):
        if not taken[row]:
            kept.append(row)
            taken[max(0, row - apart + 1) : row + apart] = True
    return sorted(kept)
