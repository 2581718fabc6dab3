"""Distribution matching where both scores are known in closed form: one-dimensional Gaussians."""

import pytest
import torch
from torch import Tensor

from trainer.compress.matching import matching_gradient, matching_sum


def guess(x_sigma: Tensor, sigma: Tensor, mean: float | Tensor, std: float | Tensor) -> Tensor:
    """E[x₀ | x_σ] for x₀ ~ N(mean, std²): what a perfect denoiser says."""
    gain = (1 - sigma) * std**2 / ((1 - sigma) ** 2 * std**2 + sigma**2)
    return mean + gain * (x_sigma - (1 - sigma) * mean)


def log_density(x_sigma: Tensor, sigma: Tensor, mean: float, std: float) -> Tensor:
    """Of the noised data, up to a constant."""
    return -0.5 * (x_sigma - (1 - sigma) * mean).square() / ((1 - sigma) ** 2 * std**2 + sigma**2)


def gradient(x: Tensor, real: Tensor, fake: Tensor) -> Tensor:
    """Of one event, everything counted."""
    events = torch.zeros(len(x), dtype=torch.long)
    return matching_gradient(x, real, fake, torch.ones_like(x, dtype=torch.bool), events, 1)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 0.95])
def test_the_gradient_is_the_difference_of_scores(sigma: float) -> None:
    """fake − real = σ²/(1−σ) · d/dx (log p_student − log p_teacher) at the noised sample."""
    level = torch.tensor(sigma, dtype=torch.float64)
    x_sigma = torch.linspace(-3, 3, 9, dtype=torch.float64)[:, None].requires_grad_()
    teacher, student = (1.0, 0.5), (-0.5, 1.5)
    gap = log_density(x_sigma, level, *student) - log_density(x_sigma, level, *teacher)
    (slope,) = torch.autograd.grad(gap.sum(), x_sigma)
    real, fake = guess(x_sigma.detach(), level, *teacher), guess(x_sigma.detach(), level, *student)
    x = torch.randn(9, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = level**2 / (1 - level) * slope / (x - real).abs().mean()
    assert torch.allclose(gradient(x, real, fake), expected)


def test_a_students_distribution_moves_to_the_teachers() -> None:
    """x = a + b·ε, fake score in closed form, plain gradient descent: mean and spread become the teacher's."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.tensor(-2.0, requires_grad=True), torch.tensor(0.3, requires_grad=True)
    optimiser = torch.optim.Adam([a, b], lr=0.05)
    for _ in range(400):
        x = a + b * torch.randn(256, 1, generator=generator)
        sigma = 0.02 + 0.96 * torch.rand(256, 1, generator=generator)
        x_sigma = ((1 - sigma) * x + sigma * torch.randn(256, 1, generator=generator)).detach()
        real = guess(x_sigma, sigma, 1.0, 0.7)
        fake = guess(x_sigma, sigma, a.detach(), b.detach())
        events = torch.arange(256) // 64
        counted = torch.ones(256, 1, dtype=torch.bool)
        pull = matching_gradient(x, real, fake, counted, events, 4)
        optimiser.zero_grad()
        (matching_sum(x, pull, counted, events, 4, "event") / 4).backward()
        optimiser.step()
    assert a.item() == pytest.approx(1.0, abs=0.1)
    assert abs(b.item()) == pytest.approx(0.7, abs=0.1)


def test_student_and_teacher_alike_are_at_rest() -> None:
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    same = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    assert not gradient(x, same, same).any()


def test_each_event_is_scaled_by_its_own_distance_over_what_counts() -> None:
    x = torch.tensor([[0.0, 9.0], [0.0, 0.0], [10.0, 10.0]])
    real = torch.tensor([[1.0, 0.0], [3.0, 5.0], [20.0, 30.0]])
    fake = torch.zeros(3, 2)
    counted = torch.tensor([[True, False], [True, True], [True, True]])
    found = matching_gradient(x, real, fake, counted, torch.tensor([0, 0, 1]), 2)
    first, second = (1 + 3 + 5) / 3, (10 + 20) / 2
    expected = torch.tensor([[-1 / first, 0.0], [-3 / first, -5 / first], [-20 / second, -30 / second]])
    assert torch.allclose(found, expected)


def test_the_scale_of_the_data_does_not_matter() -> None:
    x, real, fake = (torch.randn(8, 2, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    assert torch.allclose(gradient(x, real, fake), gradient(100 * x, 100 * real, 100 * fake), rtol=1e-5)


def test_a_sample_the_teacher_would_keep_divides_by_nothing_small() -> None:
    x = torch.ones(4, 1)
    assert gradient(x, x, x + 1e-4).abs().max() < 1.0


def test_the_surrogates_gradient_is_the_wanted_one() -> None:
    """Each number of an event weighs one over their count, each event alike."""
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    pull = torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    counted = torch.ones(5, 2, dtype=torch.bool)
    events = torch.tensor([0, 0, 0, 1, 1])
    value = matching_sum(x, pull, counted, events, 2, "event")
    (found,) = torch.autograd.grad(value, x)
    numbers = torch.tensor([6.0, 6.0, 6.0, 4.0, 4.0])[:, None]
    assert torch.allclose(found, pull / numbers)
    assert value.item() == pytest.approx((pull.square() / numbers).sum().item() / 2)


def test_neither_guess_gets_a_gradient() -> None:
    x, real, fake = (torch.randn(4, 1).requires_grad_() for _ in range(3))
    pull = gradient(x, real, fake)
    assert not pull.requires_grad
    value = matching_sum(x, pull, torch.ones(4, 1, dtype=torch.bool), torch.zeros(4, dtype=torch.long), 1, "event")
    assert torch.autograd.grad(value, [x, real, fake], allow_unused=True)[1:] == (None, None)
