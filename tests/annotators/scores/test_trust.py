"""Errors in time, σ and confidence, on answers whose errors are known."""

import numpy as np
import pytest

from annotators.scores.marks import OURS, Case, Mark
from annotators.scores.trust import confidence_bins, kind_scores, trust
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS

GRASP, LIFT, MOTION = BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.MOTION


def case(true: list[Mark], ours: list[Mark]) -> Case:
    return Case("lab: a", ((0, 1000 * NS_PER_S),), tuple(sorted(true)), {OURS: tuple(sorted(ours))})


def at(seconds: float, kind: BoundaryKind = GRASP, confidence: float = 1.0, sigma_s: float = 0.0) -> Mark:
    return Mark(round(seconds * NS_PER_S), kind, None, confidence, sigma_s)


def test_bias_is_late_when_positive_and_errors_are_of_one_kind() -> None:
    true = [at(1), at(5), at(9, LIFT)]
    (grasp, lift) = kind_scores([case(true, [at(1.1), at(5.3), at(8.9, LIFT)])], OURS, PHYSICAL_KINDS)
    assert (grasp.kind, grasp.true, grasp.predicted) == (GRASP, 2, 2)
    assert grasp.bias_s == pytest.approx(0.2)
    assert grasp.mae_s == pytest.approx(0.2)
    assert grasp.p90_s == pytest.approx(0.28)
    assert lift.bias_s == pytest.approx(-0.1)
    assert grasp.f1 == {"0.1": 0.5, "0.25": 0.5, "0.5": 1.0, "1": 1.0}


def test_a_kind_that_is_never_found_has_no_errors_to_speak_of() -> None:
    (grasp,) = kind_scores([case([at(1)], [])], OURS, PHYSICAL_KINDS)
    assert (grasp.bias_s, grasp.precision["0.25"], grasp.recall["0.25"]) == (None, None, 0.0)


def test_sigma_covers_what_a_normal_error_would() -> None:
    errors = np.random.default_rng(0).normal(0, 0.1, 900)
    true = [at(1 + i) for i in range(900)]
    found = trust([case(true, [at(1 + i + e, sigma_s=0.1) for i, e in enumerate(errors)])], OURS, PHYSICAL_KINDS)
    assert found.pairs == 900
    assert found.within_sigma == pytest.approx(0.68, abs=0.04)
    assert found.within_two_sigma == pytest.approx(0.95, abs=0.02)


def test_confidence_that_comes_true_as_often_as_it_says_has_no_error() -> None:
    true = [at(2 * i) for i in range(1, 101)]
    ours = [at(2 * i + (0 if i % 4 else 0.9), confidence=0.75) for i in range(1, 101)]
    found = trust([case(true, ours)], OURS, PHYSICAL_KINDS)
    assert found.ece == pytest.approx(0.0)
    assert [(b.n, b.hit_share) for b in found.bins] == [(100, 0.75)]


def test_confidence_is_promised_for_kinds_that_the_truth_looked_for() -> None:
    found = trust([case([at(1)], [at(1, confidence=0.9), at(3, MOTION, confidence=0.3)])], OURS, PHYSICAL_KINDS)
    assert found.ece == pytest.approx(0.1)


def test_certainty_falls_into_the_last_bin() -> None:
    (found,) = confidence_bins([1.0, 0.95], [True, False])
    assert (found.low, found.high, found.n, found.hit_share) == (0.9, 1.0, 2, 0.5)
    assert confidence_bins([], []) == ()
