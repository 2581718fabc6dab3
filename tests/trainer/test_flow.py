"""Noise and sampling, number by number."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.events import example, noised
from trainer.flow import Schedule, Sigmas, add_noise, draw_noise, euler, generator_of, shifted


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
    together = draw_noise(events, [4, 7], 0, Schedule(Sigmas("uniform"), Sigmas("beta")))
    alone = draw_noise(events[1:], [7], 0, Schedule(Sigmas("uniform"), Sigmas("beta")))
    assert torch.equal(together.video_TP[events[0].n_video :], alone.video_TP)
    assert torch.equal(together.action_sigma_D[1:], alone.action_sigma_D)


def test_draws_and_seeds_have_noise_of_their_own() -> None:
    numbers = {torch.rand((), generator=generator_of(seed, draw)).item() for seed in range(4) for draw in range(4)}
    assert len(numbers) == 16


def test_symmetric_towers_share_one_level_and_others_do_not() -> None:
    symmetric = draw_noise([example()], [0], 0, Schedule(Sigmas("uniform"), None))
    assert torch.equal(symmetric.video_sigma_E, symmetric.action_sigma_D)
    apart = draw_noise([example()], [0], 0, Schedule(Sigmas("uniform"), Sigmas("uniform")))
    assert not torch.equal(apart.video_sigma_E, apart.action_sigma_D)


def test_observed_tokens_stay_clean_at_level_zero_and_the_rest_is_interpolated() -> None:
    batch, noise, seen = noised([example()], [0])
    observed, sigma = batch.video.observed_T, noise.video_sigma_E
    assert torch.equal(seen.video_TP[observed], batch.video.clean_TP[observed])
    expected = (1 - sigma) * batch.video.clean_TP + sigma * noise.video_TP
    torch.testing.assert_close(seen.video_TP[~observed], expected[~observed])
    assert torch.equal(seen.action_SA[0], batch.action.clean_SA[0])
    assert seen.video_sigma_R.tolist() == [0.0, sigma.item()]


def test_euler_along_the_true_velocity_arrives_at_the_data() -> None:
    batch, noise, _ = noised([example()], [0])
    full = replace(noise, video_sigma_E=torch.ones(1), action_sigma_D=torch.ones(1))
    start = add_noise(batch, full)
    truth = noise.video_TP - batch.video.clean_TP, noise.action_SA - batch.action.clean_SA
    video, action = euler(lambda _v, _a, _s: truth, noise.video_TP, noise.action_SA, steps=4, shift=5.0)
    torch.testing.assert_close(video, batch.video.clean_TP, rtol=0, atol=1e-5)
    torch.testing.assert_close(action, batch.action.clean_SA, rtol=0, atol=1e-5)
    assert start.video_sigma_R.tolist() == [0.0, 1.0]


def test_an_anchored_video_stands_at_its_level_but_for_a_little() -> None:
    anchor = Sigmas("anchor", level=0.36, jitter=0.02)
    levels = anchor.at(torch.linspace(0, 0.999, 101, dtype=torch.float64))
    assert levels.min().item() == pytest.approx(0.34, abs=1e-3)
    assert levels.max().item() == pytest.approx(0.38, abs=1e-3)


def test_every_action_draw_has_noise_and_a_level_of_its_own_and_the_first_is_the_only_one_of_one() -> None:
    six = draw_noise([example()], [3], 0, Schedule(Sigmas("anchor"), Sigmas("beta"), 6))
    one = draw_noise([example()], [3], 0, Schedule(Sigmas("anchor"), Sigmas("beta")))
    assert len(six.action_sigma_D.unique()) == 6
    assert len(six.action_SA) == 6 * len(one.action_SA)
    assert torch.equal(six.action_SA[: len(one.action_SA)], one.action_SA)
    assert torch.equal(six.action_sigma_D[:1], one.action_sigma_D)
    assert torch.equal(six.video_TP, one.video_TP)


def test_several_action_draws_at_the_videos_one_level_are_refused() -> None:
    with pytest.raises(ValueError, match="6 action draws at the video's one level"):
        Schedule(Sigmas("uniform"), None, 6)
