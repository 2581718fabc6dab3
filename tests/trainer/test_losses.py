"""Losses, number by number, and that they add up."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.fft import dct

from tests.trainer.events import SYMMETRIC, example, lively, losses, noised, small
from trainer.batch import pack
from trainer.flow import Schedule, Sigmas, add_noise, draw_noise, sigma_of_tokens
from trainer.losses import (
    Counts,
    LossConfig,
    action_sum,
    counts,
    dct_matrix,
    dct_weights,
    shape_sum,
    summed,
    velocity_of,
    video_sum,
)
from trainer.model.wam import Velocities


def test_the_right_velocity_has_no_loss() -> None:
    batch, noise, seen = noised([example(views=2), example(seed=1)], [0, 1])
    right = Velocities(noise.video_TP - batch.video.clean_TP, noise.action_SA - batch.action.clean_SA)
    assert [loss.item() for loss in losses(right, batch, noise, seen)] == [0, 0]


def test_what_is_not_counted_does_not_matter() -> None:
    batch, noise, _ = noised([example()], [0])
    wrong = noise.video_TP - batch.video.clean_TP + 7.0 * ~batch.video.mask_TP
    assert video_sum(wrong, batch, noise, LossConfig()).item() == 0


def test_the_loss_is_a_mean_over_events_or_over_tokens() -> None:
    squared, mask = torch.tensor([[1.0], [1.0], [1.0], [9.0]]), torch.ones(4, 1, dtype=torch.bool)
    event = torch.tensor([0, 0, 0, 1])
    assert summed(squared, mask, event, 2, "event").item() / 2 == 5.0
    assert summed(squared, mask, event, 2, "token").item() / 4 == 3.0


def test_counts_are_of_events_that_have_something_to_count() -> None:
    batch = pack([example(), example(actions=0, seed=1)])
    assert counts(batch, "event") == Counts(2, 1)
    numbers = counts(batch, "token")
    assert numbers == Counts(float(batch.video.mask_TP.sum()), 8 * 4)
    assert numbers + Counts(1, 1) == Counts(numbers.video + 1, numbers.action + 1)


def test_a_pack_without_any_action_has_an_action_loss_of_zero() -> None:
    batch, noise, seen = noised([example(actions=0)], [0])
    assert action_sum(torch.ones_like(batch.action.clean_SA), batch, seen, noise, LossConfig()).item() == 0.0


@pytest.mark.parametrize("reduce", ["event", "token"])
def test_packs_divided_by_the_counts_of_all_add_up_to_the_one_pack_of_all(reduce: str) -> None:
    config = LossConfig(reduce=reduce, shape_weight=0.3)  # type: ignore[arg-type]
    events = [example(), example(frames=5, seed=1, actions=3), example(actions=0, seed=2)]
    model = lively(small().model)

    def parts(draws: list[int]) -> tuple[torch.Tensor, torch.Tensor, Counts]:
        batch, noise, seen = noised([events[draw] for draw in draws], draws)
        out = model(batch, seen)
        action = action_sum(out.action_SA, batch, seen, noise, config)
        return video_sum(out.video_TP, batch, noise, config), action, counts(batch, config.reduce)

    whole, first, second = parts([0, 1, 2]), parts([0]), parts([1, 2])
    assert first[2] + second[2] == whole[2]
    torch.testing.assert_close(first[0] + second[0], whole[0])
    torch.testing.assert_close(first[1] + second[1], whole[1])


def test_predicting_x_is_scored_in_x_and_gives_the_same_velocity() -> None:
    batch, noise, seen = noised([example()], [0])
    assert action_sum(batch.action.clean_SA, batch, seen, noise, LossConfig(action_prediction="x")).item() == 0
    sigma = sigma_of_tokens(batch, noise)
    actions = ~batch.action.observed_S
    found = velocity_of(batch.action.clean_SA, seen.action_SA, sigma, "x")[actions]
    torch.testing.assert_close(found, (noise.action_SA - batch.action.clean_SA)[actions], rtol=1e-4, atol=1e-4)
    assert torch.equal(velocity_of(found, found, sigma[actions], "v"), found)


@pytest.mark.parametrize("n", [1, 2, 7, 32])
def test_the_transform_is_the_orthonormal_dct_ii(n: int) -> None:
    values = np.random.default_rng(0).normal(size=(n, 3))
    found = dct_matrix(n, torch.zeros((), dtype=torch.float64)) @ torch.from_numpy(values)
    np.testing.assert_allclose(found, dct(values, axis=0, norm="ortho"), atol=1e-12)


def test_frequency_weights_fall_by_e_every_quarter_of_the_rows() -> None:
    weights = dct_weights(8, torch.zeros((), dtype=torch.float64))
    np.testing.assert_allclose(weights, np.exp(-np.arange(8) / 2.0))


def test_the_shape_loss_is_the_formula_of_the_paper() -> None:
    event = example(actions=8)
    schedule = Schedule(Sigmas("uniform"), Sigmas("uniform"), 2)
    batch, noise = pack([event], 2), draw_noise([event], [0], 0, schedule)
    error = torch.randn(batch.action.clean_SA.shape, generator=torch.Generator().manual_seed(1))
    found = shape_sum(batch.action.clean_SA + error, batch.action, noise, 1, "token").item()
    known = event.action_known_A.numpy()
    expected = 0.0
    for draw, sigma in enumerate(noise.action_sigma_D.tolist()):
        rows = error[draw * 9 + 1 : draw * 9 + 9].numpy()[:, known]
        weights = np.exp(-np.arange(8) / (8 / 4))[:, None] * (1 - sigma) ** 2
        expected += float((weights * dct(rows, axis=0, norm="ortho") ** 2).sum())
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_shape_loss_has_a_finite_gradient_where_nothing_is_wrong() -> None:
    batch, noise, _ = noised([example()], [0])
    clean = batch.action.clean_SA.clone().requires_grad_()
    shape_sum(clean, batch.action, noise, 1, "event").backward()
    assert clean.grad is not None
    assert torch.isfinite(clean.grad).all()


def test_loss_inside_tubes_weighs_lambda() -> None:
    batch, noise, _ = noised([example()], [0])
    wrong = torch.zeros_like(batch.video.clean_TP)
    tube = batch.video.position_T3[:, 1] == 0
    marked = replace(noise, tube_T=tube, tube_observed_T=tube)
    plain = video_sum(wrong, batch, noise, LossConfig(reduce="token"))
    doubled = video_sum(wrong, batch, marked, LossConfig(reduce="token", tube_weight=2.0))
    squared = (noise.video_TP - batch.video.clean_TP).square() * batch.video.mask_TP
    torch.testing.assert_close(doubled, plain + squared[tube].sum())


@pytest.mark.parametrize("draws", [2, 6])
def test_several_action_draws_over_one_video_are_the_mean_of_as_many_forwards(draws: int) -> None:
    """T10, the equality; the ratio of times is `benchmarks.trainer`'s."""
    event, model, config = example(views=2), lively(small().model), LossConfig()
    schedule = Schedule(Sigmas("anchor"), Sigmas("beta"), draws)
    batch, noise = pack([event], draws), draw_noise([event], [5], 0, schedule)
    seen = add_noise(batch, noise)
    shared = action_sum(model(batch, seen).action_SA, batch, seen, noise, config)
    rows, apart = len(batch.action.clean_SA) // draws, []
    one = pack([event])
    for k in range(draws):
        part = slice(k * rows, (k + 1) * rows)
        own = replace(noise, action_SA=noise.action_SA[part], action_sigma_D=noise.action_sigma_D[k : k + 1])
        of_own = add_noise(one, own)
        apart.append(action_sum(model(one, of_own).action_SA, one, of_own, own, config))
    torch.testing.assert_close(shared, torch.stack(apart).mean(), rtol=0, atol=1e-6)
    assert SYMMETRIC.action_draws == 1
