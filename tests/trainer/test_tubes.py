"""Tubes: what is hidden, where, and how often (T8)."""

from dataclasses import replace

import pytest
import torch

from tests.trainer.events import example, noised
from trainer.batch import Example
from trainer.flow import add_noise
from trainer.tubes import TubeConfig, seen_by_others, tubes_of

ALWAYS = TubeConfig(probability=1.0, condition=0.5, side=2)


def event(visible: torch.Tensor | None = None) -> Example:
    """Two views of 4 × 4 tokens, 3 latent frames; by default the left half of view 0 meets all of view 1."""
    if visible is None:
        mask = torch.zeros(2, 16, 2, 16, dtype=torch.bool)
        mask[0, :, 0], mask[1, :, 1] = True, True
        left = torch.arange(16) % 4 < 2
        mask[0, left, 1], mask[1, :, 0, left] = True, True
        visible = mask.reshape(1, 32, 32)
    return replace(example(views=2, size=64), visible_FNN=visible)


def grid(hidden_T: torch.Tensor) -> torch.Tensor:
    return hidden_T.reshape(2, 3, 4, 4)


def test_a_tube_is_a_window_of_one_view_in_every_frame_where_another_view_can_see() -> None:
    for draw in range(40):
        tubes = tubes_of([event()], [draw], 0, ALWAYS)
        assert tubes is not None
        hidden = grid(tubes.hidden_T)
        assert hidden.flatten(1).any(dim=1).sum() == 1, "one view"
        (view,) = hidden.flatten(1).any(dim=1).nonzero()[:, 0].tolist()
        assert all(torch.equal(frame, hidden[view, 0]) for frame in hidden[view])
        assert hidden[view, 0].sum() == 4
        if view == 0:
            assert not hidden[view, 0, :, 2:].any()


def test_without_overlap_or_calibration_there_is_no_tube() -> None:
    apart = torch.eye(2, dtype=torch.bool).repeat_interleave(16, 0).repeat_interleave(16, 1)[None]
    assert tubes_of([event(apart)], [0], 0, ALWAYS) is None
    assert tubes_of([example(views=2)], [0], 0, ALWAYS) is None
    assert seen_by_others(example(views=2), 2, 2) is None


def test_what_a_moving_camera_sees_now_and_then_is_not_enough() -> None:
    both = event().visible_FNN
    assert both is not None
    apart = torch.eye(2, dtype=torch.bool).repeat_interleave(16, 0).repeat_interleave(16, 1)[None]
    assert tubes_of([event(torch.cat([both, apart]))], [0], 0, ALWAYS) is None


def test_probabilities_are_what_they_say() -> None:
    config = TubeConfig(probability=0.3, condition=0.25)
    found = [tubes_of([event()], [draw], 0, config) for draw in range(600)]
    there = [tubes for tubes in found if tubes is not None]
    assert len(there) / 600 == pytest.approx(0.3, abs=0.06)
    assert sum(bool(tubes.observed_T.any()) for tubes in there) / len(there) == pytest.approx(0.25, abs=0.1)
    assert all(not (tubes.observed_T & ~tubes.hidden_T).any() for tubes in there)


def test_hidden_tokens_are_noise_and_the_observed_frame_only_where_the_tube_says() -> None:
    batch, noise, plain = noised([event()], [0])
    hidden_T = torch.zeros(batch.n_events and len(plain.video_TP), dtype=torch.bool)
    hidden_T[:2], hidden_T[20:22] = True, True
    for observed in (False, True):
        marked = replace(noise, tube_T=hidden_T, tube_observed_T=hidden_T & observed)
        seen = add_noise(batch, marked).video_TP
        expected = hidden_T & (~batch.video.observed_T | observed)
        assert torch.equal(seen[expected], noise.video_TP[expected])
        assert torch.equal(seen[~expected], plain.video_TP[~expected])
