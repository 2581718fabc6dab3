"""Normalisation by the shard set's own statistics, one set per embodiment.

Mixing embodiments in one mean would normalise none of them, so there is no global default: an embodiment
without statistics is an error. Columns the embodiment does not have stay zero in both directions.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.array import Bools, Floats

MIN_SCALE = 1e-6
"""A column that never moves is centred, not blown up."""


@dataclass(frozen=True, eq=False)
class ActionStats:
    """Statistics of one embodiment over the valid rows of the train split as drawn; float32 [20] each.

    Actions are relative to the span's first state (`EventSample.relative_action_T20`), states are absolute.
    """

    embodiment: str
    mean_20: Floats
    std_20: Floats
    q01_20: Floats
    q99_20: Floats
    state_mean_20: Floats
    state_std_20: Floats
    known_20: Bools
    """Action columns with statistics."""
    state_known_20: Bools

    def normalise(self, relative_T20: Floats) -> Floats:
        """Relative actions to zero mean and unit variance, float32."""
        return _scaled(relative_T20, self.mean_20, self.std_20, self.known_20)

    def denormalise(self, normal_T20: Floats) -> Floats:
        """The inverse of `normalise` on the known columns."""
        out = normal_T20 * np.maximum(self.std_20, MIN_SCALE) + self.mean_20
        return np.where(self.known_20, out, 0.0).astype(np.float32)

    def normalise_state(self, state_T20: Floats) -> Floats:
        """Absolute states [T, 20] or [20] to zero mean and unit variance, float32."""
        return _scaled(state_T20, self.state_mean_20, self.state_std_20, self.state_known_20)

    def to_unit_range(self, relative_T20: Floats) -> Floats:
        """Relative actions with q01 … q99 mapped to −1 … 1, float32, not clipped."""
        centre, half = (self.q99_20 + self.q01_20) / 2, (self.q99_20 - self.q01_20) / 2
        return _scaled(relative_T20, centre, half, self.known_20)


def _scaled(values: Floats, centre: Floats, scale: Floats, known: Bools) -> Floats:
    out = (values - centre) / np.maximum(scale, MIN_SCALE)
    return np.where(known, out, 0.0).astype(np.float32)


def stats_from_json(embodiment: str, stats: dict[str, Any]) -> ActionStats:
    """One embodiment out of a parsed ``stats.json``. Raises KeyError naming the embodiments there are."""
    found = stats["embodiments"].get(embodiment)
    if found is None:
        raise KeyError(
            f"stats.json has no statistics for embodiment {embodiment!r}, found {sorted(stats['embodiments'])}; "
            "statistics exist for embodiments with actions in the train split"
        )
    action, state = found["action_relative"], found["state"]

    def column(part: dict[str, Any], name: str) -> Floats:
        return np.array(part[name], np.float32)

    return ActionStats(
        embodiment=embodiment,
        mean_20=column(action, "mean"),
        std_20=column(action, "std"),
        q01_20=column(action, "q01"),
        q99_20=column(action, "q99"),
        state_mean_20=column(state, "mean"),
        state_std_20=column(state, "std"),
        known_20=np.array(action["n_rows"]) > 0,
        state_known_20=np.array(state["n_rows"]) > 0,
    )
