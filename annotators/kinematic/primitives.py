"""Where one motion ends and another begins when the fingers say nothing (events.md K5, the signal part).

Candidates, never truth: speed dips, sharp turns, starts and ends of rest, and of finger motion. They divide actions
into motion primitives, and they are all there is for an arm without a gripper signal.
"""

from dataclasses import dataclass

import numpy as np

from annotators.kinematic.gripper import pivots
from annotators.kinematic.signals import ArmSignals
from pipeline.mask_runs import runs_of

_DIP_SHARE = 0.25
"""A dip's speed against the lower of its neighbouring peaks (events.md K5)."""
_TURN_DEG = 60.0
_TURN_REACH_S = 0.2
_REST_S = 0.5
_FINGERS_PER_S = 0.5
_FINGER_TRAVEL = 0.2


@dataclass(frozen=True)
class Candidate:
    """A place where a motion might end; ``strength`` 0 … 1 only orders candidates."""

    sample: int
    strength: float
    detector: str


def candidates(signals: ArmSignals) -> list[Candidate]:
    """All candidates of one arm, in time order."""
    found = dips(signals, 0, signals.grid.n) + _turns(signals) + _rests(signals) + _finger_motion(signals)
    return sorted(found, key=lambda candidate: (candidate.sample, -candidate.strength, candidate.detector))


def dips(signals: ArmSignals, start: int, end: int) -> list[Candidate]:
    """Speed minima inside samples ``[start, end)`` that are below a quarter of the peaks on both sides."""
    if signals.speed is None or end - start < 3:
        return []
    speed = np.maximum(signals.speed[start:end], signals.moving_above)
    # a zigzag on the logarithm: a reversal of log 4 is a rise to four times the minimum on both sides
    marks = pivots(np.log(speed), float(np.log(1.0 / _DIP_SHARE)))
    found = []
    for (left, _), (low, is_high), (right, _) in zip(marks, marks[1:], marks[2:], strict=False):
        if is_high:
            continue
        bottom = np.flatnonzero(speed[left:right] <= speed[low])
        peak = min(float(speed[left]), float(speed[right]))
        middle = start + left + int(bottom[len(bottom) // 2])
        found.append(Candidate(middle, 1.0 - float(speed[low]) / peak, "speed_dip"))
    return found


def _turns(signals: ArmSignals) -> list[Candidate]:
    """The sharpest point of every turn of more than 60° within ±0.2 s."""
    reach = signals.grid.samples(_TURN_REACH_S)
    if signals.velocity is None or signals.speed is None or signals.grid.n <= 2 * reach:
        return []
    before, after = signals.velocity[: -2 * reach], signals.velocity[2 * reach :]
    slow, fast = signals.speed[: -2 * reach], signals.speed[2 * reach :]
    moving = (slow > 2 * signals.moving_above) & (fast > 2 * signals.moving_above)
    scale = np.where(moving, slow * fast, 1.0)
    cosine = np.clip(np.sum(before * after, axis=1) / scale, -1.0, 1.0)
    angle = np.where(moving, np.degrees(np.arccos(cosine)), 0.0)
    found = []
    for first, last in runs_of(angle > _TURN_DEG):
        sharpest = first + int(np.argmax(angle[first:last]))
        found.append(Candidate(sharpest + reach, float(angle[sharpest]) / 180.0, "turn"))
    return found


def _rests(signals: ArmSignals) -> list[Candidate]:
    """Starts and ends of rests of half a second or more, not the ends of the track."""
    long = signals.grid.samples(_REST_S)
    rests = [(a, b) for a, b in runs_of(signals.still) if b - a >= long]
    starts = [Candidate(a, 1.0, "rest_start") for a, _ in rests if a > 0]
    return starts + [Candidate(b, 1.0, "rest_end") for _, b in rests if b < signals.grid.n]


def _finger_motion(signals: ArmSignals) -> list[Candidate]:
    """Starts and ends of opening and closing."""
    if signals.opening is None:
        return []
    found = []
    for first, last in runs_of(np.abs(signals.closing) > _FINGERS_PER_S):
        if abs(float(signals.opening[last - 1] - signals.opening[first])) >= _FINGER_TRAVEL:
            found += [Candidate(first, 0.9, "fingers_start"), Candidate(last, 0.9, "fingers_end")]
    return [candidate for candidate in found if 0 < candidate.sample < signals.grid.n]
