"""The two-window change score."""

import numpy as np
import pytest

from annotators.visual.change import change_score, peaks_of


def test_a_step_peaks_where_it_is_and_is_as_high_as_it_is() -> None:
    score = change_score(np.repeat([[0.0, 0.0], [3.0, 4.0]], 50, axis=0), 10)
    assert int(np.argmax(score)) == 50
    assert score[50] == pytest.approx(5.0)
    assert not score[:41].any()
    assert not score[60:].any()


def test_windows_cut_short_by_the_ends_count_for_less() -> None:
    steps = {at: change_score((np.arange(60) >= at)[:, None] * 1.0, 20)[at] for at in (2, 5, 10, 20, 30)}
    assert steps[20] == steps[30] == pytest.approx(1.0)
    assert steps[2] < steps[5] < steps[10] < 1.0


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_shortest_shots_have_a_score_too(n: int) -> None:
    assert change_score(np.ones((n, 3)), 10).tolist() == [0.0] * n


def test_of_peaks_too_close_the_higher_stays() -> None:
    score = np.zeros(100)
    score[[10, 15, 60]] = [3, 5, 4]
    assert peaks_of(score, 2.5, 20) == [15, 60]


def test_a_plateau_peaks_once_and_the_foot_of_a_hill_is_no_peak() -> None:
    score = np.array([0.0, 2.0, 2.0, 2.0, 0.0, 1.0, 3.0, 4.0, 3.5, 3.4])
    assert peaks_of(score, 1.0, 2) == [1, 7]
