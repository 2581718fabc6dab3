"""Noise, targets and losses, number by number."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.events import example, noised
from trainer.batch import pack
from trainer.flow import (
    Sigmas,
    action_loss,
    add_noise,
    draw_noise,
    euler,
    generator_of,
    masked_mse,
    shifted,
    video_loss,
)


@pytest.mark.parametrize("kind", ["uniform", "logit_normal", "beta"])
@given(uniform=st.floats(0, 1, exclude_max=True), shift=st.floats(0.5, 16))
def test_noise_levels_lie_strictly_between_data_and_noise(kind: str, uniform: float, shift: float) -> None:
    sigma = Sigmas(kind, shift).at(torch.tensor([uniform], dtype=torch.float64))
    assert 0.0 < sigma.item() < 1.0


def test_noise_levels_follow_their_distribution() -> None:
    uniform = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    assert Sigmas("logit_normal").at(uniform).median().item() == pytest.approx(0.5, abs=1e-3)
    # The mean of Beta(1.5, 1) is 0.6.
    assert Sigmas("beta").at(uniform).mean().item() == pytest.approx(0.999 * 0.6 + 0.001, abs=1e-3)
    assert Sigmas("uniform", shift=3.0).at(torch.tensor([0.5])).item() == pytest.approx(0.75)


def test_the_shift_keeps_the_ends_and_moves_the_middle() -> None:
    ends = torch.tensor([0.0, 1.0])
    assert torch.equal(shifted(ends, 5.0), ends)
    assert shifted(torch.tensor(0.1), 5.0).item() == pytest.approx(0.5 / 1.4)


def test_a_draws_noise_does_not_depend_on_its_pack() -> None:
    events = [example(), example(views=2, seed=1)]
    together = draw_noise(events, [4, 7], 0, Sigmas("uniform"), Sigmas("beta"))
    alone = draw_noise(events[1:], [7], 0, Sigmas("uniform"), Sigmas("beta"))
    assert torch.equal(together.video_TP[events[0].n_video :], alone.video_TP)
    assert torch.equal(together.action_sigma_E[1:], alone.action_sigma_E)


def test_draws_and_seeds_have_noise_of_their_own() -> None:
    numbers = {torch.rand((), generator=generator_of(seed, draw)).item() for seed in range(4) for draw in range(4)}
    assert len(numbers) == 16


def test_symmetric_towers_share_one_level_and_others_do_not() -> None:
    symmetric = draw_noise([example()], [0], 0, Sigmas("uniform"), None)
    assert torch.equal(symmetric.video_sigma_E, symmetric.action_sigma_E)
    apart = draw_noise([example()], [0], 0, Sigmas("uniform"), Sigmas("uniform"))
    assert not torch.equal(apart.video_sigma_E, apart.action_sigma_E)


def test_observed_tokens_stay_clean_at_level_zero_and_the_rest_is_interpolated() -> None:
    batch, noise, seen = noised([example()], [0])
    observed, sigma = batch.video.observed_T, noise.video_sigma_E
    assert torch.equal(seen.video_TP[observed], batch.video.clean_TP[observed])
    expected = (1 - sigma) * batch.video.clean_TP + sigma * noise.video_TP
    torch.testing.assert_close(seen.video_TP[~observed], expected[~observed])
    assert torch.equal(seen.action_SA[0], batch.action.clean_SA[0])
    assert seen.video_sigma_R.tolist() == [0.0, sigma.item()]


def test_the_right_velocity_has_no_loss() -> None:
    batch, noise, _ = noised([example(views=2), example(seed=1)], [0, 1])
    assert video_loss(noise.video_TP - batch.video.clean_TP, batch, noise).item() == 0
    assert action_loss(noise.action_SA - batch.action.clean_SA, batch, noise).item() == 0


def test_what_is_not_counted_does_not_matter() -> None:
    batch, noise, _ = noised([example()], [0])
    wrong = noise.video_TP - batch.video.clean_TP + 7.0 * ~batch.video.mask_TP
    assert video_loss(wrong, batch, noise).item() == 0


def test_the_loss_is_a_mean_over_events_or_over_tokens() -> None:
    error, mask = torch.tensor([[1.0], [1.0], [1.0], [3.0]]), torch.ones(4, 1, dtype=torch.bool)
    event = torch.tensor([0, 0, 0, 1])
    assert masked_mse(error, mask, event, 2, "event").item() == 5.0
    assert masked_mse(error, mask, event, 2, "token").item() == 3.0


def test_events_without_anything_to_count_do_not_dilute_the_mean() -> None:
    error = torch.tensor([[2.0], [9.0]])
    mask = torch.tensor([[True], [False]])
    assert masked_mse(error, mask, torch.tensor([0, 1]), 2, "event").item() == 4.0


def test_a_pack_without_any_action_has_an_action_loss_of_zero() -> None:
    batch = pack([example(actions=0)])
    noise = draw_noise([example(actions=0)], [0], 0, Sigmas("uniform"), None)
    loss = action_loss(torch.ones_like(batch.action.clean_SA), batch, noise)
    assert loss.item() == 0.0


def test_euler_along_the_true_velocity_arrives_at_the_data() -> None:
    batch, noise, _ = noised([example()], [0])
    full = replace(noise, video_sigma_E=torch.ones(1), action_sigma_E=torch.ones(1))
    start = add_noise(batch, full)
    truth = noise.video_TP - batch.video.clean_TP, noise.action_SA - batch.action.clean_SA
    video, action = euler(lambda _v, _a, _s: truth, noise.video_TP, noise.action_SA, steps=4, shift=5.0)
    torch.testing.assert_close(video, batch.video.clean_TP, rtol=0, atol=1e-5)
    torch.testing.assert_close(action, batch.action.clean_SA, rtol=0, atol=1e-5)
    assert start.video_sigma_R.tolist() == [0.0, 1.0]
