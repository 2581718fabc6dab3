"""From a shard's sample to tokens: which frames, which actions, in what units."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.sample import EventSample
from pipeline.loader.stats import ActionStats
from tests.trainer.events import KNOWN, sample, stats_of, talking
from trainer.batch import Example
from trainer.configs import TrainConfig, tiny
from trainer.example import example_of, fitted, shown_whole, time_indices

CONFIG = tiny()


def made(event: EventSample, stats: ActionStats | None = None, config: TrainConfig = CONFIG) -> Example:
    return example_of(shown_whole(event, config.data), stats, config)


@given(st.integers(1, 12), st.integers(1, 8))
def test_time_indices_are_k_over_k_p_plus_one(per_latent: int, latents: int) -> None:
    k = np.arange(per_latent * latents)
    times = 7_000 + k * 1_000
    found = time_indices(times, 7_000, 7_000 + len(k) * 1_000, latents + 1)
    assert np.array_equal(found, k // per_latent + 1)


def test_actions_outside_the_frames_go_to_the_nearest_latent() -> None:
    assert time_indices(np.array([-5, 0, 99, 100, 250]), 0, 100, 3).tolist() == [1, 1, 2, 2, 2]


def test_an_event_becomes_normalised_tokens_of_two_views() -> None:
    event = sample()
    found = made(event, stats_of(event))
    assert found.latents_VFCHW.shape == (2, 7, 4, 4, 4)
    assert found.picture_VHW.all()
    assert torch.nonzero(found.action_known_A)[:, 0].tolist() == KNOWN
    assert len(found.actions_KA) == CONFIG.data.max_actions
    assert found.tau_K[0] == 1
    assert found.tau_K[-1] == 6
    assert found.raw_frames == 25


def test_all_actions_that_fit_are_kept_with_zero_mean_and_unit_variance() -> None:
    event = sample(n_frames=13, hz=10)
    actions = made(event, stats_of(event)).actions_KA[:, [0, 1, 9]]
    assert len(actions) == 13
    torch.testing.assert_close(actions.mean(0), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(actions.std(0, correction=0), torch.ones(3), rtol=0, atol=1e-4)


def test_where_the_episode_lay_in_time_and_space_does_not_matter_to_actions() -> None:
    here, there = sample(), sample(start_ns=5 * 10**9)
    assert there.state_T20 is not None
    assert there.action_T20 is not None
    for values in (there.state_T20, there.action_T20):
        values[:, :3] += 0.5
    a, b = (made(event, stats_of(here)) for event in (here, there))
    torch.testing.assert_close(a.actions_KA, b.actions_KA, rtol=0, atol=1e-4)
    assert torch.equal(a.tau_K, b.tau_K)
    assert not torch.equal(a.state_A, b.state_A), "the state is absolute"


def test_an_event_without_actions_needs_no_statistics() -> None:
    found = made(sample(actions=False))
    assert found.actions_KA.shape == (0, 20)
    assert not found.state_known_A.any()


def test_actions_without_statistics_are_refused() -> None:
    with pytest.raises(ValueError, match="ev-a: the event has actions but no statistics"):
        made(sample())


def test_a_wide_picture_leaves_border_cells() -> None:
    found = made(sample(actions=False, height=32))
    assert found.picture_VHW[0].sum(dim=1).tolist() == [4, 4, 0, 0]
    assert (found.latents_VFCHW[0, :, 0, 2:] == -2.0).all(), "black"


def test_pictures_are_fitted_in_whole_cells() -> None:
    assert fitted(480, 640, CONFIG.data) == (24, 32)
    assert fitted(1080, 1920, CONFIG.data) == (16, 32)
    assert fitted(10, 4000, CONFIG.data) == (8, 32)


def test_views_on_another_clock_show_what_was_on_screen() -> None:
    event = sample(actions=False)
    late = {**event.view_times_ns, "wrist": event.view_times_ns["front"] + 3 * 10**8}
    found = made(replace(event, view_times_ns=late))
    front, wrist = found.latents_VFCHW
    assert torch.equal(front[0], wrist[0]), "before its first frame a camera shows its first frame"
    assert not torch.equal(front[1], wrist[1])


def test_views_beyond_the_limit_are_left_out() -> None:
    one = replace(CONFIG, data=replace(CONFIG.data, max_views=1))
    assert len(made(sample(actions=False), config=one).latents_VFCHW) == 1


def test_a_story_knows_what_has_passed_and_how_it_ends() -> None:
    event, stats = sample(), stats_of(sample())
    story = made(event, stats, talking()).story
    assert story is not None
    assert story.end is not None
    assert event.state_T20 is not None
    assert (story.elapsed_s, story.remaining_s) == (0.0, 2.5)
    np.testing.assert_allclose(story.end.state_A.numpy(), stats.normalise_state(event.state_T20[-1]), atol=1e-6)
    shown = shown_whole(event, CONFIG.data)
    part = replace(
        shown, times_ns=shown.times_ns[4:13], pixels={name: each[4:13] for name, each in shown.pixels.items()}
    )
    inside = example_of(part, stats, talking()).story
    assert inside is not None
    assert inside.end is None, "nobody has seen it"
    assert inside.elapsed_s == pytest.approx((part.times_ns[0] - event.span.start_ns) / 1e9)
    assert inside.elapsed_s + inside.remaining_s == pytest.approx(2.5)
