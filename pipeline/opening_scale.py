"""From samples of a gripper or hand to the scale that makes it 0 closed … 1 open (events.md K2).

A gripper's opening arrives with its polarity settled by the reader, so its scale is two percentiles. A dexterous
hand is reduced to the first principal component of its finger joints, and which end of that is open must be found
out. Rules, first one that decides:

1. *declared*: ``calibrate.fingers_open`` says whether larger joint values mean a more open hand;
2. *first thing closed, last thing opened*: a hand closes on an object and lets go of it while its arm (nearly)
   rests; it is pre-shaped and relaxed on the way. So finger motion at rest closes in the first half of an episode
   and opens in the second;
3. *open at the start*: the first tenth of an episode counts as open, when four of five episodes start in the same
   outer quarter of the range. (Alone it is wrong for robots that start with a relaxed, half-closed hand.)

Rules 2 and 3 need three episodes. When none decides, or the two contradict each other, the scale is marked
uninformative: a hand read the wrong way round turns every grasp into a release, no hand only leaves cuts out.
docs/calibrate.md has the measurements on real hands.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from schemas.array import Bools, Floats, Ints
from schemas.calibration import OpeningScale
from schemas.episode import Arm
from schemas.recipe import CalibrateSpec

_AT_REST_DECIDES = 0.25
"""Rule 2 needs the closing share of finger motion at rest to lead by this much (-1 … 1)."""
_EARLY_DECIDES, _EARLY_SHARE = 0.25, 0.8
"""Rule 3 needs this share of the episodes to start this far off the middle, in ranges, on the same side."""
_MIN_EPISODES = 3
_USED_RANGE = 0.3
"""A hand is used when its busiest tenth of episodes spans this share of the data set's range."""
_BUSIEST_PERCENTILE = 90.0
_USED_PERCENTILES = (5.0, 95.0)
"""What takes less than a twentieth of an episode, such as a controller settling in, is not use."""
_EVEN_SYNERGY = 0.1
"""Below this sum the joints move against each other, and the strongest one says which way the axis points."""
_AXIS_DECIMALS = 1
"""Axis components are rounded to tenths, then scaled back to unit length: at most 7° for six joints."""
_NOTHING = np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class HandSample:
    """Rows of one episode's hand: ``values`` float64 [n, D] and what rule 2 and 3 need to know about them."""

    values: Floats
    """Opening (D = 1) or finger joints (D = F), source units."""
    velocity: Floats
    """float64 [n, D] per second; zeros for an opening."""
    rest_half: Ints
    """int8 [n]: 0 while the arm moves or is unknown, else 1 in the first and -1 in the second half."""
    early: Bools
    """The first tenth of the episode."""

    def thinned(self) -> "HandSample":
        """Every second row."""
        return HandSample(self.values[::2], self.velocity[::2], self.rest_half[::2], self.early[::2])


def opening_scale(arm: Arm, samples: Sequence[HandSample], spec: CalibrateSpec) -> OpeningScale:
    """The scale of a gripper's opening: rounded percentiles of all rows, or the two values of a switch.

    A switch that is on for less than half a percent of the time would lose that end to a percentile.
    """
    values = np.concatenate([sample.values[:, 0] for sample in samples])
    low, high = (float(v) for v in np.percentile(values, [spec.low_percentile, spec.high_percentile]))
    switch = _is_switch(samples)
    if switch:
        low, high = float(values.min()), float(values.max())
    informative = high - low >= spec.min_opening_range
    span = max(high - low, spec.min_opening_range)
    closed, opened = _rounded(low, span, spec), _rounded(low + span, span, spec)
    return OpeningScale(arm, "opening", closed, opened, informative, _NOTHING, _NOTHING, switch and informative)


def _is_switch(samples: Sequence[HandSample]) -> bool:
    """Whether an opening only ever takes the same two values: a vacuum flag, or on and off."""
    ends = {float(end) for sample in samples for end in (sample.values.min(), sample.values.max())}
    return len(ends) == 2 and all(np.isin(sample.values, list(ends)).all() for sample in samples)


class _Synergy(NamedTuple):
    """The rounded direction in which a hand's joints move together."""

    mean: Floats
    axis: Floats

    def of(self, values: Floats) -> Floats:
        """Projection float64 [n] of joint values [n, F]."""
        projected: Floats = np.sum((values - self.mean) * self.axis, axis=1)
        return projected


def finger_scale(
    arm: Arm, samples: Sequence[HandSample], declared: Literal["larger", "smaller"] | None, spec: CalibrateSpec
) -> OpeningScale:
    """The scale of a dexterous hand: first principal component of its joints, oriented towards open, and percentiles.

    Percentiles are taken of the projection on the *rounded* axis, the one every reader will use.
    """
    values = np.concatenate([sample.values for sample in samples])
    synergy = _synergy(values)
    ends = np.percentile(synergy.of(values), [spec.low_percentile, spec.high_percentile])
    low, high = float(ends[0]), float(ends[1])
    sign = _declared_sign(declared) or _observed_sign(samples, synergy, low, high)
    if sign is not None and sign < 0:
        synergy, low, high = _Synergy(synergy.mean, 0.0 - synergy.axis), -high, -low
    informative = sign is not None and high > low and _is_used(samples, synergy, high - low)
    span = high - low if high > low else 1.0
    closed, opened = _rounded(low, span, spec), _rounded(low + span, span, spec)
    mean, axis = synergy.mean.astype(np.float32), synergy.axis.astype(np.float32)
    return OpeningScale(arm, "fingers", closed, opened, informative, mean, axis)


def _synergy(values: Floats) -> _Synergy:
    """Rounded mean and first principal direction of joint values [n, F], larger values positive.

    The mean only sets the zero of the projection, which the percentiles take out again, so it is rounded to the
    first digit of the joints' spread. A hand that never moves gets the average of its joints.
    """
    width = values.shape[1]
    spread = float(np.max(np.ptp(values, axis=0)))
    if spread <= 0.0:
        return _Synergy(np.round(values[0], 3) + 0.0, np.full(width, 1.0 / np.sqrt(width)))
    mean: Floats = np.mean(values, axis=0)
    centred = values - mean
    covariance = np.einsum("ti,tj->ij", centred, centred, optimize=False) / len(values)
    axis = np.linalg.eigh(covariance)[1][:, -1]
    total = float(np.sum(axis))
    axis = axis * np.sign(total if abs(total) > _EVEN_SYNERGY else axis[np.argmax(np.abs(axis))])
    coarse = np.round(axis, _AXIS_DECIMALS) + 0.0
    unit = coarse / np.sqrt(np.sum(coarse * coarse)) if np.any(coarse) else axis
    coarse_mean: Floats = np.round(mean, -math.floor(math.log10(spread))) + 0.0
    return _Synergy(coarse_mean, unit)


def _declared_sign(declared: Literal["larger", "smaller"] | None) -> int | None:
    return None if declared is None else (1 if declared == "larger" else -1)


def _observed_sign(samples: Sequence[HandSample], synergy: _Synergy, low: float, high: float) -> int | None:
    """1 when the axis points towards open, -1 when towards closed, None when rules 2 and 3 do not say."""
    if high <= low or len(samples) < _MIN_EPISODES:
        return None
    closing = closing_at_rest(samples, synergy.axis)
    at_rest = -int(np.sign(closing)) if abs(closing) >= _AT_REST_DECIDES else 0
    at_start = _side_at_start(samples, synergy, low, high)
    return int(np.sign(at_rest + at_start)) or None


def _side_at_start(samples: Sequence[HandSample], synergy: _Synergy, low: float, high: float) -> int:
    """Rule 3: 1 when episodes start at the high end, -1 at the low end, 0 when they do not agree."""
    starts = [np.median(synergy.of(sample.values[sample.early])) for sample in samples if np.any(sample.early)]
    off_middle = (np.array(starts) - low) / (high - low) - 0.5
    for side in (1, -1):
        if np.count_nonzero(side * off_middle >= _EARLY_DECIDES) >= _EARLY_SHARE * len(samples):
            return side
    return 0


def closing_at_rest(samples: Sequence[HandSample], axis: Floats) -> float:
    """Rule 2's evidence, -1 … 1: the share by which finger motion at rest goes along ``axis`` when it should close."""
    moved = np.concatenate([np.sum(sample.velocity * axis, axis=1) * sample.rest_half for sample in samples])
    total = float(np.sum(np.abs(moved)))
    return float(np.sum(moved)) / total if total > 0.0 else 0.0


def _is_used(samples: Sequence[HandSample], synergy: _Synergy, range_: float) -> bool:
    """Whether the hand opens or closes *within* episodes; drift between episodes and a first-row jump are not use."""
    spans = [np.ptp(np.percentile(synergy.of(sample.values), _USED_PERCENTILES)) for sample in samples]
    return float(np.percentile(spans, _BUSIEST_PERCENTILE)) >= _USED_RANGE * range_


def _rounded(value: float, span: float, spec: CalibrateSpec) -> float:
    """A value rounded to ``significant_digits`` of the *range*: a closed end near 0 needs no digits of its own."""
    return round(value, spec.significant_digits - round(math.log10(span))) + 0.0
