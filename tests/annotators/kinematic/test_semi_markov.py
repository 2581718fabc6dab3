"""The dynamic programme against every division there is."""

from itertools import combinations, pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.kinematic.semi_markov import Lattice, Stretch, cheapest


def price(lattice: Lattice, parts: list[Stretch]) -> float:
    total = float(lattice.first[parts[0].state] + lattice.last[parts[-1].state])
    total += sum(float(lattice.stretches[part.state, part.end, part.end - 1 - part.start]) for part in parts)
    return total + sum(float(lattice.follows[a.state, b.state]) for a, b in pairwise(parts))


def divisions(n_states: int, n: int, width: int) -> list[list[Stretch]]:
    found = []
    for size in range(n - 1):
        for inner in combinations(range(1, n - 1), size):
            edges = [0, *inner, n - 1]
            if any(b - a > width for a, b in pairwise(edges)):
                continue
            found += [
                [Stretch(a, b, s) for (a, b), s in zip(pairwise(edges), states, strict=True)]
                for states in product(range(n_states), repeat=len(edges) - 1)
            ]
    return found


def random_lattice(seed: int, n_states: int, n: int, width: int, forbidden: float) -> Lattice:
    rng = np.random.default_rng(seed)

    def costs(*shape: int) -> np.ndarray:
        found = np.round(rng.normal(0.0, 3.0, shape))  # whole numbers, so that ties happen
        return np.where(rng.random(shape) < forbidden, np.inf, found)

    return Lattice(costs(n_states, n, width), costs(n_states, n_states), costs(n_states), costs(n_states))


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(2, 5), st.integers(1, 4), st.sampled_from([0.0, 0.2, 0.5])
)
def test_no_division_is_cheaper(seed: int, n_states: int, n: int, width: int, forbidden: float) -> None:
    lattice = random_lattice(seed, n_states, n, width, forbidden)
    found = cheapest(lattice)
    best = min((price(lattice, parts) for parts in divisions(n_states, n, width)), default=np.inf)
    assert (price(lattice, found) if found else np.inf) == best
    assert found == cheapest(lattice)


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 8))
def test_the_division_covers_everything_once(seed: int, n: int, width: int) -> None:
    found = cheapest(random_lattice(seed, 3, n, width, 0.0))
    assert [found[0].start, *(part.end for part in found)] == sorted({0, n - 1, *(part.start for part in found)})
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(0 < part.end - part.start <= width for part in found)


def test_of_equal_divisions_the_one_with_later_starts_and_lower_states_is_taken() -> None:
    lattice = Lattice(np.zeros((2, 4, 3)), np.zeros((2, 2)), np.zeros(2), np.zeros(2))
    assert cheapest(lattice) == [Stretch(0, 1, 0), Stretch(1, 2, 0), Stretch(2, 3, 0)]


def test_nothing_to_divide_and_nothing_allowed_give_nothing() -> None:
    nothing = Lattice(np.zeros((1, 1, 1)), np.zeros((1, 1)), np.zeros(1), np.zeros(1))
    assert cheapest(nothing) == []
    forbidden = Lattice(np.full((1, 3, 2), np.inf), np.zeros((1, 1)), np.zeros(1), np.zeros(1))
    assert cheapest(forbidden) == []
