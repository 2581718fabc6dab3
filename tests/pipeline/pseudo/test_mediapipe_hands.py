"""MediaPipe on real headset recordings. Needs the library, which has an environment of its own."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="docs/pseudo_actions.md says how to install it")

from pipeline.pseudo.hand_actions import HandWatch
from pipeline.pseudo.mediapipe_hands import MediapipeHands, revision, tracker
from pipeline.video import Picture
from schemas.episode import ActionTrack, Arm
from tests.pipeline.pseudo.made_hands import SPEC

TABLE = "egocentric/headset_clips_4fps/situation_understanding.mp4"


def frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def track_of(path: Path) -> ActionTrack:
    watch = HandWatch("main", tracker(), SPEC)
    for i, frame in enumerate(frames(path)):
        watch.look(Picture(i * 250_000_000, (i + 1) * 250_000_000, frame, 0), i * 250_000_000)
    track = watch.track("ep-1", revision())
    assert track is not None
    return track


def test_the_hands_of_a_person_at_a_table_are_on_their_own_sides(real: Path) -> None:
    """Seen through their own eyes, the left hand is left of the right one while both are on the table."""
    track = track_of(real / TABLE)
    assert [arm.arm for arm in track.state] == [Arm.LEFT, Arm.RIGHT]
    left, right = (arm.position for arm in track.state)
    assert left is not None
    assert right is not None
    both = np.flatnonzero(track.valid)
    assert len(both) >= 13
    assert (left[both, 0] < right[both, 0]).all()


def test_a_mirrored_recording_swaps_the_hands(real: Path) -> None:
    (frame,) = frames(real / TABLE)[16:17]
    rgb = frame.to_ndarray(format="rgb24")
    wrists = [
        {hand.side: hand.picture[0, 0] for hand in MediapipeHands().hands(picture)}
        for picture in (rgb, np.ascontiguousarray(rgb[:, ::-1]))
    ]
    assert wrists[0][Arm.LEFT] < wrists[0][Arm.RIGHT]
    assert 1 - wrists[1][Arm.RIGHT] == pytest.approx(wrists[0][Arm.LEFT], abs=0.05)


def test_a_hand_lifted_to_the_eyes_comes_nearer(real: Path) -> None:
    seen = frames(real / TABLE)
    near, far = (MediapipeHands().hands(seen[i].to_ndarray(format="rgb24")) for i in (21, 16))
    size = [max(np.ptp(hand.picture[:, 1]) for hand in hands) for hands in (near, far)]
    assert size[0] > 1.5 * size[1]


def test_every_picture_is_judged_by_itself(real: Path) -> None:
    rgb = frames(real / TABLE)[16].to_ndarray(format="rgb24")
    first = tracker().hands(rgb)
    tracker().hands(cv2.flip(rgb, 0))
    again = tracker().hands(rgb)
    assert [hand.side for hand in first] == [hand.side for hand in again]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.picture, two.picture)


def test_the_revision_names_library_and_models() -> None:
    assert revision().startswith("mediapipe 0.10.")
    assert len(revision().partition("(")[2]) == 13
