"""What the recipe's balance section asks of one corpus, as a `Problem`: cells, bounds, limits on groups, objective."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.errors import BalanceError
from clustering.limits import Partition, polytope_of
from clustering.programme import Labels, Problem, Vector, entropy
from clustering.strata import Strata, merged
from schemas.cluster import NULL_CLUSTER
from schemas.recipe_balance import (
    BalanceSpec,
    Entropy,
    Marginals,
    NaturalTarget,
    Power,
    PowerTarget,
    SharesTarget,
    Target,
    UniformTarget,
)

VISION_LANGUAGE, ACTION, SOURCES, RECOVERY = (
    "balance.targets.vision_language",
    "balance.targets.action",
    "balance.sources",
    "balance.recovery",
)
"""The recipe's keys of the partitions."""


@dataclass(frozen=True, eq=False)
class Instance:
    """The cells of a corpus and the programme over those of them that may have any mass."""

    cells: Strata
    cell_of: Labels
    """[S] the cell of each stratum that was counted."""
    allowed: Labels
    """Rows of ``cells`` that are the problem's; the limits leave the others nothing."""
    partitions: tuple[Partition, ...]
    """Over the problem's cells."""
    problem: Problem
    v_names: Labels
    """The clusters behind the problem's bins."""
    a_names: Labels

    def spread_out(self, values: Vector) -> Vector:
        """Values of the problem's cells as values of all cells, 0 where nothing may be drawn."""
        everywhere = np.zeros(len(self.cells))
        everywhere[self.allowed] = values
        return everywhere


def instance_of(strata: Strata, spec: BalanceSpec) -> Instance:
    """The programme for these kinds of events.

    Raises BalanceError for targets and limits that name clusters or sources which do not occur.
    """
    cells, cell_of = merged(strata, by_source=bool(spec.sources), by_recovery=spec.recovery is not None)
    partitions = _partitions(cells, spec)
    allowed = np.flatnonzero(~_excluded(partitions, len(cells), spec))
    if len(allowed) == 0:
        raise BalanceError("balance: its caps and targets leave every cell without any share; raise one")
    kept = tuple(
        Partition(p.names, p.labels[allowed], p.low, p.high, p.relative) for p in partitions
    )  # rows of empty groups stay: what they ask for is then missed, and said
    natural, v, a = cells.natural[allowed], cells.vision_language[allowed], cells.action[allowed]
    v_names, v_bins = np.unique(v, return_inverse=True)
    a_names = np.unique(a[a != NULL_CLUSTER])
    a_bins = np.where(a == NULL_CLUSTER, -1, np.searchsorted(a_names, a)).astype(np.int64)
    alpha, beta, gamma, tau = _weights(spec)
    problem = Problem(
        natural=natural,
        n_events=cells.n_events[allowed].astype(np.float64),
        v_bins=v_bins.reshape(-1).astype(np.int64),
        a_bins=a_bins,
        n_v=len(v_names),
        n_a=len(a_names),
        lower=np.minimum(spec.floor * natural, natural),
        upper=np.minimum(np.maximum(_repeat_caps(cells, spec)[allowed] * natural, natural), 1.0),
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        log_reference=tau * np.log(natural),
        bias=_bias(kept, a_bins, spec),
        limits=polytope_of(kept, len(allowed)),
    )
    return Instance(cells, cell_of, allowed, kept, problem, v_names, a_names)


def _weights(spec: BalanceSpec) -> tuple[float, float, float, float]:
    """α, β, γ and the reference's exponent."""
    match spec.method:
        case Power(exponent=exponent):
            return 0.0, 0.0, 1.0, exponent
        case Marginals(temperature=temperature):
            return 0.0, 0.0, 1.0, temperature
        case Entropy(temperature=temperature):
            alpha = 0.0 if spec.targets.vision_language is not None else spec.alpha
            beta = 0.0 if spec.targets.action is not None else spec.beta
            return alpha, beta, spec.gamma, temperature


def _bias(partitions: tuple[Partition, ...], a_bins: Labels, spec: BalanceSpec) -> Vector:
    """What is left of β·H_A once a target fixes the action clusters' shares: m·H(target) + (1 − m)·log K_A."""
    target = next((p for p in partitions if p.relative), None)
    if target is None or not isinstance(spec.method, Entropy):
        return np.zeros(len(a_bins))
    evenness = entropy(target.low)
    return spec.beta * np.where(a_bins >= 0, evenness, math.log(max(len(target.low), 1)))


def _repeat_caps(cells: Strata, spec: BalanceSpec) -> Vector:
    """[C] R of each cell: the recipe's, or its source's where that is less."""
    caps = np.full(len(cells), spec.repeat_cap)
    for name, limits in spec.sources.items():
        if limits.repeat_cap is not None:
            caps[cells.source == name] = min(spec.repeat_cap, limits.repeat_cap)
    return caps


# -- groups with limits ----------------------------------------------------------------------------------------


def _partitions(cells: Strata, spec: BalanceSpec) -> tuple[Partition, ...]:
    found = []
    if spec.targets.vision_language is not None:
        found.append(_target(VISION_LANGUAGE, cells.vision_language, cells, spec.targets.vision_language))
    if spec.targets.action is not None and np.any(cells.action != NULL_CLUSTER):
        found.append(_target(ACTION, cells.action, cells, spec.targets.action))
    if spec.sources:
        found.append(_of_sources(cells, spec))
    if spec.recovery is not None:
        found.append(
            Partition(
                (RECOVERY,),
                np.where(cells.recovery, 0, -1).astype(np.int64),
                np.array([spec.recovery.floor]),
                np.array([spec.recovery.cap]),
            )
        )
    return tuple(found)


def _of_sources(cells: Strata, spec: BalanceSpec) -> Partition:
    names = sorted(spec.sources)
    place = {name: i for i, name in enumerate(names)}
    return Partition(
        tuple(f"{SOURCES}.{name}" for name in names),
        np.array([place.get(str(source), -1) for source in cells.source], np.int64),
        np.array([spec.sources[name].floor for name in names]),
        np.array([spec.sources[name].cap for name in names]),
    )


def _target(key: str, clusters: Labels, cells: Strata, target: Target) -> Partition:
    """One group per cluster of an axis, its limits both the target's share."""
    known = clusters != NULL_CLUSTER
    names = np.unique(clusters[known])
    labels = np.where(known, np.searchsorted(names, clusters), -1).astype(np.int64)
    natural = np.bincount(labels[known], cells.units[known], len(names)) / cells.units[known].sum()
    shares = _shares(key, names, natural, target)
    return Partition(tuple(f"{key}, cluster {name}" for name in names), labels, shares, shares, relative=key == ACTION)


def _shares(key: str, names: Labels, natural: Vector, target: Target) -> Vector:
    match target:
        case UniformTarget():
            return np.full(len(names), 1.0 / len(names))
        case NaturalTarget():
            return natural
        case PowerTarget(exponent=exponent):
            powers: Vector = natural**exponent
            shares: Vector = powers / powers.sum()
            return shares
        case SharesTarget():
            return _explicit(key, names, natural, target.shares)


def _explicit(key: str, names: Labels, natural: Vector, asked: dict[int, float]) -> Vector:
    strange = sorted(set(asked) - set(names.tolist()))
    if strange:
        raise BalanceError(
            f"{key}.shares names clusters {strange[:8]}, but training events are in clusters {names.tolist()[:8]}"
            f"{' …' if len(names) > 8 else ''}; remove them"
        )
    shares = np.array([asked.get(int(name), 0.0) for name in names])
    rest = np.array([int(name) not in asked for name in names])
    left = max(1.0 - float(shares.sum()), 0.0)
    if rest.any():
        shares[rest] = left * natural[rest] / natural[rest].sum()
    elif left > 1e-9:
        raise BalanceError(f"{key}.shares names every cluster and adds up to {1 - left:g}, expected 1")
    normalised: Vector = shares / shares.sum()
    return normalised


def _excluded(partitions: tuple[Partition, ...], n_cells: int, spec: BalanceSpec) -> NDArray[np.bool_]:
    """[C] cells in a group that may have nothing, if cells may: logarithms need a positive mass.

    Where balance.floor asks for some use of every event they stay, and the contradiction is said.
    """
    excluded = np.zeros(n_cells, np.bool_)
    if spec.floor > 0:
        return excluded
    for partition in partitions:
        nothing = partition.high <= 0.0
        excluded |= np.append(nothing, False)[partition.labels]
    return excluded
