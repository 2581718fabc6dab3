"""What is scored: boundaries as marks on the clock, one case per episode, whoever proposed them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.episode import Arm
from schemas.event import BoundaryKind, RecoveryKind
from schemas.time import NS_PER_S

OURS = "joinery"
"""The name of the system under test among the baselines."""


@dataclass(frozen=True, order=True, slots=True)
class Mark:
    """One boundary, true or proposed."""

    t_ns: int
    kind: BoundaryKind
    arm: Arm | None = field(default=None, compare=False)
    confidence: float = field(default=1.0, compare=False)
    sigma_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Part:
    """A stretch with a name: a true phase, or an event with its verb."""

    start_ns: int
    end_ns: int
    name: str
    arm: Arm | None = None


@dataclass(frozen=True)
class Person:
    """What another annotator says about the same episode."""

    marks: tuple[Mark, ...]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Case:
    """One episode with one truth and every system's answer, all cut to the ranges that can be cut at all.

    An episode that several people annotated is a case for each of them; they are resampled together.
    """

    name: str
    """``source: locator``; cases of one name are one episode."""
    ranges_ns: tuple[tuple[int, int], ...]
    """Half-open, sorted, disjoint: what the tree covers. Their edges are given to everybody and score nothing."""
    true: tuple[Mark, ...]
    systems: Mapping[str, tuple[Mark, ...]]
    slices: Mapping[str, str] = field(default_factory=dict)
    """How to slice → where this episode belongs, e.g. ``outcome`` → ``failure``."""
    true_parts: tuple[Part, ...] = ()
    parts: tuple[Part, ...] = ()
    """The events of the level under test, with their verbs."""
    violations: int = 0
    left_out: int = 0
    """True boundaries outside the ranges: cleaning trimmed them, nobody can find them."""
    others: tuple[Person, ...] = ()
    """Every other annotator of this episode: how well people find what this one marked."""
    true_recoveries: frozenset[RecoveryKind] = frozenset()
    recoveries: frozenset[RecoveryKind] = frozenset()
    """What went wrong and was repaired, in truth and by the labels of the level under test."""

    @property
    def duration_ns(self) -> int:
        return sum(end - start for start, end in self.ranges_ns)


def inside(marks: Sequence[Mark], ranges_ns: Sequence[tuple[int, int]]) -> tuple[Mark, ...]:
    """The marks strictly inside the ranges, in time order."""
    return tuple(sorted(mark for mark in marks if any(start < mark.t_ns < end for start, end in ranges_ns)))


def marks_of(pairs: Sequence[tuple[BoundaryKind, float]]) -> list[Mark]:
    """Marks of kinds and times in seconds, in time order."""
    return sorted(Mark(round(t * NS_PER_S), kind) for kind, t in pairs)
