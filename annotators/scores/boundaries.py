"""Boundary counts at a tolerance: found, proposed, true; typed (a grasp only by a grasp) and untyped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from annotators.scores.marks import Mark
from annotators.scores.matching import matched_times
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S

TOLERANCES_S = (0.1, 0.25, 0.5, 1.0)
GEBD_SHARE = 0.05
"""Relative distance of GEBD (Shou et al. 2021): a share of the episode's kept duration."""


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
        """1 where there is nothing to find and nothing was proposed."""
        return 2 * self.matched / (self.predicted + self.true) if self.predicted + self.true else 1.0

    @property
    def precision(self) -> float | None:
        """None where nothing was proposed."""
        return self.matched / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """None where there is nothing to find."""
        return self.matched / self.true if self.true else None


def matched_marks(predicted: Sequence[Mark], true: Sequence[Mark], tolerance_ns: int) -> list[tuple[Mark, Mark]]:
    """Pairs (predicted, true) of the best one-to-one matching, whatever their kinds."""
    predicted, true = sorted(predicted), sorted(true)
    pairs = matched_times([mark.t_ns for mark in predicted], [mark.t_ns for mark in true], tolerance_ns)
    return [(predicted[i], true[j]) for i, j in pairs]


def untyped(predicted: Sequence[Mark], true: Sequence[Mark], tolerance_ns: int) -> Tally:
    """Every boundary is a boundary."""
    return Tally(len(matched_marks(predicted, true, tolerance_ns)), len(predicted), len(true))


def typed(
    predicted: Sequence[Mark], true: Sequence[Mark], tolerance_ns: int, kinds: Iterable[BoundaryKind]
) -> dict[BoundaryKind, Tally]:
    """Per kind that the truth looked for; proposals of other kinds can be neither right nor wrong, and do not count."""
    return {kind: untyped(_of(predicted, kind), _of(true, kind), tolerance_ns) for kind in kinds}


def typed_pairs(
    predicted: Sequence[Mark], true: Sequence[Mark], tolerance_ns: int, kinds: Iterable[BoundaryKind]
) -> list[tuple[Mark, Mark]]:
    """Pairs (predicted, true) of the same kind."""
    return [pair for kind in kinds for pair in matched_marks(_of(predicted, kind), _of(true, kind), tolerance_ns)]


def pooled(tallies: Iterable[Tally]) -> Tally:
    """Micro-pooling: counts are added, scores are not averaged."""
    return sum(tallies, Tally())


def tolerance_ns(seconds: float) -> int:
    """A tolerance on the clock."""
    return round(seconds * NS_PER_S)


def _of(marks: Sequence[Mark], kind: BoundaryKind) -> list[Mark]:
    return [mark for mark in marks if mark.kind is kind]
