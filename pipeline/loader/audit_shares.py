"""Shares of cells, sources and windows: as promised, and as drawn, by draws, by tokens and by seconds.

Which of the three is balanced is the recipe's choice (`balance.unit`); the others follow from how long events are. So
all are shown, and nobody has to guess.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.loader.audit_measure import Floats, shares_of, total_variation
from pipeline.loader.audit_plan import Subject
from pipeline.loader.audit_report import Part, Share
from pipeline.loader.plan import Arrays
from schemas.load_plan import WindowKind
from schemas.time import NS_PER_S


@dataclass(frozen=True, eq=False)
class _Axis:
    """A way to group draws."""

    name: str
    labels: list[str]
    groups: NDArray[np.int64]
    """Of every draw."""
    n_events: NDArray[np.int64]
    target: Floats | None


def part_of(of: Subject, what: str, columns: Arrays) -> Part:
    """Draws with ``event``, ``cell``, ``kind``, ``n_frames``, ``n_tokens`` and, of what was read, ``substituted``."""
    weights: dict[str, Floats | None] = {"draws": None, "tokens": columns["n_tokens"].astype(np.float64)}
    if of.locations is not None:
        part = columns["n_frames"] / of.n_frames[columns["event"]]
        weights["seconds"] = of.locations.duration_ns[columns["event"]] / NS_PER_S * part
    tv: dict[str, float] = {}
    shares: list[Share] = []
    for axis in _axes(of, columns):
        by = {unit: shares_of(axis.groups, weight, len(axis.labels)) for unit, weight in weights.items()}
        if axis.target is not None:
            tv |= {f"{axis.name} by {unit}": total_variation(found, axis.target) for unit, found in by.items()}
        shares += _shares(axis, by, columns)
    uses = np.bincount(columns["event"], minlength=len(of.cell_of))
    coverage = float(np.count_nonzero(uses) / max(len(uses), 1))
    return Part(of.number, what, len(columns["event"]), tv, tuple(shares), coverage, int(uses.max(initial=0)))


def _axes(of: Subject, columns: Arrays) -> list[_Axis]:
    cells = range(len(of.cells.mass))
    sizes = np.bincount(of.cell_of, minlength=len(cells))
    kinds = [kind.name.lower() for kind in WindowKind]
    none = np.zeros(len(kinds), np.int64)
    axes = [
        _Axis("cell", [of.cell(cell) for cell in cells], columns["cell"], sizes, of.cells.mass),
        _Axis("window", kinds, columns["kind"], none, None),  # events too short for their kind are shown whole
    ]
    if of.catalogue is not None:
        names, source = list(of.catalogue.source_names), of.catalogue.source.astype(np.int64)
        # Events of a cell take turns, so the shares of cells imply those of sources.
        implied = (of.cells.mass / np.maximum(sizes, 1))[of.cell_of]
        target = np.bincount(source, implied, minlength=len(names)).astype(np.float64)
        n_events = np.bincount(source, minlength=len(names))
        axes.append(_Axis("source", names, source[columns["event"]], n_events, target))
    return axes


def _shares(axis: _Axis, by: dict[str, Floats], columns: Arrays) -> list[Share]:
    counts = np.bincount(axis.groups, minlength=len(axis.labels))
    swapped = columns.get("substituted")
    lost = counts * 0 if swapped is None else np.bincount(axis.groups, swapped, minlength=len(axis.labels)).astype(int)
    return [
        Share(
            axis=axis.name,
            label=label,
            n_events=int(axis.n_events[i]),
            target=None if axis.target is None else float(axis.target[i]),
            draws=float(by["draws"][i]),
            tokens=float(by["tokens"][i]),
            seconds=float(by["seconds"][i]) if "seconds" in by else None,
            n_draws=int(counts[i]),
            substituted=int(lost[i]),
        )
        for i, label in enumerate(axis.labels)
    ]
