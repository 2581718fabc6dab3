"""Each detector of K5 on a motion that only it can see, and how they are united."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.kinematic.primitives import Candidate, candidates
from annotators.kinematic.proposals import MERGE_S, RESISTANCE, VISUAL, WEIGHTS, Proposal, merged, proposals_between
from annotators.kinematic.signals import ArmSignals, arm_signals
from schemas.array import Floats
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track

FPS = 50


def signals_of(position: Floats) -> ArmSignals:
    track = make_track(even_times(len(position), FPS), make_arm(position.astype(np.float32)))
    (signals,) = arm_signals(track, calibration_of(), SegmentSpec())
    return signals


def straight(n: int = 200) -> Floats:
    return np.outer(np.arange(n) / FPS * 0.2, [1.0, 0.0, 0.0])


def proposals(signals: ArmSignals, resisted: Floats | None = None, seen: tuple[Candidate, ...] = ()) -> list[Proposal]:
    return proposals_between(signals, 0, signals.grid.n, primitives=candidates(signals), resisted=resisted, seen=seen)


def when(found: list[Proposal], detector: str) -> list[float]:
    return [proposal.sample / FPS for proposal in found if detector in proposal.detectors]


def test_a_corner_is_a_knot_a_turn_and_a_change_and_weighs_more_than_any_of_them() -> None:
    up = straight()[-1] + np.outer(np.arange(1, 201) / FPS * 0.2, [0.0, 0.0, 1.0])
    found = proposals(signals_of(np.concatenate([straight(), up])))
    assert when(found, "turn") == [pytest.approx(4.0, abs=0.15)]
    assert [t for t in when(found, "awe_knot") if abs(t - 4.0) < 0.3]
    assert [t for t in when(found, "kernel_change") if abs(t - 4.0) < 0.5]
    (corner,) = [proposal for proposal in found if "turn" in proposal.detectors]
    assert len(corner.detectors) > 1
    assert corner.weight > WEIGHTS["turn"] * 0.5


def test_a_change_of_speed_is_a_kernel_change_only() -> None:
    x = np.cumsum(np.r_[np.full(150, 0.3), np.full(150, 0.15)]) / FPS
    found = proposals(signals_of(np.outer(x, [1.0, 0.0, 0.0])))
    assert {detector for proposal in found for detector in proposal.detectors} <= {"kernel_change", "awe_knot"}
    assert [t for t in when(found, "kernel_change") if abs(t - 3.0) < 0.3]


def test_a_step_of_the_resistance_is_seen_where_the_motion_shows_nothing() -> None:
    signals = signals_of(straight())
    resisted = np.where(np.arange(200) < 120, 0.0, 1.0)
    assert when(proposals(signals, resisted), RESISTANCE) == [pytest.approx(2.4, abs=0.11)]
    assert when(proposals(signals), RESISTANCE) == []


def test_pictures_are_heard_too_but_weigh_little() -> None:
    found = proposals(signals_of(straight()), seen=(Candidate(77, 1.0, VISUAL),))
    assert when(found, VISUAL) == [pytest.approx(77 / FPS, abs=MERGE_S)]
    assert WEIGHTS[VISUAL] == min(WEIGHTS.values())


def test_a_stretch_hears_only_what_is_inside_it() -> None:
    signals = signals_of(straight())
    hints = [Candidate(sample, 1.0, VISUAL) for sample in (50, 99, 100, 149, 150)]
    found = proposals_between(signals, 50, 150, primitives=[], resisted=None, seen=hints)
    heard = [proposal.sample for proposal in found if VISUAL in proposal.detectors]
    assert heard == [99]  # 100 is the same moment, the others are edges or outside


CANDIDATES = st.lists(
    st.builds(Candidate, st.integers(1, 198), st.floats(0.0, 1.0), st.sampled_from(sorted(WEIGHTS))), max_size=40
)


@given(CANDIDATES, st.randoms())
def test_proposals_are_apart_complete_and_the_same_in_any_order(found: list[Candidate], random: object) -> None:
    signals = signals_of(straight())
    kept = merged(found, signals)
    gaps = np.diff([proposal.sample for proposal in kept])
    assert np.all(gaps >= round(MERGE_S * FPS))
    assert {c.detector for c in found} == {detector for proposal in kept for detector in proposal.detectors}
    assert all(0.0 <= proposal.weight <= 1.0 for proposal in kept)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merged(shuffled, signals) == kept


def test_agreement_adds_weight_and_repetition_does_not() -> None:
    signals = signals_of(straight())
    one, again = Candidate(50, 1.0, "turn"), Candidate(51, 1.0, "turn")
    other = Candidate(51, 1.0, "awe_knot")
    assert merged([one, again], signals)[0].weight == pytest.approx(0.5)
    assert merged([one, other], signals)[0].weight == pytest.approx(1 - 0.5 * 0.7)
