"""The plane of most variance: exact where it can be told by hand, and the same whichever way a solver points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.report.cluster_map import principal_plane


def test_a_stretched_cross_keeps_its_axes_and_its_proportions() -> None:
    cross = np.zeros((4, 5))
    cross[0, 3], cross[1, 3], cross[2, 1], cross[3, 1] = 2, -2, 1, -1
    places, explained = principal_plane(cross)
    assert explained == (0.8, 0.2)
    assert places.tolist() == [[1.0, 0.5], [0.0, 0.5], [0.5, 0.75], [0.5, 0.25]]


def test_events_that_are_all_alike_lie_in_the_middle() -> None:
    places, explained = principal_plane(np.ones((3, 4)))
    assert places.tolist() == [[0.5, 0.5]] * 3
    assert explained == (0.0, 0.0)


def test_one_dimension_has_no_second_axis() -> None:
    places, explained = principal_plane(np.array([[0.0], [1.0], [3.0]]))
    assert places[:, 1].tolist() == [0.5] * 3
    assert places[:, 0].tolist() == pytest.approx([0.0, 0.3333, 1.0])
    assert explained == (1.0, 0.0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_an_axis_points_to_where_its_largest_loading_grows(seed: int, dims: int) -> None:
    """A solver may give either sign; the map must not be mirrored by another one."""
    rng = np.random.default_rng(seed)
    direction, steps = rng.normal(size=dims), np.arange(7.0)
    places, explained = principal_plane(np.outer(steps, direction))
    largest = int(np.argmax(np.abs(direction)))
    expected = steps if direction[largest] > 0 else steps[::-1]
    assert explained == (1.0, 0.0)
    assert places[:, 0] == pytest.approx(expected / 6, abs=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_no_plane_shows_more_of_the_variance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(40, 6)) * np.arange(6, 0, -1)
    _, (first, second) = principal_plane(vectors)
    centred = vectors - vectors.mean(axis=0)
    other = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    assert first >= second
    assert first + second + 1e-3 >= float(np.sum((centred @ other) ** 2) / np.sum(centred**2))
