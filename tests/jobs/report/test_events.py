"""The long tail in numbers, counted by hand."""

import pytest

from jobs.report.charts import heat_map, histograms, rank_frequency
from jobs.report.events import LISTED, Durations, Pairs, vocabulary


def test_shares_gini_and_rarity_are_what_one_counts() -> None:
    found = vocabulary("verbs", [("move", 60), ("grasp", 30), ("lift", 10)], ("fold",))
    assert found.top_shares == {"1": 0.6, "5": 1.0, "10": 1.0, "20": 1.0}
    assert found.gini == pytest.approx((2 * (1 * 10 + 2 * 30 + 3 * 60) - 4 * 100) / (3 * 100))
    assert (found.n_names, found.n_events, found.n_rare, found.n_rare_events) == (3, 100, 1, 10)
    assert found.ranks == ((1, 60), (2, 30), (3, 10))


def test_a_vocabulary_of_a_million_names_is_told_in_few() -> None:
    rows = [(f"name {i}", max(1, 2000 // i)) for i in range(1, 100_001)]
    found = vocabulary("objects", rows, ())
    assert len(found.counts) == LISTED
    assert len(found.ranks) < 600
    assert found.ranks[-1] == (100_000, 1)
    assert found.n_names == 100_000
    assert "rank" in rank_frequency(found)


def test_nothing_named_is_nothing() -> None:
    found = vocabulary("objects", [], ())
    assert (found.gini, found.n_events, found.ranks) == (0.0, 0, ())


def test_every_filled_bin_and_every_pair_is_drawn_and_empty_ones_are_seen() -> None:
    drawn = histograms(
        [Durations("action", 7, (0, 3, 4, 0), (10**8, 2 * 10**8, 3 * 10**8, 4 * 10**8, 10**9), 1, 2)], -8
    )
    assert drawn.count("class='fill'") == 2
    pairs = Pairs(("lift", "push"), ("mug", "box", "<b>"), ((1, 0, 40), (0, 0, 2)), 2, 3, 3, 43, 43)
    shown = heat_map(pairs)
    assert shown.count("class='empty'") == 3
    assert "<title>lift × &lt;b&gt;: 40</title>" in shown
    assert "class='heat1'" in shown
    assert "class='heat6'" in shown
