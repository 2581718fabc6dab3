"""Sums over groups of cells, whichever way they cross."""

import numpy as np

from clustering.limits import Partition, polytope_of


def test_rows_are_the_groups_sums_the_sum_of_all_first() -> None:
    sources = Partition(("a", "b"), np.array([0, 0, 1, -1]), np.array([0.1, 0.2]), np.array([0.5, 0.6]))
    recovery = Partition(("r",), np.array([-1, 0, 0, -1]), np.array([0.3]), np.array([0.3]))
    limits = polytope_of((sources, recovery), 4)
    np.testing.assert_allclose(limits.sums(np.array([1.0, 2.0, 4.0, 8.0])), [15, 3, 4, 6])
    assert limits.names[1:] == ("a", "b", "r")
    assert limits.equal.tolist() == [True, False, False, True]


def test_a_relative_row_is_what_a_group_has_beyond_its_part_of_all_groups() -> None:
    target = np.array([0.25, 0.75])
    limits = polytope_of((Partition(("a", "b"), np.array([0, 1, 1, -1]), target, target, relative=True),), 4)
    np.testing.assert_allclose(limits.sums(np.array([1.0, 1.0, 2.0, 50.0])), [54, 0, 0])
    np.testing.assert_allclose(limits.sums(np.array([2.0, 1.0, 1.0, 0.0]))[1:], [1, -1])


def test_cells_no_limit_tells_apart_share_a_stratum() -> None:
    limits = polytope_of((Partition(("a",), np.array([0, -1] * 50), np.zeros(1), np.ones(1)),), 100)
    assert limits.n_strata == 2


def test_potential_and_curvature_are_those_of_the_rows() -> None:
    labels = np.array([0, 0, 1, 1, -1])
    target = np.array([0.5, 0.5])
    parts = (
        Partition(("a", "b"), labels, np.zeros(2), np.ones(2)),
        Partition(("c", "d"), np.array([0, 1, 0, 1, -1]), target, target, relative=True),
    )
    limits = polytope_of(parts, 5)
    rows = np.array(
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0.5, -0.5, 0.5, -0.5, 0], [-0.5, 0.5, -0.5, 0.5, 0]]
    )
    dual, mass = np.arange(1.0, 6.0), np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    np.testing.assert_allclose(limits.potential(dual)[limits.stratum], rows.T @ dual)
    np.testing.assert_allclose(limits.curvature(limits.per_stratum(mass)).toarray(), rows * mass @ rows.T)
