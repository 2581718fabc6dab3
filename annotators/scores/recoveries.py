"""Whether an episode's failures and their repairs are recognised: per kind of recovery, in which episodes it occurs.

What is true follows from the boundaries (events.md X1, X2): a MISS is one, the next grasp of the arm a RETRY; a SLIP is
one; and a grasp of an item that was let go before, in the air or not, without having been put down, is a REGRASP.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from annotators.scores.marks import Case
from schemas.event import BoundaryKind, RecoveryKind
from schemas.truth import TrueMark

RECOVERIES = (RecoveryKind.MISS, RecoveryKind.RETRY, RecoveryKind.SLIP, RecoveryKind.REGRASP)


@dataclass(frozen=True)
class RecoveryScore:
    """In how many episodes one kind is right, claimed, and true."""

    kind: RecoveryKind
    matched: int
    predicted: int
    true: int

    @property
    def precision(self) -> float | None:
        """None where it was never claimed."""
        return self.matched / self.predicted if self.predicted else None

    @property
    def recall(self) -> float | None:
        """None where it never happened."""
        return self.matched / self.true if self.true else None


def recovery_scores(cases: Sequence[Case]) -> tuple[RecoveryScore, ...]:
    """One for each of `RECOVERIES`."""
    return tuple(
        RecoveryScore(
            kind,
            sum(kind in case.recoveries and kind in case.true_recoveries for case in cases),
            sum(kind in case.recoveries for case in cases),
            sum(kind in case.true_recoveries for case in cases),
        )
        for kind in RECOVERIES
    )


def true_recoveries(marks: Iterable[TrueMark]) -> frozenset[RecoveryKind]:
    """Which kinds the boundaries of an episode imply."""
    found: set[RecoveryKind] = set()
    missed, lost, put_down = set(), set(), set()
    for mark in sorted(marks, key=lambda mark: mark.t_ns):
        thing = (mark.arm, mark.item)
        if mark.kind is BoundaryKind.MISS:
            found.add(RecoveryKind.MISS)
            missed.add(mark.arm)
        elif mark.kind is BoundaryKind.GRASP:
            found |= {RecoveryKind.RETRY} if mark.arm in missed else set()
            found |= {RecoveryKind.REGRASP} if thing in lost else set()
            missed.discard(mark.arm)
            lost.discard(thing)
            put_down.discard(thing)
        elif mark.kind is BoundaryKind.SUPPORT:
            put_down.add(thing)
        elif mark.kind is BoundaryKind.SLIP or (mark.kind is BoundaryKind.RELEASE and thing not in put_down):
            found |= {RecoveryKind.SLIP} if mark.kind is BoundaryKind.SLIP else set()
            lost.add(thing)
    return frozenset(found)
