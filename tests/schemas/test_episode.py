"""Cameras and action tracks as readers of a record use them."""

import numpy as np

from schemas.episode import ActionKind, ActionTrack, Camera, CameraRole, Episode, Protocol, VideoWindow
from schemas.source import SourceKind


def camera(name: str, n_frames: int) -> Camera:
    return Camera(
        name=name,
        role=CameraRole.THIRD_PERSON,
        video=VideoWindow("video/top", 0, 0, 10 * n_frames),
        width=64,
        height=48,
        times_ns=np.arange(n_frames, dtype=np.int64) * 10,
        end_ns=10 * n_frames,
    )


def test_a_cameras_clock_ends_after_its_last_frame() -> None:
    clock = camera("top", 3).clock
    assert (len(clock), clock.edge_ns(3)) == (camera("top", 3).n_frames, 30)


def test_the_first_camera_is_the_master_whose_frames_number_the_spans() -> None:
    episode = Episode(
        episode_id="ep-1",
        source="bench",
        kind=SourceKind.TELEOP,
        dataset="bench",
        locator="0",
        embodiment="so101",
        instruction="",
        protocol=Protocol.STRUCTURED,
        action_kind=ActionKind.NONE,
        cameras=(camera("wrist", 3), camera("top", 5)),
        annotations=(),
        licence="MIT",
        consent="not stated",
    )
    assert (episode.master.name, episode.master.n_frames) == ("wrist", 3)


def test_a_tracks_rows_are_its_stamps() -> None:
    track = ActionTrack(
        episode_id="ep-1",
        kind=ActionKind.MEASURED,
        provenance="test",
        times_ns=np.arange(4, dtype=np.int64),
        valid=np.ones(4, np.bool_),
        state=(),
        target=(),
        joint_names=(),
        joint_state=None,
        joint_target=None,
    )
    assert track.n_rows == 4
