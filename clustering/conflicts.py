"""The smallest sets of limits that exclude each other, found by linear programmes over the strata of a `Polytope`.

One programme breaks all limits as little as possible in sum; those that resist are suspects. Then each suspect is left
out in turn and stays out when the others still contradict each other. What remains is minimal: without any one of
them the others agree, and how far that one would have to give way is one more programme.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.sparse import csr_array, eye_array, hstack, vstack

from clustering.limits import Vector
from clustering.programme import Problem

SLACK = 1e-9
"""Limits that are missed by less contradict nothing: the certificate allows as much."""
MOST_CONFLICTS = 5
MOST_STRATA = 20_000
"""Beyond, one more linear programme per suspect takes minutes; the suspects then stand as they are."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Demands:
    """The limits of a problem, and what its strata can have."""

    rows: Any
    """Sparse [m, J], the sum of all first."""
    low: Vector
    high: Vector
    box_low: Vector
    box_high: Vector
    natural: Vector

    @property
    def n_strata(self) -> int:
        return len(self.box_low)


@dataclass(frozen=True, eq=False)
class Conflict:
    """Rows that no mass meets together; ``minimal`` when leaving out any one makes the others possible."""

    rows: Rows
    minimal: bool


@dataclass(frozen=True, eq=False)
class _Optimum:
    value: float
    at: Vector
    prices: Vector
    """Per inequality: by how much the value falls when its bound rises."""


def demands_of(problem: Problem) -> Demands:
    """The problem's limits over its strata."""
    limits = problem.limits
    low, high, natural = (limits.per_stratum(values) for values in (problem.lower, problem.upper, problem.natural))
    return Demands(csr_array(limits.mix @ limits.members), limits.low, limits.high, low, high, natural)


def conflicts(demands: Demands) -> Iterator[Conflict]:
    """Conflicts without a common row, at most `MOST_CONFLICTS`; none when some mass meets all limits."""
    rows = np.arange(1, len(demands.low))
    for _ in range(MOST_CONFLICTS):
        suspects = _suspects(demands, rows)
        if len(suspects) == 0:
            return
        minimal = demands.n_strata <= MOST_STRATA
        if minimal:
            suspects = _minimal(demands, suspects)
        yield Conflict(suspects, minimal)
        rows = np.setdiff1d(rows, suspects)


def reach(demands: Demands, row: int, others: Rows) -> tuple[float, float]:
    """Least and most of one row when the box, the sum and the ``others`` alone limit it."""
    sides, box = _sides(demands, others), (demands.box_low, demands.box_high)
    aim = demands.rows[[row]].toarray()[0]
    least, most = (_minimum(sign * aim, sides, demands.rows[[0]], box) for sign in (1.0, -1.0))
    if least is None or most is None:
        raise ValueError(f"row {row}: the others contradict each other without it")
    return least.value, -most.value


def needed_repeat_cap(demands: Demands, rows: Rows) -> float | None:
    """The smallest R, the same for all cells, with which the rows agree; None when no R will do."""
    sides, bounds = _sides(demands, rows)
    n = demands.n_strata
    use = hstack([eye_array(n), csr_array(-demands.natural[:, None])])
    found = _minimum(
        np.append(np.zeros(n), 1.0),
        (
            vstack([hstack([sides, csr_array((len(bounds), 1))]), use], format="csr"),
            np.concatenate([bounds, np.zeros(n)]),
        ),
        hstack([demands.rows[[0]], csr_array((1, 1))], format="csr"),
        (np.append(demands.box_low, 1.0), np.append(np.ones(n), np.inf)),
    )
    return None if found is None else found.value


def _sides(demands: Demands, rows: Rows) -> tuple[Any, Vector]:
    """The rows' limits as one-sided ones, ``A x ≤ b``: caps first, then floors."""
    chosen = demands.rows[rows]
    return vstack([chosen, -chosen], format="csr"), np.concatenate([demands.high[rows], -demands.low[rows]])


def _suspects(demands: Demands, rows: Rows) -> Rows:
    """Rows whose limits resist when all are broken as little as possible; none when nothing has to be broken."""
    sides, bounds = _sides(demands, rows)
    n, n_sides = demands.n_strata, len(bounds)
    found = _minimum(
        np.concatenate([np.zeros(n), np.ones(n_sides)]),
        (hstack([sides, -eye_array(n_sides)], format="csr"), bounds),
        hstack([demands.rows[[0]], csr_array((1, n_sides))], format="csr"),
        (
            np.concatenate([demands.box_low, np.zeros(n_sides)]),
            np.concatenate([demands.box_high, np.full(n_sides, np.inf)]),
        ),
    )
    if found is None or found.value <= SLACK:
        return rows[:0]
    resisting = found.prices > SLACK
    return rows[resisting[: len(rows)] | resisting[len(rows) :]]


def _minimal(demands: Demands, suspects: Rows) -> Rows:
    """The suspects without those whose absence changes nothing."""
    for row in suspects:
        fewer = suspects[suspects != row]
        if len(fewer) and len(_suspects(demands, fewer)):
            suspects = fewer
    return suspects


def _minimum(cost: Vector, sides: tuple[Any, Vector], total: Any, box: tuple[Vector, Vector]) -> _Optimum | None:
    """min cost·x for A·x ≤ b (the ``sides``), total·x = 1 and x in the box; None when there is no such x."""
    rows, bounds = sides
    linprog: Any = optimize.linprog  # its stubs know no sparse matrices
    found = linprog(
        cost,
        A_ub=rows if len(bounds) else None,
        b_ub=bounds if len(bounds) else None,
        A_eq=total,
        b_eq=[1.0],
        bounds=np.stack(box, axis=1),
        method="highs",
    )
    if found.status != 0:
        return None
    return _Optimum(float(found.fun), np.asarray(found.x), np.abs(np.asarray(found.ineqlin.marginals)))
