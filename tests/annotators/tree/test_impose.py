"""People's events stand whole; the machine's boundaries fill what they leave."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from annotators.tree.impose import Claim, clipped, imposed

WHOLE = [(0, 300)]
MACHINE = {0: 0, 100: 2, 160: 3, 200: 1, 260: 2, 300: 0}


def fits(first: int, last: int) -> bool:
    return last - first >= 5


def laid(*claims: Claim, placed: dict[int, int] | None = None, machine: dict[int, int] | None = None) -> dict[int, int]:
    return imposed(MACHINE if machine is None else machine, WHOLE, claims, placed or {}, fits)


def test_without_claims_everything_is_the_machines() -> None:
    assert laid() == MACHINE


def test_an_event_of_people_is_divided_below_its_level_only() -> None:
    assert laid(Claim(2, 0, 200)) == {0: 0, 100: 3, 160: 3, 200: 1, 260: 2, 300: 0}
    assert laid(Claim(3, 0, 200)) == {0: 0, 200: 1, 260: 2, 300: 0}


def test_a_machines_boundary_too_near_to_peoples_goes_away() -> None:
    assert laid(Claim(3, 97, 160)) == {0: 0, 97: 3, 160: 3, 200: 1, 260: 2, 300: 0}


def test_a_machines_boundary_that_is_an_edge_of_peoples_seen_elsewhere_goes_away() -> None:
    assert laid(Claim(2, 0, 91)) == {0: 0, 91: 2, 160: 3, 200: 1, 260: 2, 300: 0}
    assert laid(Claim(2, 0, 90)) == {0: 0, 90: 2, 100: 2, 160: 3, 200: 1, 260: 2, 300: 0}
    seen = laid(Claim(2, 0, 91), machine=MACHINE | {91: 3})
    assert seen == {0: 0, 91: 2, 100: 2, 160: 3, 200: 1, 260: 2, 300: 0}


def test_an_edge_the_machine_sees_too_keeps_the_machines_rank_unless_people_gave_it_one() -> None:
    assert laid(Claim(2, 100, 200))[200] == 1
    assert laid(Claim(2, 100, 200), placed={200: 2})[200] == 2
    assert laid(Claim(1, 160, 200))[160] == 1


def test_what_cleaning_trimmed_is_nobodys_event() -> None:
    ranges = [(0, 120), (180, 300)]
    machine = {0: 0, 120: 0, 180: 0, 300: 0}
    assert imposed(machine, ranges, [Claim(2, 100, 200)], {}, fits) == {0: 0, 100: 2, 120: 0, 180: 0, 200: 2, 300: 0}
    assert clipped(Claim(2, 0, 100), (120, 180), fits) is None
    assert clipped(Claim(2, 122, 150), (120, 180), fits) == Claim(2, 120, 150)
    assert clipped(Claim(2, 122, 178), (120, 180), fits) == Claim(2, 120, 180)


@st.composite
def tilings(draw: st.DrawFn) -> dict[int, int]:
    """A valid document's boundaries."""
    gaps = draw(st.lists(st.integers(5, 40), min_size=1, max_size=12))
    edges = [sum(gaps[:i]) for i in range(len(gaps) + 1)]
    ranks = draw(st.lists(st.integers(0, 3), min_size=len(edges), max_size=len(edges)))
    return dict(zip(edges, ranks, strict=True)) | {0: 0, edges[-1]: 0}


@given(tilings(), tilings(), st.sets(st.integers(0, 40)))
def test_any_claims_of_one_document_stand_in_any_other(
    theirs: dict[int, int], machine: dict[int, int], n: set[int]
) -> None:
    """Every event of one valid tiling, imposed on another of the same length, is an event of the result."""
    length = max(theirs)
    lanes = []
    for depth in range(4):
        cuts = [frame for frame, rank in sorted(theirs.items()) if rank <= depth]
        lanes += [Claim(depth, a, b) for a, b in itertools.pairwise(cuts)]
    claims = [claim for i, claim in enumerate(lanes) if i in n]
    machine = {frame: rank for frame, rank in machine.items() if frame < length - 5} | {0: 0, length: 0}
    found = imposed(machine, [(0, length)], claims, {}, fits)
    order = sorted(found)
    assert all(b - a >= 5 for a, b in itertools.pairwise(order))
    for claim in claims:
        cuts = [frame for frame in order if found[frame] <= claim.depth]
        assert (claim.first, claim.last) in itertools.pairwise(cuts)
