"""Infinite numbers become missing ones, counted, and nothing else changes."""

import numpy as np

from pipeline.sources.infinite import without_infinities
from pipeline.sources.raw import RawCamera, RawEpisode
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, CameraRole, VideoWindow
from tests.pipeline.sources.one_episode import REF


def raw(position: float, joint: float, focal: float) -> RawEpisode:
    arm = ArmTrack(Arm.RIGHT, np.array([[position, 0, 0], [1, 2, 3]], np.float32), None, None, None, 0)
    track = ActionTrack(
        REF.episode_id, ActionKind.MEASURED, "made", np.array([0, 1]), np.ones(2, np.bool_), (arm,), (), ("a",),
        np.array([joint, 1.0], np.float32), None,
    )  # fmt: skip
    window = VideoWindow("video/a", 0, 0, -1)
    camera = RawCamera("a", CameraRole.THIRD_PERSON, window, intrinsics=np.array([[focal, 0, 1], [0, 1, 1], [0, 0, 1]]))
    return RawEpisode("", (camera,), track, True, (), ())


def test_good_numbers_are_left_alone() -> None:
    good = raw(np.nan, 1.0, 500.0)
    assert without_infinities(REF, good) is good


def test_infinite_numbers_are_missing_ones() -> None:
    mended = without_infinities(REF, raw(np.inf, -np.inf, 1e300))
    assert mended.actions is not None
    assert np.array_equal(mended.actions.state[0].position, [[np.nan, 0, 0], [1, 2, 3]], equal_nan=True)
    assert np.array_equal(mended.actions.joint_state, [np.nan, 1], equal_nan=True)
    assert mended.cameras[0].intrinsics is None
    (finding,) = mended.findings
    assert (finding.check, finding.value) == ("numbers_infinite", 3)
