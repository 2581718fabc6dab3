"""Stepped by setpoints, the world is the one scripts live in: the same contacts and the same pictures."""

import numpy as np
import pytest

from pipeline.recovery.demonstration import Pose
from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.scene import Painter, render
from pipeline.synthetic.simulator import RunningEpisode, plain_name
from schemas.episode import Arm

SEED = (4, 1)


def running(number: int, index: int) -> tuple[RunningEpisode, dict[str, Painter]]:
    source = ROBOT_SOURCES[number]
    whole = source.trajectory(SEED, index)
    views = source.views(whole, SEED, index)
    painters = {camera: Painter(views[camera].size, look) for camera, look in source.looks(index).items()}
    return RunningEpisode(source, whole, 0, views), painters


@pytest.mark.parametrize(("number", "index"), [(0, 0), (1, 0), (1, 1), (2, 0), (4, 0)])
def test_a_hand_led_along_a_recorded_path_does_what_was_recorded(number: int, index: int) -> None:
    """Two arms, a pick and place, a push, a slip, three tasks: every item ends where it ended."""
    episode, _ = running(number, index)
    for row in range(1, episode.whole.n_frames):
        episode.step(
            {
                motion.arm: Pose(
                    motion.true.position[row], motion.true.rotation[row],
                    float(motion.true.opening[row]) - 0.02 * (motion.held[row] >= 0),
                )
                for motion in episode.whole.arms
            }
        )  # fmt: skip
    for arm, hand in episode.hands.items():
        ends = [item.position[-1] for item in episode.whole.items if item.arm is arm]
        for body, end in zip(hand.hand.bodies, ends, strict=True):
            assert [body.x, body.y, body.z] == pytest.approx(end.tolist(), abs=0.006)


def test_the_first_picture_is_that_of_the_recording() -> None:
    episode, painters = running(1, 0)
    views, looks = episode.source.views(episode.whole, SEED, 0), episode.source.looks(0)
    seen = episode.pictures(painters, by_tick=False)
    for camera in painters:
        (recorded,) = render(episode.whole, views[camera], looks[camera], range(1))
        assert np.array_equal(seen[plain_name(camera)], recorded)


def test_a_history_is_as_long_as_what_was_lived_through() -> None:
    episode, _ = running(1, 0)
    hand = episode.hands[Arm.RIGHT]
    assert hand.history() is None
    for _ in range(3):
        episode.step(episode.poses)
    history = hand.history()
    assert history is not None
    assert history.position.shape == (90, 3)
    assert history.item_position.shape == (1, 90, 3)
    assert np.all(history.held == -1)
    assert np.all(history.pushing == -1)
