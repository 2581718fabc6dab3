"""Which check took which nanosecond: what is taken and what is left are all there was."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.report.funnel import _outside, _split

RANGES = st.lists(st.integers(0, 1000), min_size=0, max_size=12, unique=True).map(
    lambda edges: [(a, b) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)]
)


def covered(ranges: list[tuple[int, int]]) -> set[int]:
    return {t for a, b in ranges for t in range(a, b)}


@given(RANGES)
def test_what_is_not_kept_is_outside(kept: list[tuple[int, int]]) -> None:
    gone = _outside(0, 1000, [list(each) for each in kept])
    assert covered(gone) == set(range(1000)) - covered(kept)
    assert all(a < b for a, b in gone)


@given(RANGES, st.integers(-10, 1010), st.integers(-10, 1010))
def test_a_trim_takes_what_lies_in_it_and_leaves_the_rest(ranges: list[tuple[int, int]], start: int, end: int) -> None:
    inside, rest = _split(ranges, start, end)
    assert covered(rest) == covered(ranges) - set(range(start, end))
    assert inside == len(covered(ranges)) - len(covered(rest))
