"""Two hands, one item: the truth of a hand-over comes from contact."""

import numpy as np
import pytest

from pipeline.synthetic.hand_over import make_hand_over
from pipeline.synthetic.trajectory import Trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind as Kind

SEEDS = range(4)


def kinds(trajectory: Trajectory, arm: Arm) -> list[Kind]:
    return [boundary.kind for boundary in trajectory.boundaries if boundary.arm is arm]


@pytest.mark.parametrize("giver", list(Arm))
def test_the_giver_releases_without_support_and_the_taker_places(giver: Arm) -> None:
    taker = Arm.RIGHT if giver is Arm.LEFT else Arm.LEFT
    for seed in SEEDS:
        episode = make_hand_over(seed, giver)
        assert kinds(episode, giver) == [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.RELEASE, Kind.RETREAT]
        placing = [Kind.GRASP, Kind.LIFT, Kind.TRANSPORT, Kind.SUPPORT, Kind.RELEASE, Kind.RETREAT]
        assert kinds(episode, taker) == placing
        assert episode.success


def test_an_item_that_is_given_back_was_released_and_never_slipped() -> None:
    for seed in SEEDS:
        episode = make_hand_over(seed, Arm.LEFT, given_back=True)
        assert kinds(episode, Arm.LEFT)[3:5] == [Kind.RELEASE, Kind.GRASP]
        assert kinds(episode, Arm.RIGHT) == [Kind.GRASP, Kind.RELEASE, Kind.RETREAT]
        assert episode.success


def test_the_item_is_in_one_hand_or_both_from_grasp_to_release_and_never_falls() -> None:
    episode = make_hand_over(5)
    left, right = (motion.held >= 0 for motion in episode.arms)
    assert np.any(left & right)
    held = np.flatnonzero(left | right)
    assert np.array_equal(held, np.arange(held[0], held[-1] + 1))
    steps = np.abs(np.diff(episode.items[0].position[held], axis=0))
    assert steps.max() * episode.rate_hz < 1.0


def test_same_arguments_same_episode_and_other_seeds_another() -> None:
    one, again, other = make_hand_over(1), make_hand_over(1), make_hand_over(2)
    np.testing.assert_array_equal(one.arms[0].state.position, again.arms[0].state.position)
    assert one.boundaries == again.boundaries
    assert one.boundaries != other.boundaries
