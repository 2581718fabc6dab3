"""Cuts and how they compete."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from annotators.tree.claim import PRIORS, Cut, make_cut, merged, survivors
from schemas.episode import Arm
from schemas.event import BoundaryKind

S = 1_000_000_000


def test_every_kind_of_boundary_has_a_prior() -> None:
    assert set(PRIORS) == set(BoundaryKind)


def test_contact_outranks_motion_and_pictures_never_exceed_a_third() -> None:
    confidence = {kind: prior.confidence for kind, prior in PRIORS.items()}
    assert confidence[BoundaryKind.GRASP] > confidence[BoundaryKind.LIFT]
    assert confidence[BoundaryKind.RELEASE] > confidence[BoundaryKind.SUPPORT]
    for kind in (BoundaryKind.HARD_CUT, BoundaryKind.VISUAL_CHANGE, BoundaryKind.MOTION):
        assert confidence[kind] <= 0.3


def test_two_arms_that_grasp_at_once_make_one_cut_that_remembers_both() -> None:
    left = make_cut(S, BoundaryKind.GRASP, "gripper_plateau", arm=Arm.LEFT)
    right = make_cut(S + S // 10, BoundaryKind.GRASP, "gripper_command", trust=0.75, arm=Arm.RIGHT)
    (only,) = merged([right, left], 0.15)
    assert (only.kind, only.t_ns, only.arm) == (BoundaryKind.GRASP, S, Arm.LEFT)
    assert only.detectors == ("gripper_command", "gripper_plateau")


def test_a_grasp_and_a_lift_stay_two_however_close() -> None:
    grasp = make_cut(S, BoundaryKind.GRASP, "gripper_plateau")
    lift = make_cut(S + S // 20, BoundaryKind.LIFT, "height")
    turn = make_cut(S + S // 10, BoundaryKind.MOTION, "turn")
    assert [cut.kind for cut in merged([lift, turn, grasp], 0.15)] == [BoundaryKind.GRASP, BoundaryKind.LIFT]


def test_cuts_further_apart_than_the_gap_both_stand() -> None:
    cuts = [make_cut(0, BoundaryKind.GRASP, "a"), make_cut(S // 5, BoundaryKind.LIFT, "b")]
    assert merged(cuts, 0.15) == cuts


def test_a_strong_cut_removes_all_weaker_ones_around_it() -> None:
    weak = [make_cut(t * S // 10, BoundaryKind.MOTION, "turn") for t in (8, 9, 11)]
    strong = make_cut(S, BoundaryKind.RELEASE, "gripper_plateau")
    kept = merged([*weak, strong], 0.25)
    assert [cut.kind for cut in kept] == [BoundaryKind.RELEASE]


cut_lists = st.lists(
    st.tuples(st.integers(0, 5 * S), st.sampled_from(list(BoundaryKind)), st.floats(0, 1)), max_size=30
)


@given(cut_lists, st.integers(0, S))
def test_no_survivors_clash_and_order_of_arrival_does_not_matter(
    raw: list[tuple[int, BoundaryKind, float]], gap: int
) -> None:
    cuts = [Cut(t, kind, confidence, 0.1, ("d",)) for t, kind, confidence in raw]
    kept = survivors(cuts, lambda a, b: b.t_ns - a.t_ns < gap)
    assert all(b.t_ns - a.t_ns >= gap for a, b in pairwise(kept))
    assert kept == survivors(reversed(cuts), lambda a, b: b.t_ns - a.t_ns < gap)
    if cuts:
        assert max(cut.confidence for cut in kept) == max(cut.confidence for cut in cuts)
