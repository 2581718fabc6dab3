"""What rollouts came to, with an interval that means what it says."""

import numpy as np
import pytest

from trainer.eval.progress import Episode, bootstrap_95, summary_of


def episode(verbs: tuple[str, ...], n_done: int) -> Episode:
    done = tuple(number < n_done for number in range(len(verbs)))
    progress = 100.0 * n_done / len(verbs)
    return Episode(0, "do it", verbs, verbs, done, progress, n_done == len(verbs), 4.0, 0.1, ())


def test_a_summary_counts_events_by_verb() -> None:
    found = summary_of([episode(("reach", "grasp", "lift", "place"), 3), episode(("reach", "push"), 2)])
    assert found.episodes == 2
    assert found.progress == pytest.approx((75 + 100) / 2)
    assert found.success == 0.5
    assert found.done_by_verb == {"reach": 1.0, "grasp": 1.0, "lift": 1.0, "place": 0.0, "push": 1.0}
    with pytest.raises(ValueError, match="no episodes"):
        summary_of([])


def test_equal_values_leave_no_doubt() -> None:
    assert bootstrap_95(np.full(7, 40.0)) == (40.0, 40.0)


def test_the_interval_holds_the_mean_about_as_often_as_it_says() -> None:
    """200 experiments of 30 episodes with few possible values: 95 % give or take three standard errors."""
    rng = np.random.default_rng(1)
    values = np.array([0.0, 14.3, 28.6, 57.1, 100.0])
    chance = np.array([0.3, 0.3, 0.2, 0.1, 0.1])
    truth = float(values @ chance)
    inside = 0
    for number in range(200):
        low, high = bootstrap_95(rng.choice(values, 30, p=chance), seed=number)
        inside += low <= truth <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_the_same_values_give_the_same_interval() -> None:
    values = np.arange(20.0)
    assert bootstrap_95(values) == bootstrap_95(values)
    low, high = bootstrap_95(values)
    assert low < values.mean() < high
