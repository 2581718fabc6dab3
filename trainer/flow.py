"""Flow matching: noise, targets, losses and the sampler.

x_σ = (1 − σ)·x₀ + σ·ε, the model predicts v = ε − x₀; σ = 1 is noise. What is observed (first latent frame of
every view, state token) stays clean with timestep 0. All randomness of a draw comes from a generator seeded by
(seed, draw number): the same draw gets the same noise in whatever pack, process or resumed run it turns up.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from trainer.batch import Batch, Example

_OPEN = 1e-4
"""How far a uniform draw stays away from 0 and 1, where the logit is infinite."""
_BETA_FLOOR = 0.001


@dataclass(frozen=True)
class Sigmas:
    """How noise levels are drawn in training."""

    kind: Literal["uniform", "logit_normal", "beta", "anchor"]
    """``beta``: 0.999·Beta(1.5, 1) + 0.001, which favours noisy levels (π₀, DreamZero). ``anchor``: ``level`` ± up to
    ``jitter``, where a video stands while actions are denoised before it (wall_wm.md §3.6)."""
    shift: float = 1.0
    level: float = 0.36
    jitter: float = 0.02

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
            case "anchor":
                return self.level + self.jitter * (2.0 * u - 1.0)
        return shifted(sigma, self.shift)


def shifted(sigma: Tensor, shift: float) -> Tensor:
    """σ' = s·σ / (1 + (s − 1)·σ): more steps at high noise, where large pictures need them."""
    return shift * sigma / (1.0 + (shift - 1.0) * sigma)


@dataclass(frozen=True)
class Schedule:
    """Which noise a pack gets."""

    video: Sigmas
    action: Sigmas | None
    """None: symmetric, both towers at one level; then there is one action draw."""
    action_draws: int = 1
    """K: how many noisy versions of an event's actions read one pass of its video (wall_wm.md §3.6)."""

    def __post_init__(self) -> None:
        if self.action is None and self.action_draws != 1:
            raise ValueError(
                f"{self.action_draws} action draws at the video's one level: give actions their own sigmas"
            )


@dataclass(frozen=True, eq=False)
class Noise:
    """ε and noise levels of a pack; the action side per action draw."""

    video_TP: Tensor
    action_SA: Tensor
    video_sigma_E: Tensor
    action_sigma_D: Tensor
    tube_T: Tensor | None = None
    """bool: hidden from the model, pure noise to it (`trainer.tubes`); None without any."""
    tube_observed_T: Tensor | None = None
    """bool: of these, the tokens that are hidden in the observed frame too."""


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


def draw_noise(examples: Sequence[Example], draws: Sequence[int], seed: int, schedule: Schedule) -> Noise:
    """Noise of a pack of these examples, made for `trainer.batch.pack` with as many action draws."""
    eps_video, eps_action, of_video, of_action = [], [], [], []
    for example, draw in zip(examples, draws, strict=True):
        generator = generator_of(seed, draw)
        uniform = torch.rand(2, generator=generator, dtype=torch.float64)
        of_video.append(uniform[:1])
        patch_numbers = example.latents_VFCHW.numel() // example.n_video
        eps_video.append(torch.randn(example.n_video, patch_numbers, generator=generator))
        for k in range(schedule.action_draws):
            of_action.append(uniform[1:] if k == 0 else torch.rand(1, generator=generator, dtype=torch.float64))
            eps_action.append(torch.randn(1 + len(example.actions_KA), len(example.state_A), generator=generator))
    video_sigma_E = schedule.video.at(torch.cat(of_video)).float()
    action_sigma_D = video_sigma_E if schedule.action is None else schedule.action.at(torch.cat(of_action)).float()
    return Noise(torch.cat(eps_video), torch.cat(eps_action), video_sigma_E, action_sigma_D)


def add_noise(batch: Batch, noise: Noise) -> Noised:
    """x_σ of both sides, observed tokens untouched."""
    video, action = batch.video, batch.action
    video_sigma_T1 = noise.video_sigma_E[video.event_T, None]
    action_sigma_S1 = sigma_of_tokens(batch, noise)
    noised = observe(
        batch,
        (1 - video_sigma_T1) * video.clean_TP + video_sigma_T1 * noise.video_TP,
        (1 - action_sigma_S1) * action.clean_SA + action_sigma_S1 * noise.action_SA,
        noise.video_sigma_E,
        noise.action_sigma_D,
    )
    if noise.tube_T is None or noise.tube_observed_T is None:
        return noised
    hidden_T = torch.where(video.observed_T, noise.tube_observed_T, noise.tube_T)
    return replace(noised, video_TP=torch.where(hidden_T[:, None], noise.video_TP, noised.video_TP))


def sigma_of_tokens(batch: Batch, noise: Noise) -> Tensor:
    """The level [S, 1] of the draw each state and action token belongs to."""
    return noise.action_sigma_D[batch.action.row_S // 2, None]


def observe(batch: Batch, video_TP: Tensor, action_SA: Tensor, video_sigma_E: Tensor, action_sigma_D: Tensor) -> Noised:
    """These tokens at these levels, with what is observed put in its place at level 0."""
    return Noised(
        torch.where(batch.video.observed_T[:, None], batch.video.clean_TP, video_TP),
        torch.where(batch.action.observed_S[:, None], batch.action.clean_SA, action_SA),
        rows_of(video_sigma_E),
        rows_of(action_sigma_D),
    )


def rows_of(sigma: Tensor) -> Tensor:
    """Levels of the timestep rows [2E]: 0 and σ of each event (or action draw) in turn."""
    return torch.stack([torch.zeros_like(sigma), sigma], dim=1).flatten()


def levels(steps: int, shift: float) -> Tensor:
    """The noise levels of ``steps`` Euler steps [steps + 1], from 1 to 0."""
    return shifted(torch.linspace(1.0, 0.0, steps + 1, dtype=torch.float64), shift).float()


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
    for sigma, following in pairwise(levels(steps, shift)):
        video_v, action_v = velocity(video_TP, action_SA, sigma)
        video_TP, action_SA = video_TP + (following - sigma) * video_v, action_SA + (following - sigma) * action_v
    return video_TP, action_SA
