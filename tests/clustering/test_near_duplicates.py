"""Near duplicates of a cell: what is kept for what, checked pair by pair against a plain definition."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering import near_duplicates
from clustering.near_duplicates import CellEvents, find_near, join
from schemas.recipe_dedup import DedupSpec

SPEC = DedupSpec()


def cell(seed: int, n: int, *, spread: float = 0.15, with_action: bool = True, n_episodes: int = 1000) -> CellEvents:
    """Events around a few places, so that some are near each other and some are not."""
    rng = np.random.default_rng(seed)

    def points(dims: int) -> np.ndarray:
        found = rng.normal(size=(4, dims))[rng.integers(4, size=n)] + spread * rng.normal(size=(n, dims))
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    return CellEvents(
        vision_language=points(6),
        action=points(5) if with_action else None,
        episode=rng.integers(n_episodes, size=n),
        side=rng.integers(2, size=n),
        seconds=rng.uniform(1.0, 1.3, size=n),
        protected=rng.random(n) < 0.1,
    )


def near(events: CellEvents, spec: DedupSpec) -> np.ndarray:
    """The definition, one pair at a time."""
    found = np.zeros((len(events), len(events)), bool)
    for i in range(len(events)):
        for j in range(len(events)):
            strict = 0.1 if events.episode[i] == events.episode[j] else 1.0
            v, a = spec.epsilon_vision_language * strict, spec.epsilon_action * strict
            if events.action is None:
                v, longer = min(v, a), max(events.seconds[i], events.seconds[j])
                alike = longer <= 1.1 * min(events.seconds[i], events.seconds[j])
            else:
                alike = round(float(events.action[i] @ events.action[j]), 5) > 1 - a
            looks = round(float(events.vision_language[i] @ events.vision_language[j]), 5) > 1 - v
            found[i, j] = i != j and looks and alike and events.side[i] == events.side[j]
    return found


CELLS = st.builds(
    cell, st.integers(0, 10_000), st.integers(1, 50), with_action=st.booleans(), n_episodes=st.sampled_from([3, 1000])
)


@given(CELLS)
@settings(max_examples=60, deadline=None)
def test_whoever_is_left_out_has_a_better_kept_one_near_and_nobody_else_is(events: CellEvents) -> None:
    pairs, found = near(events, SPEC), find_near(events, SPEC)
    kept = found.keeper == np.arange(len(events))
    assert kept[events.protected].all()
    for i, keeper in enumerate(found.keeper):
        better = [j for j in range(i) if pairs[i, j] and kept[j]]
        assert keeper == (better[0] if better and not events.protected[i] else i)


@given(CELLS)
@settings(max_examples=60, deadline=None)
def test_a_group_is_what_pairs_connect(events: CellEvents) -> None:
    pairs, group = near(events, SPEC), find_near(events, SPEC).group
    reached = pairs | np.eye(len(events), dtype=bool)
    for _ in range(6):  # squaring: paths of up to 64 pairs
        reached = reached.astype(int) @ reached.astype(int) > 0
    np.testing.assert_array_equal(group[:, None] == group[None, :], reached)
    assert all(len(set(events.side[group == name])) == 1 for name in set(group))


@given(CELLS, st.floats(0.1, 1.0))
@settings(max_examples=40, deadline=None)
def test_smaller_limits_only_divide_groups(events: CellEvents, share: float) -> None:
    finer = DedupSpec(
        epsilon_vision_language=SPEC.epsilon_vision_language * share, epsilon_action=SPEC.epsilon_action * share
    )
    fine, coarse = find_near(events, finer).group, find_near(events, SPEC).group
    assert all(len(set(coarse[fine == name])) == 1 for name in set(fine))
    nothing = DedupSpec(epsilon_vision_language=0.0)
    assert find_near(events, nothing).group.tolist() == list(range(len(events)))


@given(CELLS)
@settings(max_examples=40, deadline=None)
def test_what_is_kept_stays_when_it_is_looked_at_again(events: CellEvents) -> None:
    kept = np.flatnonzero(find_near(events, SPEC).keeper == np.arange(len(events)))
    again = replace(
        events,
        vision_language=events.vision_language[kept],
        action=None if events.action is None else events.action[kept],
        episode=events.episode[kept],
        side=events.side[kept],
        seconds=events.seconds[kept],
        protected=events.protected[kept],
    )
    assert find_near(again, SPEC).keeper.tolist() == list(range(len(kept)))


@pytest.mark.parametrize("with_action", [True, False])
def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch, with_action: bool) -> None:
    events = cell(1, 300, spread=0.1, with_action=with_action)
    whole = find_near(events, SPEC)
    assert len(set(whole.group)) < 300
    for tile, rows in ((5000, 7), (1, 1024), (1 << 23, 64)):
        monkeypatch.setattr(near_duplicates, "TILE", tile)
        monkeypatch.setattr(near_duplicates, "MOST_ROWS", rows)
        tiled = find_near(events, SPEC)
        np.testing.assert_array_equal(tiled.group, whole.group)
        np.testing.assert_array_equal(tiled.keeper, whole.keeper)


def test_joining_keeps_the_first_name() -> None:
    group = join(np.arange(6), np.array([4, 5]), np.array([1, 4]))
    assert group.tolist() == [0, 1, 2, 3, 1, 1]
    assert join(group, np.array([1]), np.array([0])).tolist() == [0, 0, 2, 3, 0, 0]
