"""An edited clip changes its picture at its cuts; a head-mounted camera moves all the time."""

import numpy as np

from pipeline.synthetic.view import PictureSize
from pipeline.synthetic.wild import EGO_HZ, cut_frames, edited_clip, egocentric, play
from schemas.event import BoundaryKind

SIZE = PictureSize(112, 84, focal=0.95)


def test_pictures_change_more_at_a_cut_than_anywhere_else() -> None:
    for seed in range(4):
        shots = edited_clip((seed,), SIZE)
        grey = np.stack([picture.mean(axis=2) for picture in play(shots)])
        assert len(grey) == sum(len(shot.frames) for shot in shots)
        change = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
        cuts = [frame - 1 for frame in cut_frames(shots)]
        assert 2 <= len(cuts) <= 4
        assert change[cuts].min() > 30
        assert np.delete(change, cuts).max() < 15


def test_an_egocentric_video_shows_hands_at_work_from_a_head_that_sways() -> None:
    trajectory, pictures = egocentric((1, 2), 0, SIZE)
    grey = np.stack([picture.mean(axis=2) for picture in pictures])
    assert len(grey) == trajectory.n_frames
    assert trajectory.rate_hz == EGO_HZ
    corner = grey[:, :10, :10].mean(axis=(1, 2))
    assert np.std(corner) > 0.3
    assert {BoundaryKind.GRASP, BoundaryKind.RELEASE} <= {boundary.kind for boundary in trajectory.boundaries}
