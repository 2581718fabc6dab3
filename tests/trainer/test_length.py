"""The length of an event to come is what training would have made of an event that long."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.events import sample, small, stats_of
from trainer.configs import tiny
from trainer.example import example_of, shown_whole
from trainer.length import length_of


@pytest.mark.parametrize(("n_frames", "hz"), [(6, 20), (25, 20), (25, 50), (48, 10)])
def test_it_is_the_length_of_a_recorded_event(n_frames: int, hz: int) -> None:
    event, config = sample(n_frames=n_frames, hz=hz), small()
    trained = example_of(shown_whole(event, config.data), stats_of(event), config)
    length = length_of(n_frames / 10, 10.0, hz, config.data)
    assert length.latent_frames == trained.latents_VFCHW.shape[1]
    assert torch.equal(length.tau(), trained.tau_K)


@settings(deadline=None)
@given(st.floats(0.01, 600), st.floats(5, 60), st.floats(5, 200))
def test_every_duration_has_one(duration_s: float, fps: float, hz: float) -> None:
    data = tiny().data
    length = length_of(duration_s, fps, hz, data)
    assert 2 <= length.latent_frames <= 1 + (data.max_frames - 1) // 4
    assert 1 <= len(length.action_times_ns) <= data.max_actions
    assert 1 <= int(length.tau().min()) <= int(length.tau().max()) < length.latent_frames
    spoken = max(duration_s, 5 / fps)
    assert abs(length.n_frames / fps - spoken) <= 0.5 / fps + 1e-9
    assert length.action_times_ns[-1] / 1e9 <= length.n_frames / fps + 0.5 / hz


@pytest.mark.parametrize("duration_s", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_duration_is_refused(duration_s: float) -> None:
    with pytest.raises(ValueError, match="duration: found"):
        length_of(duration_s, 10.0, 20.0, replace(tiny().data))
