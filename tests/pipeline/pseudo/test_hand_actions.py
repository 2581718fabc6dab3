"""From hands to an action track: where, how far, how open, and when nothing is known."""

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pseudo.hand_actions import HandWatch
from pipeline.pseudo.hands import Hand
from pipeline.video import Picture
from schemas.episode import ActionKind, Arm
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S
from tests.pipeline.pseudo.made_hands import SPEC, FakeTracker, hand


def picture(t_ns: int, fps: float = 10.0, width: int = 64, height: int = 48, *, damaged: bool = False) -> Picture:
    frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")
    return Picture(t_ns, t_ns + round(NS_PER_S / fps), frame, 0, damaged)


def watched(
    *told: list[Hand], n: int = 20, fps: float = 10.0, focal_px: float | None = None, **keys: float
) -> HandWatch:
    watch = HandWatch("ego", FakeTracker(*told), SPEC.model_copy(update=keys), focal_px)
    for i in range(n):
        watch.look(picture(round(i * NS_PER_S / fps), fps), round(i * NS_PER_S / fps))
    return watch


def test_position_is_right_away_up_from_the_middle_of_the_picture() -> None:
    """The picture is 4:3: a wrist at the left edge's middle is 0.5 widths left and 0 up."""
    track = watched([hand((0.0, 0.375), 0.4)]).track("ep-1", "made up")
    assert track is not None
    (arm,) = track.state
    assert arm.position is not None
    np.testing.assert_allclose(arm.position, np.tile([-0.5, 0.4, 0.0], (20, 1)), atol=1e-6)
    above = watched([hand((0.75, 0.1), 0.8)]).track("ep-1", "made up")
    assert above is not None
    np.testing.assert_allclose(above.state[0].position[0], [0.25, 0.8, 0.275], atol=1e-6)


def test_a_known_focal_length_makes_the_distance_metric() -> None:
    track = watched([hand(away_m=0.4)], focal_px=128.0).track("ep-1", "made up")
    assert track is not None
    assert track.state[0].position is not None
    assert track.state[0].position[0, 1] == pytest.approx(0.8)
    assert "known focal length" in track.provenance


def test_the_track_says_that_it_is_pseudo_and_in_the_image() -> None:
    track = watched([hand(gap=0.7)]).track("ep-1", "hands by fake 1")
    assert track is not None
    assert (track.kind, track.frame, track.target) == (ActionKind.PSEUDO, "image", ())
    assert track.provenance.startswith("hands by fake 1; wrist in picture widths, distance from hand size")
    assert track.state[0].rotation is None
    np.testing.assert_allclose(track.state[0].opening, 0.7, atol=1e-6)
    assert track.joint_names == ("right.confidence",)
    np.testing.assert_allclose(track.joint_state, 0.95, atol=1e-6)


def test_a_row_without_the_hand_is_invalid_and_never_filled_in() -> None:
    track = watched([hand()], [hand()], []).track("ep-1", "")
    assert track is not None
    assert track.valid.tolist() == [i % 3 != 2 for i in range(20)]
    (arm,) = track.state
    for values in (arm.position, arm.opening, track.joint_state):
        assert values is not None
        assert np.isnan(values[~track.valid]).all()


def test_an_unsure_hand_does_not_count() -> None:
    unsure = [hand(confidence=0.79)]
    assert watched(unsure).track("ep-1", "") is None
    assert watched(unsure, min_confidence=0.7).track("ep-1", "") is not None


def test_of_two_hands_of_one_side_the_surer_counts() -> None:
    track = watched([hand((0.2, 0.375), confidence=0.9), hand((0.8, 0.375), confidence=0.99)]).track("ep-1", "")
    assert track is not None
    assert track.state[0].position is not None
    assert track.state[0].position[0, 0] == pytest.approx(0.3)


def test_both_hands_make_a_row_and_a_rare_one_is_left_out() -> None:
    both = [hand(side=Arm.LEFT), hand()]
    track = watched(both).track("ep-1", "")
    assert track is not None
    assert [arm.arm for arm in track.state] == [Arm.LEFT, Arm.RIGHT]
    rarely = watched(both, [hand()], [hand()]).track("ep-1", "")
    assert rarely is not None
    assert [arm.arm for arm in rarely.state] == [Arm.RIGHT]
    assert rarely.valid.all()


def test_a_hand_seen_now_and_then_is_kept_when_it_is_the_only_one() -> None:
    track = watched([hand()], [], []).track("ep-1", "")
    assert track is not None
    assert np.mean(track.valid) == pytest.approx(7 / 20)


def test_too_few_sights_are_no_track() -> None:
    assert watched([hand()], n=4).track("ep-1", "") is None
    assert watched([]).track("ep-1", "") is None


@pytest.mark.parametrize(
    ("fps", "hz", "every"), [(30.0, 10.0, 3), (29.97, 10.0, 3), (25.0, 10.0, 3), (10.0, 10.0, 1), (4.0, 10.0, 1)]
)
def test_pictures_are_looked_at_as_often_as_asked(fps: float, hz: float, every: int) -> None:
    watch = watched([], n=60, fps=fps, hz=hz)
    frames = np.rint(np.array(watch.times_ns) * fps / NS_PER_S).astype(int)
    assert frames[0] == 0
    assert set(np.diff(frames)) <= ({every} if fps != 25.0 else {2, 3})


@given(fps=st.floats(5, 120), hz=st.floats(0.1, 60))
def test_no_event_is_without_a_row(fps: float, hz: float) -> None:
    watch = watched([], n=40, fps=fps, hz=hz)
    frames = np.rint(np.array(watch.times_ns) * fps / NS_PER_S).astype(int)
    assert np.diff([*frames, 40]).max() <= MIN_EVENT_FRAMES


def test_a_damaged_picture_is_not_looked_at() -> None:
    tracker = FakeTracker([hand()])
    watch = HandWatch("ego", tracker, SPEC)
    for i in range(10):
        watch.look(picture(i * 10**8, damaged=i == 4), i * 10**8)
    assert len(tracker.seen) == 9
    track = watch.track("ep-1", "")
    assert track is not None
    assert np.flatnonzero(~track.valid).tolist() == [4]


def test_large_pictures_are_shrunk_first() -> None:
    tracker = FakeTracker([])
    watch = HandWatch("ego", tracker, SPEC)
    watch.look(picture(0, width=3840, height=2160), 0)
    watch.look(picture(10**9, width=640, height=480), 10**9)
    assert tracker.seen == [(720, 1280, 3), (480, 640, 3)]
