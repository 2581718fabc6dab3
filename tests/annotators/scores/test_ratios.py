"""Every metric of an episode as numerator and denominator, on one episode that can be checked by hand."""

import pytest

from annotators.scores.marks import Case, marks_of
from annotators.scores.ratios import EDIT, GEBD, MERGED, OVER, ratios
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS

GRASP, LIFT, RELEASE = BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.RELEASE
TRUE = tuple(marks_of([(GRASP, 2.0), (LIFT, 3.0), (RELEASE, 8.0)]))
CASE = Case("lab: a", ((0, 10 * NS_PER_S),), TRUE, {})


def test_a_perfect_answer_is_perfect_in_everything() -> None:
    found = ratios(CASE, TRUE, PHYSICAL_KINDS)
    assert {key: top / below for key, (top, below) in found.items() if key != MERGED} == dict.fromkeys(
        (key for key in found if key != MERGED), 1.0
    )
    assert found[MERGED] == (0.0, 4.0)


def test_an_answer_that_can_be_checked_by_hand() -> None:
    """The grasp 0.2 s late, the lift missing, the release called a lift and 0.6 s early."""
    found = ratios(CASE, marks_of([(GRASP, 2.2), (LIFT, 7.4)]), PHYSICAL_KINDS)
    assert found["f1@0.1"] == (0.0, 5.0)
    assert found["f1@0.25"] == found["f1@0.5"] == (2.0, 5.0)
    assert found["f1@1"] == (4.0, 5.0)
    assert found["typed_f1@1"] == (2.0, 5.0)
    assert found["precision@0.25"] == (1.0, 2.0)
    assert found["recall@0.25"] == (1.0, 3.0)
    assert found[GEBD] == (2.0, 5.0)  # 5 % of ten seconds
    # true segments 0–2, 2–3, 3–8, 8–10; proposed 0–2.2, 2.2–7.4, 7.4–10
    assert found["segment_f1@0.75"] == (2.0 * 3, 7.0)  # 2/2.2, 4.4/5.8 and 2/2.6
    assert found[OVER] == (3.0, 4.0)
    assert found[MERGED] == (2.0, 4.0)
    assert found[EDIT] == (pytest.approx(0.75), 1.0)


def test_nothing_to_find_and_nothing_proposed_is_no_evidence_either_way() -> None:
    empty = Case("lab: b", ((0, NS_PER_S),), (), {})
    assert ratios(empty, (), PHYSICAL_KINDS)["f1@0.25"] == (0.0, 0.0)
