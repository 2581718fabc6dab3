"""Boundaries obey the physical definitions, recomputed here from what the bodies did."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.synthetic.contact import HandHistory, live_through
from pipeline.synthetic.script import FINE_HZ, ArmScript, Choreographer, Variant, perform
from pipeline.synthetic.truth import Phase, TrueBoundary, boundaries_of, phases_of, runs
from pipeline.synthetic.world import Item, Region, furnish
from schemas.episode import Arm
from schemas.event import BoundaryKind as Kind

EXPECTED = {
    Variant.PLAIN: [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT],
    Variant.PAUSE: [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT],
    Variant.MISS: [Kind.MISS, Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT],
    Variant.SLIP: [
        Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SLIP,
        Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT,
    ],
    Variant.DROP: [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.RELEASE, Kind.RETREAT],
    Variant.ABANDON: [Kind.MISS],
    Variant.PUSH: [Kind.CONTACT, Kind.RETREAT],
}  # fmt: skip


def episode(seed: int, variant: Variant) -> tuple[HandHistory, ArmScript, tuple[Item, ...], list[TrueBoundary]]:
    rng = np.random.default_rng(seed)
    items, (goal,) = furnish(rng, Region((0.34, 0.60), (-0.22, 0.22)), 1)
    hand = Choreographer(rng, (0.3, 0.0, 0.26), 0.1)
    perform(hand, items[0], goal, variant)
    script = hand.script()
    supports = () if variant is Variant.PUSH else (goal,)
    history = live_through(script, tuple(items), supports, int(script.end_s * FINE_HZ))
    return history, script, tuple(items), boundaries_of(history, tuple(items), Arm.RIGHT)


def sample(boundary: TrueBoundary) -> int:
    return round(boundary.t_ns * FINE_HZ / 1e9)


@pytest.mark.parametrize("variant", list(Variant))
def test_every_variant_has_its_boundaries_in_order(variant: Variant) -> None:
    _, _, _, boundaries = episode(3, variant)
    assert [boundary.kind for boundary in boundaries] == EXPECTED[variant]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(list(Variant)))
def test_each_boundary_is_where_its_definition_says(seed: int, variant: Variant) -> None:
    hand, _, _, boundaries = episode(seed, variant)
    height = hand.item_position[0, :, 2]
    grasped = released = 0
    for boundary in boundaries:
        k = sample(boundary)
        match boundary.kind:
            case Kind.GRASP:
                assert hand.held[k - 1] < 0
                assert np.all(hand.held[k : k + int(0.2 * FINE_HZ)] == 0)
                grasped = k
            case Kind.LIFT:
                assert height[k] > height[grasped] + 0.01 >= height[k - 1]
                assert hand.held[k] == 0
            case Kind.TRANSPORT:
                moved = np.diff(hand.position[k : k + int(0.2 * FINE_HZ)], axis=0)
                share = np.abs(moved[:, 2]) / np.linalg.norm(moved, axis=1)
                assert np.median(share) < 0.5
            case Kind.SUPPORT:
                assert hand.supported[k]
                assert not hand.supported[k - 1]
            case Kind.RELEASE | Kind.SLIP:
                assert hand.held[k] == 0
                assert hand.held[k + 1] < 0
                released = k
            case Kind.RETREAT if variant is not Variant.PUSH:
                distance = np.linalg.norm(hand.position - hand.position[released], axis=1)
                assert distance[k] > 0.03 >= distance[k - 1]
            case Kind.MISS:
                assert hand.opening[k - 1] <= 0.02 < hand.opening[k]
                assert np.all(hand.held[:k] < 0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_slip_is_a_release_in_the_air_before_a_new_grasp_of_the_same_item(seed: int) -> None:
    hand, _, _, boundaries = episode(seed, Variant.SLIP)
    kinds = [boundary.kind for boundary in boundaries]
    slip = kinds.index(Kind.SLIP)
    assert Kind.SUPPORT not in kinds[:slip]
    assert kinds[slip + 1] is Kind.GRASP
    assert boundaries[slip].item == boundaries[slip + 1].item
    assert not hand.supported[sample(boundaries[slip])]


def test_a_drop_that_is_given_up_is_a_release_and_no_slip() -> None:
    _, _, _, boundaries = episode(3, Variant.DROP)
    kinds = [boundary.kind for boundary in boundaries]
    assert Kind.SLIP not in kinds
    assert Kind.SUPPORT not in kinds
    assert kinds[-2:] == [Kind.RELEASE, Kind.RETREAT]


def test_an_item_put_down_and_taken_up_again_was_released_and_did_not_slip() -> None:
    item = Item("cube", "red", (0.04, 0.04, 0.04), (0.45, 0.0, 0.02), 0.0)
    hand = Choreographer(np.random.default_rng(0), (0.3, 0.0, 0.2), 0.1)
    hand.move(item.start, 0.8, 0.8)
    for _ in range(2):
        hand.grip(0.3, 0.4, 0.4)
        hand.wait(0.2, 0.2)
        hand.move(hand.above(0.08), 0.6, 0.6)
        hand.move(hand.above(-0.081), 0.6, 0.6)
        hand.grip(1.0, 0.3, 0.3)
        hand.wait(0.2, 0.2)
    script = hand.script()
    history = live_through(script, (item,), (), int(script.end_s * FINE_HZ))
    kinds = [boundary.kind for boundary in boundaries_of(history, (item,), Arm.RIGHT)]
    once = [Kind.GRASP, Kind.LIFT, Kind.SUPPORT, Kind.RELEASE]
    assert kinds == [*once, *once, Kind.RETREAT]


def test_a_push_is_seen_in_phases_only() -> None:
    hand, script, _, boundaries = episode(3, Variant.PUSH)
    phases = [phase.phase for phase in phases_of(hand, script, boundaries, Arm.RIGHT)]
    assert phases == [Phase.IDLE, Phase.REACH, Phase.PUSH, Phase.RELEASE, Phase.RETREAT]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(list(Variant)))
def test_phases_tile_the_episode_and_meet_at_the_boundaries(seed: int, variant: Variant) -> None:
    hand, script, _, boundaries = episode(seed, variant)
    phases = phases_of(hand, script, boundaries, Arm.RIGHT)
    assert phases[0].start_ns == 0
    assert phases[-1].end_ns == round(len(hand.held) * 1e9 / FINE_HZ)
    assert all(a.end_ns == b.start_ns for a, b in itertools.pairwise(phases))
    assert all(phase.end_ns > phase.start_ns for phase in phases)
    edges = {phase.start_ns for phase in phases}
    assert all(b.t_ns in edges for b in boundaries if b.kind is not Kind.RETREAT)


def test_runs_are_the_stretches_where_a_mask_holds() -> None:
    assert runs(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    assert runs(np.zeros(3, np.bool_)) == []
