"""Paired differences and their intervals: exact where they must be, wide where few models were trained."""

import numpy as np
import pytest

from jobs.ablate_arms import BASE
from jobs.ablate_summary import Interval, Row, difference, interval, not_worse, summarise, verdict

N = 400


def rows(arm: str, progress: dict[int, list[float]]) -> list[Row]:
    return [
        Row(arm, seed, i, 1000 * seed + i, value, success=value == 100, steps=9, turns=1)
        for seed, values in progress.items()
        for i, value in enumerate(values)
    ]


def test_differences_are_between_the_same_scenes_in_whatever_order() -> None:
    base = rows(BASE, {0: [0, 50, 100], 1: [25, 25, 25], 2: [0, 0, 100]})
    arm = rows("x", {0: [10, 60, 110], 1: [35, 35, 35], 2: [10, 10, 110]})
    found = summarise([*base, *arm[::-1]], N)
    assert [each.arm for each in found] == [BASE, "x"]
    assert found[0].difference is None
    assert found[1].difference is not None
    assert (found[1].difference.low, found[1].difference.high) == (pytest.approx(10), pytest.approx(10)), "paired"
    assert found[1].by_seed == {0: pytest.approx(60), 1: pytest.approx(35), 2: pytest.approx(130 / 3)}
    assert found[0].success == pytest.approx(2 / 9)
    assert difference([*base, *arm], BASE, "x", N).mean == pytest.approx(-10)


def test_arms_judged_on_other_scenes_are_not_compared() -> None:
    whole = rows(BASE, {0: [0, 50]})
    with pytest.raises(ValueError, match="arm x: 1 episodes, not the 2 of base"):
        summarise([*whole, *rows("x", {0: [0]})], N)


def test_an_interval_knows_that_episodes_of_a_seed_share_a_model() -> None:
    """Three models that differ, many episodes each: episodes alone would be sure of what three runs cannot tell."""
    rng = np.random.default_rng(1)
    groups = [rng.normal(mean, 1.0, 200) for mean in (-6, 1, 8)]
    found = interval(groups, N)
    assert found.mean == pytest.approx(1, abs=0.3)
    assert found.low < -4
    assert found.high > 4
    assert not found.excludes_zero
    together = interval([np.concatenate(groups)], N)
    assert together.high - together.low < 0.2 * (found.high - found.low)
    assert interval(groups, N) == found, "the same rows, the same interval"


def test_an_interval_is_as_wide_as_chance() -> None:
    """Where models do not differ, the interval of the mean holds the truth about as often as it says."""
    rng = np.random.default_rng(2)
    held = [
        (found := interval([rng.normal(0.0, 1.0, 25) for _ in range(8)], N)).low <= 0 <= found.high for _ in range(100)
    ]
    assert sum(held) >= 88


def test_words_say_no_more_than_the_interval_bears() -> None:
    assert "noise" in verdict(Interval(3.0, -1.0, 7.0))
    for found in (Interval(3.0, 1.0, 7.0), Interval(-3.0, -7.0, -1.0)):
        assert "hint" in verdict(found)
    assert "worse" in verdict(Interval(-3.0, -7.0, -1.0))


def test_the_gate_is_five_points_and_nothing_else() -> None:
    assert not_worse(Interval(-4.9, -9.0, -1.0))
    assert not not_worse(Interval(-5.1, -9.0, 1.0))
