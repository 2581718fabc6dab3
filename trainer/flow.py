"""Flow matching: noise, targets, losses and the sampler.

x_σ = (1 − σ)·x₀ + σ·ε, the model predicts v = ε − x₀; σ = 1 is noise. What is observed (first latent frame of
every view, state token) stays clean with timestep 0. All randomness of a draw comes from a generator seeded by
(seed, draw number): the same draw gets the same noise in whatever pack, process or resumed run it turns up.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from trainer.batch import Batch, Example

Reduction: TypeAlias = Literal["event", "token"]

_OPEN = 1e-4
"""How far a uniform draw stays away from 0 and 1, where the logit is infinite."""
_BETA_FLOOR = 0.001


@dataclass(frozen=True)
class Sigmas:
    """How noise levels are drawn in training."""

    kind: Literal["uniform", "logit_normal", "beta"]
    """``beta``: 0.999·Beta(1.5, 1) + 0.001, which favours noisy levels (π₀, DreamZero)."""
    shift: float = 1.0

    def at(self, uniform: Tensor) -> Tensor:
        """Noise levels from numbers uniform in [0, 1): the inverse distribution function, then the shift."""
        u = uniform.clamp(_OPEN, 1.0 - _OPEN)
        match self.kind:
            case "uniform":
                sigma = u
            case "logit_normal":
                sigma = torch.special.ndtri(u).sigmoid()
            case "beta":
                sigma = (1.0 - _BETA_FLOOR) * u ** (1.0 / 1.5) + _BETA_FLOOR
        return shifted(sigma, self.shift)


def shifted(sigma: Tensor, shift: float) -> Tensor:
    """σ' = s·σ / (1 + (s − 1)·σ): more steps at high noise, where large pictures need them."""
    return shift * sigma / (1.0 + (shift - 1.0) * sigma)


@dataclass(frozen=True, eq=False)
class Noise:
    """ε and noise levels of a pack."""

    video_TP: Tensor
    action_SA: Tensor
    video_sigma_E: Tensor
    action_sigma_E: Tensor


@dataclass(frozen=True, eq=False)
class Noised:
    """What the model gets to see: tokens, and the noise level of every timestep row."""

    video_TP: Tensor
    action_SA: Tensor
    video_sigma_R: Tensor
    action_sigma_R: Tensor


def generator_of(seed: int, draw: int) -> torch.Generator:
    """The generator of one draw."""
    digest = hashlib.blake2b(f"{seed}:{draw}".encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little", signed=True))


def draw_noise(
    examples: Sequence[Example], draws: Sequence[int], seed: int, video: Sigmas, action: Sigmas | None
) -> Noise:
    """Noise of a pack of these examples; without ``action`` schedule both towers share one level (symmetric)."""
    eps_video, eps_action, uniforms = [], [], []
    for example, draw in zip(examples, draws, strict=True):
        generator = generator_of(seed, draw)
        uniforms.append(torch.rand(2, generator=generator, dtype=torch.float64))
        patch_numbers = example.latents_VFCHW.numel() // example.n_video
        eps_video.append(torch.randn(example.n_video, patch_numbers, generator=generator))
        eps_action.append(torch.randn(1 + len(example.actions_KA), len(example.state_A), generator=generator))
    uniform_E2 = torch.stack(uniforms)
    video_sigma_E = video.at(uniform_E2[:, 0]).float()
    action_sigma_E = video_sigma_E if action is None else action.at(uniform_E2[:, 1]).float()
    return Noise(torch.cat(eps_video), torch.cat(eps_action), video_sigma_E, action_sigma_E)


def add_noise(batch: Batch, noise: Noise) -> Noised:
    """x_σ of both sides, observed tokens untouched."""
    video, action = batch.video, batch.action
    video_sigma_T1 = noise.video_sigma_E[video.event_T, None]
    action_sigma_S1 = noise.action_sigma_E[action.event_S, None]
    return observe(
        batch,
        (1 - video_sigma_T1) * video.clean_TP + video_sigma_T1 * noise.video_TP,
        (1 - action_sigma_S1) * action.clean_SA + action_sigma_S1 * noise.action_SA,
        noise.video_sigma_E,
        noise.action_sigma_E,
    )


def observe(batch: Batch, video_TP: Tensor, action_SA: Tensor, video_sigma_E: Tensor, action_sigma_E: Tensor) -> Noised:
    """These tokens at these levels, with what is observed put in its place at level 0."""
    return Noised(
        torch.where(batch.video.observed_T[:, None], batch.video.clean_TP, video_TP),
        torch.where(batch.action.observed_S[:, None], batch.action.clean_SA, action_SA),
        _rows(video_sigma_E),
        _rows(action_sigma_E),
    )


def _rows(sigma_E: Tensor) -> Tensor:
    """Levels of the timestep rows [2E]: 0 and σ of each event in turn."""
    return torch.stack([torch.zeros_like(sigma_E), sigma_E], dim=1).flatten()


def masked_mse(error_TP: Tensor, mask_TP: Tensor, event_T: Tensor, n_events: int, reduce: Reduction) -> Tensor:
    """Mean squared error over counted numbers, scalar; 0 without any.

    ``event``: mean per event first, so that a long event weighs no more than a short one. ``token``: one mean.
    """
    squared_T = (error_TP.float().square() * mask_TP).sum(dim=1)
    sums_E = squared_T.new_zeros(n_events).index_add(0, event_T, squared_T)
    counts_E = torch.zeros_like(sums_E).index_add(0, event_T, mask_TP.sum(dim=1).float())
    if reduce == "token":
        return sums_E.sum() / counts_E.sum().clamp(min=1)
    return (sums_E / counts_E.clamp(min=1)).sum() / (counts_E > 0).sum().clamp(min=1)


def video_loss(predicted_TP: Tensor, batch: Batch, noise: Noise, reduce: Reduction = "event") -> Tensor:
    """v-prediction error of the patches that are neither observed nor border."""
    video = batch.video
    error_TP = predicted_TP - (noise.video_TP - video.clean_TP)
    return masked_mse(error_TP, video.mask_TP, video.event_T, batch.n_events, reduce)


def action_loss(predicted_SA: Tensor, batch: Batch, noise: Noise, reduce: Reduction = "event") -> Tensor:
    """v-prediction error of valid action rows in known dimensions; events without actions do not count."""
    action = batch.action
    error_SA = predicted_SA - (noise.action_SA - action.clean_SA)
    return masked_mse(error_SA, action.mask_SA, action.event_S, batch.n_events, reduce)


def euler(
    velocity: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    video_TP: Tensor,
    action_SA: Tensor,
    steps: int,
    shift: float,
) -> tuple[Tensor, Tensor]:
    """Integrate from noise (σ = 1) to data (σ = 0) in ``steps`` Euler steps, both sides together.

    ``velocity(video, action, σ)`` gives both velocities at the scalar level σ.
    """
    levels = shifted(torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64), shift).float()
    for sigma, following in pairwise(levels):
        video_v, action_v = velocity(video_TP, action_SA, sigma)
        video_TP, action_SA = video_TP + (following - sigma) * video_v, action_SA + (following - sigma) * action_v
    return video_TP, action_SA
