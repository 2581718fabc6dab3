"""A lag curve is read by lag, and survives the store."""

import numpy as np
import pytest

from schemas.arrow import from_row, to_row
from schemas.sync import Evidence, LagCurve, LagEstimate, LagPeak, SourceClock, SourceLag

PEAK = LagPeak(lag_ns=20, correlation=0.5, margin=0.1, inside=True)
CURVE = LagCurve(
    episode_id="ep",
    source="lab",
    evidence=Evidence.JOINTS,
    step_ns=20,
    correlation=np.array([0.1, 0.2, 0.3, 0.5, 0.4], np.float32),
    doubt=np.zeros(5, np.float32),
    estimate=LagEstimate(20, 0.5, 0.1, True, 7),
    halves=(PEAK, PEAK),
)


@pytest.mark.parametrize(("lag_ns", "at"), [(0, 2), (20, 3), (-40, 0), (29, 3), (31, 4), (-1_000, 0), (1_000, 4)])
def test_a_lag_is_found_at_the_nearest_sample_and_beyond_the_curve_at_its_end(lag_ns, at):
    assert CURVE.at(lag_ns) == at


def test_both_records_survive_the_store():
    back = from_row(LagCurve, to_row(CURVE))
    assert (back.evidence, back.estimate, back.halves) == (CURVE.evidence, CURVE.estimate, CURVE.halves)
    assert np.array_equal(back.correlation, CURVE.correlation)
    lag = SourceLag("lab/arm", Evidence.POSITIONS, SourceClock.CONSTANT, -50, 5, 10, 0.8, 4)
    assert from_row(SourceLag, to_row(lag)) == lag
