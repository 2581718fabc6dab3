"""Normalisation by what was drawn: zero mean, unit variance, and back."""

import numpy as np

from pipeline.loader.reader import ShardSet
from pipeline.loader.stats import stats_from_json
from schemas.array import Floats


def rows(opened: ShardSet) -> tuple[Floats, Floats]:
    """All valid relative actions and states of the train split, as drawn."""
    actions, states = [], []
    for _, sample in opened.iterate("train"):
        relative = sample.relative_action()
        if relative is not None and sample.state_T20 is not None:
            actions.append(relative[sample.action_valid_T])
            states.append(sample.state_T20[sample.state_valid_T])
    return np.concatenate(actions), np.concatenate(states)


def test_the_train_split_comes_out_with_zero_mean_and_unit_variance(opened: ShardSet) -> None:
    stats = opened.stats("arm7")
    actions, states = rows(opened)
    moving = stats.known_20 & (stats.std_20 > 1e-6)
    normal = stats.normalise(actions)
    np.testing.assert_allclose(normal[:, moving].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(normal[:, moving].std(axis=0), 1, atol=1e-4)
    still = stats.state_known_20 & (stats.state_std_20 > 1e-6)
    np.testing.assert_allclose(stats.normalise_state(states)[:, still].std(axis=0), 1, atol=1e-4)


def test_normalising_can_be_undone(opened: ShardSet) -> None:
    stats = opened.stats("arm7")
    actions, _ = rows(opened)
    back = stats.denormalise(stats.normalise(actions))
    np.testing.assert_allclose(back[:, stats.known_20], actions[:, stats.known_20], atol=1e-5)


def test_nearly_all_rows_lie_in_the_unit_range(opened: ShardSet) -> None:
    stats = opened.stats("arm7")
    unit = stats.to_unit_range(rows(opened)[0])
    assert np.mean(np.abs(unit[:, stats.known_20]) <= 1.05) > 0.95


def test_unknown_columns_stay_zero_and_still_ones_do_not_explode() -> None:
    column = {"mean": [2.0] * 20, "std": [0.0] * 20, "q01": [2.0] * 20, "q99": [2.0] * 20}
    part = {**column, "n_rows": [0] * 10 + [5] * 10}
    stats = stats_from_json("arm", {"embodiments": {"arm": {"action_relative": part, "state": part}}})
    values = np.full((3, 20), 2.0, np.float32)
    values[:, :10] = 7.0
    for out in (stats.normalise(values), stats.normalise_state(values), stats.to_unit_range(values)):
        assert out.dtype == np.float32
        assert not out.any()
