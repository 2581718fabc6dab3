"""Boundary scores as events.md defines them: optimal one-to-one matching within ±τ, micro-pooled."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.event import BoundaryKind

Marks = Sequence[tuple[BoundaryKind, float]]


@dataclass(frozen=True)
class Tally:
    """Matched, predicted and true boundaries."""

    matched: int = 0
    predicted: int = 0
    true: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.matched + other.matched, self.predicted + other.predicted, self.true + other.true)

    @property
    def f1(self) -> float:
        return 2 * self.matched / (self.predicted + self.true) if self.predicted + self.true else 1.0


def matches(predicted: Sequence[float], true: Sequence[float], tolerance_s: float) -> list[tuple[float, float]]:
    """The largest one-to-one matching of times within a tolerance; greedy in time order is optimal on a line."""
    found, left, right = [], sorted(predicted), sorted(true)
    while left and right:
        if abs(left[0] - right[0]) <= tolerance_s + 1e-9:
            found.append((left.pop(0), right.pop(0)))
        elif left[0] < right[0]:
            left.pop(0)
        else:
            right.pop(0)
    return found


def typed(predicted: Marks, true: Marks, tolerance_s: float, kinds: Sequence[BoundaryKind]) -> Tally:
    """Boundaries match only those of their own kind."""
    total = Tally()
    for kind in kinds:
        p = [t for k, t in predicted if k is kind]
        q = [t for k, t in true if k is kind]
        total += Tally(len(matches(p, q, tolerance_s)), len(p), len(q))
    return total


def untyped(predicted: Sequence[float], true: Sequence[float], tolerance_s: float) -> Tally:
    return Tally(len(matches(predicted, true, tolerance_s)), len(predicted), len(true))
