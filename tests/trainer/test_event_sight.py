"""Masks of an event: which calibration, which frame, which pixels."""

import json
from dataclasses import replace

import numpy as np
import torch

from pipeline.loader.sample import EventSample
from tests.trainer.events import lively, sample, small, stats_of, velocities
from trainer.batch import Example
from trainer.codec import TOY
from trainer.configs import tiny
from trainer.event_sight import canvas_of, token_corners
from trainer.example import example_of, shown_whole
from trainer.infer import imagine

INTRINSICS = [[60.0, 0, 31.5], [0, 60.0, 31.5], [0, 0, 1]]


def looking(x: float, turned: bool = False) -> list[list[float]]:
    """A camera at (x, 0, 0) that looks along z, or back along −z."""
    sign = -1.0 if turned else 1.0
    return [[sign, 0, 0, x], [0, 1.0, 0, 0], [0, 0, sign, 0], [0, 0, 0, 1.0]]


def calibrated(front: object, wrist: object) -> EventSample:
    cameras = {
        name: {"width": 64, "height": 64, "intrinsics": INTRINSICS, "distortion": None, "extrinsics": extrinsics}
        for name, extrinsics in (("front", front), ("wrist", wrist))
    }
    return replace(sample(), calib_json=json.dumps({"cameras": cameras}).encode())


def made(event: EventSample) -> Example:
    return example_of(shown_whole(event, tiny().data), stats_of(sample()), tiny())


def test_without_calibration_there_is_no_mask() -> None:
    assert made(sample()).visible_FNN is None
    assert made(calibrated(looking(0.0), None)).visible_FNN is None


def test_cameras_side_by_side_see_each_other_and_back_to_back_do_not() -> None:
    beside, apart = made(calibrated(looking(0.0), looking(1.0))), made(calibrated(looking(0.0), looking(0.0, True)))
    assert beside.visible_FNN is not None
    assert apart.visible_FNN is not None
    assert beside.visible_FNN.shape == (1, 8, 8)
    assert beside.visible_FNN[0, :4, 4:].any()
    assert not beside.visible_FNN[0, :4, 4:].all()
    assert not apart.visible_FNN[0, :4, 4:].any()


def test_a_moving_camera_has_a_mask_for_every_latent_frame() -> None:
    poses = [looking(0.05, turned=frame > 12) for frame in range(25)]
    mask = made(calibrated(looking(0.0), poses)).visible_FNN
    assert mask is not None
    assert len(mask) == 7
    across = mask[:, :4, 4:].flatten(1).any(dim=1)
    assert across.tolist() == [True, True, True, True, False, False, False]


def test_tokens_cover_the_canvas_by_rows() -> None:
    corners = token_corners(canvas_of(32, 48, TOY))
    assert corners.shape == (6, 4, 2)
    assert corners[0].tolist() == [[0, 0], [16, 0], [16, 16], [0, 16]]
    assert corners[1, 0].tolist() == [16, 0]
    assert np.array_equal(corners[3, 0], [0, 16])


def test_masked_cameras_do_not_read_each_other_in_training_and_do_in_imagination() -> None:
    event = made(calibrated(looking(0.0), looking(0.0, True)))
    model = lively(small().model)
    changed = replace(event, latents_VFCHW=event.latents_VFCHW.clone())
    changed.latents_VFCHW[1] += 1.0
    half = event.n_video // 2
    before, after = (velocities(model, [each], [0]).video_TP for each in (event, changed))
    assert torch.equal(before[:half], after[:half])
    seen = [imagine(model, each, steps=1, shift=1.0, seed=0).latents_VFCHW[0] for each in (event, changed)]
    assert not torch.equal(seen[0], seen[1])
