"""Limits on the share of groups of cells: clusters with a target, sources with floors and caps, the recovery share.

A `Partition` sorts the cells into disjoint groups and says between what each group's mass must lie. Crossing
partitions (looks, motions, sources, recoveries) are held together by `Polytope`, which knows the sums of a mass over
all groups at once. Cells that no limit tells apart share a *stratum*, so its size follows the limits, not the corpus.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array, eye_array, vstack

Vector = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Partition:
    """Disjoint groups of cells, each with ``low ≤ mass ≤ high``."""

    names: tuple[str, ...]
    """What each group's limits are called in messages, e.g. ``balance.sources.aloha``; one per group."""
    labels: Labels
    """[C] 0 … G−1; −1: the cell is in no group."""
    low: Vector
    high: Vector
    relative: bool = False
    """Limits are shares of the mass in all groups together instead of all mass; then ``low`` equals ``high``."""

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Cells that are in some group."""
        return self.labels >= 0


@dataclass(frozen=True, eq=False)
class Polytope:
    """All limits beside the box as m rows: ``low ≤ mix·(members·π) ≤ high``, the first row being Σ π = 1.

    ``members`` [G, J] says which strata a group holds; ``mix`` [m, G] is the identity but for relative partitions.
    """

    stratum: Labels
    """[C] 0 … J−1."""
    members: Any
    mix: Any
    low: Vector
    high: Vector
    names: tuple[str, ...]
    spare: slice
    """Rows of the largest partition whose groups are limited by themselves: disjoint, so they can be eliminated."""

    @property
    def n_strata(self) -> int:
        return int(self.members.shape[1])

    @property
    def equal(self) -> NDArray[np.bool_]:
        """Rows whose two limits agree."""
        found: NDArray[np.bool_] = self.low == self.high
        return found

    def sums(self, mass: Vector) -> Vector:
        """[m] what the limits are about."""
        return self.of_strata(self.per_stratum(mass))

    def per_stratum(self, values: Vector) -> Vector:
        """[J] the sums of ``values`` [C] over each stratum's cells."""
        return np.bincount(self.stratum, values, self.n_strata).astype(np.float64)

    def of_strata(self, totals: Vector) -> Vector:
        """[m] from the strata's totals [J]."""
        found: Vector = self.mix @ (self.members @ totals)
        return found

    def potential(self, dual: Vector) -> Vector:
        """[J] of ``dual`` [m]: Σ_j dual_j times row j, the exponent by which a projection rescales each stratum."""
        found: Vector = self.members.T @ (self.mix.T @ dual)
        return found

    def curvature(self, weights: Vector) -> Any:
        """Sparse [m, m]: rows · diag(weights [J]) · rowsᵀ."""
        scaled = self.members.multiply(weights[None, :]).tocsr()
        return (self.mix @ (scaled @ self.members.T) @ self.mix.T).tocsr()


def polytope_of(partitions: tuple[Partition, ...], n_cells: int) -> Polytope:
    """The limits of all ``partitions`` and Σ π = 1 over ``n_cells`` cells."""
    labels = np.stack([np.zeros(n_cells, np.int64), *(partition.labels for partition in partitions)], axis=1)
    strata, stratum = np.unique(labels, axis=0, return_inverse=True)
    members: list[Any] = [_indicator(strata[:, 0], 1)]
    mix: list[Any] = [eye_array(1)]
    low, high, names = [np.ones(1)], [np.ones(1)], ["the sum of all shares"]
    spare, n_rows = slice(0, 0), 1
    for column, partition in zip(strata.T[1:], partitions, strict=True):
        n = len(partition.names)
        members.append(_indicator(column, n))
        if partition.relative:
            members.append(_indicator(np.where(column >= 0, 0, -1), 1))
            mix.append(csr_array(np.hstack([np.eye(n), -partition.low[:, None]])))
            low.append(np.zeros(n))
            high.append(np.zeros(n))
        else:
            mix.append(eye_array(n))
            low.append(partition.low)
            high.append(partition.high)
            if n > spare.stop - spare.start:
                spare = slice(n_rows, n_rows + n)
        names.extend(partition.names)
        n_rows += n
    return Polytope(
        stratum=stratum.reshape(-1),
        members=vstack(members, format="csr"),
        mix=block_diag(mix, format="csr"),
        low=np.concatenate(low),
        high=np.concatenate(high),
        names=tuple(names),
        spare=spare,
    )


def _indicator(column: Labels, n_groups: int) -> Any:
    """Sparse [n_groups, J]: 1 where a stratum is in a group."""
    inside = np.flatnonzero(column >= 0)
    return csr_array((np.ones(len(inside)), (column[inside], inside)), shape=(n_groups, len(column)))
