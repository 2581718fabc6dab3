"""Which cells of two views show one place, and what errors there say."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.loader.sample import EventSample
from tests.trainer.events import sample, stats_of
from tests.trainer.test_event_sight import INTRINSICS, looking
from trainer.configs import tiny
from trainer.eval.cross_view import Agreement, Pairs, agreement, pairs_of
from trainer.example import example_of, shown_whole

DATA = tiny().data


def filmed(front: object, wrist: object, *, depth: float | None = None) -> EventSample:
    """Two cameras, and where given a tool that stays ``depth`` before them."""
    cameras = {
        name: {"width": 64, "height": 64, "intrinsics": INTRINSICS, "distortion": None, "extrinsics": extrinsics}
        for name, extrinsics in (("front", front), ("wrist", wrist))
    }
    event = replace(sample(), calib_json=json.dumps({"cameras": cameras}).encode())
    if depth is None:
        return replace(event, state_known_20=np.zeros(20, bool))
    state = np.array(event.state_T20)
    state[:, :3] = (0.0, 0.0, depth)
    return replace(event, state_T20=state)


def pairs(event: EventSample) -> tuple[Pairs, ...]:
    shown = shown_whole(event, DATA)
    example = example_of(shown, stats_of(sample()), tiny())
    return pairs_of(shown, example.latents_VFCHW, example.picture_VHW, DATA)


def test_a_tool_is_found_where_it_is_projected_in_both_views() -> None:
    (found,) = pairs(filmed(looking(0.0), looking(0.4), depth=1.0))
    assert found.source == "points"
    # x = 31.5 and 31.5 − 60·0.4/1 = 7.5 of 64 pixels: half a picture of 32 has columns 1 or 2, and 0, of 4
    assert found.place_P3.tolist() == [[frame, 10, 8] for frame in range(1, 7)]


def test_a_tool_outside_a_picture_or_behind_a_camera_is_no_pair() -> None:
    assert pairs(filmed(looking(0.0), looking(3.0), depth=1.0))[0].source == "sight"
    assert pairs(filmed(looking(0.0), looking(0.0, turned=True), depth=1.0))[0].source == "sight"


def test_without_points_cells_must_be_able_to_see_each_other() -> None:
    event = filmed(looking(0.0), looking(3.0))
    visible = example_of(shown_whole(event, DATA), stats_of(sample()), tiny()).visible_FNN
    assert visible is not None

    def seen(found: Pairs) -> torch.Tensor:
        token = (found.place_P3[:, 1:] // 4 // 2) * 2 + found.place_P3[:, 1:] % 4 // 2
        return visible[0, token[:, 0], 4 + token[:, 1]]

    (found,), (blind,) = pairs(event), pairs(sample())
    assert found.source == "sight"
    assert len(found.place_P3)
    assert bool(seen(found).all())
    assert not bool(seen(blind).all()), "looks alone would pair what cannot be one place"


def test_without_calibration_cells_are_matched_by_their_looks() -> None:
    (found,) = pairs(sample())
    assert found.source == "likeness"
    assert len(found.place_P3) > 6


PAIR = Pairs("points", 0, 1, torch.tensor([[1, 0, 3], [2, 1, 2]]))


def told(errors_VFCHW: torch.Tensor) -> Agreement:
    (found,) = agreement(errors_VFCHW, torch.zeros_like(errors_VFCHW), (PAIR,))
    return found


def test_errors_that_both_views_share_are_agreement() -> None:
    errors = torch.zeros(2, 3, 4, 2, 2)
    assert (told(errors).apart, told(errors).own) == (0.0, 0.0)
    errors[0, 1, :, 0, 0] = errors[1, 1, :, 1, 1] = 2.0
    assert (told(errors).apart, told(errors).own) == (0.0, 32.0)


def test_errors_of_one_view_alone_and_against_each_other_are_not() -> None:
    alone, against = torch.zeros(2, 3, 4, 2, 2), torch.zeros(2, 3, 4, 2, 2)
    alone[0, 2, :, 0, 1] = 1.0
    against[0, 1, :, 0, 0], against[1, 1, :, 1, 1] = 1.0, -1.0
    assert told(alone).apart == told(alone).own == 4.0
    assert told(against).apart == pytest.approx(2 * told(against).own)


def test_errors_elsewhere_do_not_count() -> None:
    errors = torch.ones(2, 3, 4, 2, 2)
    for view, frame, cell in ((0, 1, 0), (1, 1, 3), (0, 2, 1), (1, 2, 2)):
        errors[view, frame].flatten(1)[:, cell] = 0.0
    assert told(errors).own == 0.0
