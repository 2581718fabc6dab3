"""Ids across refits: what is the same keeps its id, what is new gets one nobody ever had."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clustering.cluster_ids import inherited_ids, with_fresh_ids


def ids(old: list[int], new: list[int], first_free: int = 100) -> list[int]:
    return inherited_ids(np.array(old), np.array(new), max(new) + 1, first_free).tolist()


def test_relabelled_clusters_keep_their_ids() -> None:
    assert ids([7, 7, 3, 3, 9, 9], [2, 2, 0, 0, 1, 1]) == [3, 9, 7]


def test_of_a_split_the_larger_half_keeps_the_id() -> None:
    assert ids([4] * 10, [0] * 3 + [1] * 7) == [100, 4]


def test_of_a_merger_the_larger_part_gives_the_id_and_the_other_is_retired() -> None:
    assert ids([4] * 3 + [5] * 7, [0] * 10) == [5]


def test_strangers_are_not_called_the_same_because_they_were_left_over() -> None:
    """Old 5 went into new 0, which is old 4; only one of its events is in new 1."""
    assert ids([4] * 39 + [5] * 19, [0] * 30 + [1] * 9 + [0] * 18 + [1]) == [4, 100]


def test_most_events_keep_their_id_though_a_greedy_choice_would_not_let_them() -> None:
    """Pairing the largest overlap first (old 4, new 0) would leave the other two without any."""
    old, new = [4] * 6 + [4] * 5 + [5] * 5, [0] * 6 + [1] * 5 + [0] * 5
    assert ids(old, new) == [5, 4]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6)), min_size=1))
def test_no_id_is_given_twice_and_new_ones_are_new(pairs: list[tuple[int, int]]) -> None:
    old, new = np.array(pairs).T
    found = inherited_ids(old, new, 7, 10).tolist()
    assert len(set(found)) == 7
    assert all(one in set(old) or one >= 10 for one in found)
    assert sorted(one for one in found if one >= 10) == list(range(10, 10 + sum(one >= 10 for one in found)))


def test_fresh_ids_fill_the_gaps_in_order() -> None:
    assert with_fresh_ids(np.array([-1, 5, -1]), 8).tolist() == [8, 5, 9]
