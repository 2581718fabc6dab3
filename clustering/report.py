"""What a plan says about itself: how often events are used, and what every limited group came to."""

from collections.abc import Sequence

import numpy as np

from clustering.instance import Instance
from clustering.programme import Balance, Vector
from clustering.strata import Strata
from schemas.plan import LimitedShare, Uses


def uses(strata: Strata, per_event: Vector, epochs: float) -> tuple[Uses, ...]:
    """Of all events, then of each source where there are several.

    ``per_event`` [S] are the expected uses of an event in an epoch of the corpus's own size, ``epochs`` how many of
    those the epoch is long. Within a cell events take turns, so one is left out only where its uses fall below 1.
    """
    names = np.unique(strata.source).tolist()
    parts = [("", np.ones(len(strata), np.bool_))]
    parts += [(name, strata.source == name) for name in names if len(names) > 1]
    found = []
    total = float(np.sum(strata.units * per_event))
    for name, part in parts:
        n, units, used = strata.n_events[part], strata.units[part], per_event[part] * epochs
        draws = float(n @ used)
        found.append(
            Uses(
                source=name,
                n_events=int(n.sum()),
                natural_share=float(units.sum() / strata.units.sum()),
                share=float(units @ per_event[part]) / total,
                coverage=float(n @ np.minimum(used, 1.0)) / float(n.sum()),
                fewest=float(used.min()),
                most=float(used.max()),
                effective_sample_size=draws**2 / float(n @ used**2) if draws else 0.0,
            )
        )
    return tuple(found)


def limited_shares(instance: Instance, solutions: Sequence[Balance]) -> tuple[LimitedShare, ...]:
    """Every group with limits, its share averaged over the ``solutions`` of an epoch, its multiplier the last one's."""
    found, row, multipliers = [], 1, solutions[-1].multipliers
    mass = np.mean([solution.mass for solution in solutions], axis=0)
    for partition in instance.partitions:
        n, inside = len(partition.names), partition.inside
        before, after = (
            np.bincount(partition.labels[inside], values[inside], n) for values in (instance.problem.natural, mass)
        )
        if partition.relative:
            before, after = before / before.sum(), after / after.sum()
        columns = (partition.names, partition.low, partition.high, before, after, multipliers[row : row + n])
        found += [
            LimitedShare(name, *(float(value) for value in values)) for name, *values in zip(*columns, strict=True)
        ]
        row += n
    return tuple(found)
