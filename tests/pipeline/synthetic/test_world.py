"""Things lie apart, at rest, and on the highest thing below them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.synthetic.world import MAX_WIDTH_M, Region, Support, furnish, opening_m, support_height

REGION = Region((0.34, 0.60), (-0.22, 0.22))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 3))
def test_items_and_supports_do_not_overlap(seed: int, n: int) -> None:
    items, supports = furnish(np.random.default_rng(seed), REGION, n)
    points = [item.start[:2] for item in items] + [support.centre for support in supports]
    distances = [np.hypot(a[0] - b[0], a[1] - b[1]) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 0.1
    assert all(item.start[2] == item.size_m[2] / 2 for item in items)
    assert len({item.colour for item in items}) == n


def test_every_item_fits_between_the_pads_with_room_to_spare() -> None:
    for seed in range(50):
        (item,), _ = furnish(np.random.default_rng(seed), REGION, 1)
        assert 0.2 < item.opening < 0.75
        assert opening_m(np.array([item.opening]))[0] == np.float64(item.size_m[0] / MAX_WIDTH_M) * MAX_WIDTH_M


def test_the_highest_support_below_counts() -> None:
    low, high = Support("mat", "red", (0.0, 0.0), 0.1, 0.004), Support("box", "blue", (0.0, 0.0), 0.05, 0.04)
    assert support_height((low, high), 0.0, 0.0) == 0.04
    assert support_height((low, high), 0.08, 0.0) == 0.004
    assert support_height((low, high), 0.2, 0.0) == 0.0
