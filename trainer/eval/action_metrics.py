"""How well actions were foretold: where the event ends, and how smoothly one gets there.

The end is what an event is about: the last trusted row's position error in metres, turn in degrees and opening, mean
over the arms the embodiment has. Smoothness is the energy of third differences of the positions (jerk) over the true
trajectory's: 1 is as smooth as the person or controller was, more is trembling, 0 is a straight glide or no movement.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Bools, Floats
from schemas.pose import matrix_of, orthonormalise

_ARMS = (0, 10)
_HALF_TURN = 180.0


@dataclass(frozen=True)
class ActionScore:
    """Of one event. Sums where they add up; None where the embodiment has no such dimension."""

    end_m: float | None
    end_deg: float | None
    end_opening: float | None
    """Share of the way between closed and open."""
    jerk: float
    """Σ‖third difference‖², m²."""
    true_jerk: float


def action_score(predicted_K20: Floats, true_K20: Floats, known_20: Bools, valid_K: Bools) -> ActionScore | None:
    """Displacements from the observation pose, not normalised; None without a trusted row."""
    rows = np.flatnonzero(valid_K)
    if not rows.size or not known_20.any():
        return None
    said, true = predicted_K20[rows], true_K20[rows]
    ways, turns, openings = [], [], []
    jerk = true_jerk = 0.0
    for start in _ARMS:
        position, rotation, opening = slice(start, start + 3), slice(start + 3, start + 9), start + 9
        if known_20[position].all():
            ways.append(float(np.linalg.norm(said[-1, position] - true[-1, position])))
            jerk += _jerk(said[:, position])
            true_jerk += _jerk(true[:, position])
        if known_20[rotation].all() and np.any(true[-1, rotation]):
            turns.append(degrees_between(said[-1, rotation], true[-1, rotation]))
        if known_20[opening]:
            openings.append(float(abs(said[-1, opening] - true[-1, opening])))
    return ActionScore(_mean(ways), _mean(turns), _mean(openings), jerk, true_jerk)


def degrees_between(one_6: Floats, other_6: Floats) -> float:
    """Angle of the rotation between two 6-D rotations; a half turn where one of them means none."""
    try:
        first, second = (matrix_of(orthonormalise(rotation[None]))[0] for rotation in (one_6, other_6))
    except ValueError:
        return _HALF_TURN
    chord = float(np.linalg.norm(first - second)) / (2.0 * np.sqrt(2.0))  # exact at no turn, unlike the trace
    return float(np.degrees(2.0 * np.arcsin(min(chord, 1.0))))


def _jerk(position_K3: Floats) -> float:
    return float(np.square(np.diff(position_K3, n=3, axis=0)).sum())


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
