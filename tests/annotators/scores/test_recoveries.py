"""What went wrong, by episode."""

import pytest

from annotators.scores.marks import Case
from annotators.scores.recoveries import recovery_scores, true_recoveries
from schemas.event import RecoveryKind
from schemas.truth import TrueMark

MISS, RETRY, SLIP, REGRASP = RecoveryKind.MISS, RecoveryKind.RETRY, RecoveryKind.SLIP, RecoveryKind.REGRASP


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("grasp lift support release", set()),
        ("grasp lift support release grasp", set()),
        ("grasp lift release", set()),
        ("grasp release grasp", {REGRASP}),
        ("grasp lift slip grasp lift support release", {SLIP, REGRASP}),
        ("miss", {MISS}),
        ("miss grasp", {MISS, RETRY}),
        ("grasp support release miss grasp", {MISS, RETRY}),
    ],
)
def test_the_boundaries_imply_what_went_wrong(kinds: str, expected: set[RecoveryKind]) -> None:
    marks = [TrueMark.model_validate({"kind": kind, "t_ns": t, "item": "cup"}) for t, kind in enumerate(kinds.split())]
    assert true_recoveries(reversed(marks)) == expected


def test_another_item_is_no_regrasp() -> None:
    rows = [("grasp", "cup"), ("release", "cup"), ("grasp", "pen")]
    marks = [TrueMark.model_validate({"kind": kind, "t_ns": t, "item": item}) for t, (kind, item) in enumerate(rows)]
    assert true_recoveries(marks) == set()


def test_episodes_are_counted_by_kind() -> None:
    def case(ours: set[RecoveryKind], true: set[RecoveryKind]) -> Case:
        return Case("a", (), (), {}, true_recoveries=frozenset(true), recoveries=frozenset(ours))

    scores = recovery_scores([case({SLIP, REGRASP}, {SLIP}), case({SLIP}, set()), case(set(), {SLIP})])
    slip = next(score for score in scores if score.kind is SLIP)
    regrasp = next(score for score in scores if score.kind is REGRASP)
    assert (slip.matched, slip.predicted, slip.true) == (1, 2, 2)
    assert (slip.precision, slip.recall) == (0.5, 0.5)
    assert (regrasp.precision, regrasp.recall) == (0.0, None)
