"""Imagining one event: its video and its actions from the first frames, the state and the caption.

Two ways (`trainer.sampling`). Symmetric: both towers go down the noise levels together. Asymmetric: the video tower
runs to the anchor level and is looked at there once; since it never reads the actions, its keys and values serve every
denoising step of theirs. Passes of both towers are counted, because they are what inference costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.loader.stats import ActionStats
from schemas.array import Floats
from trainer.batch import Batch, Example, latents_from, pack
from trainer.device import to_device
from trainer.flow import euler, generator_of, observe, rows_of, shifted
from trainer.losses import Prediction, velocity_of
from trainer.model.action import KeysValues
from trainer.model.wam import WallWM, Watched
from trainer.sampling import Sampling


@dataclass(frozen=True)
class Passes:
    """How often each tower has run."""

    video: int
    action: int


@dataclass(frozen=True, eq=False)
class Imagined:
    """One sample of the model, on the CPU."""

    latents_VFCHW: Tensor
    """Observed first frame included, which stands alone where the video was not asked for; `trainer.latents.decode`
    makes pictures of one view."""
    actions_KA: Tensor
    """Normalised, relative to the observation pose."""
    passes: Passes

    def displacements(self, stats: ActionStats) -> Floats:
        """The actions in metres, 6-D rotations and openings, float32 [K, 20]."""
        return stats.denormalise(self.actions_KA.numpy())


def imagine(model: WallWM, example: Example, *, steps: int, shift: float, seed: int) -> Imagined:
    """Denoise one event, video and actions together; see `denoise`."""
    return denoise(model, example, Sampling("symmetric", steps=steps, shift=shift), seed)


@torch.no_grad()
def denoise(
    model: WallWM,
    example: Example,
    sampling: Sampling,
    seed: int,
    *,
    text_SC: Tensor | None = None,
    prediction: Prediction = "v",
) -> Imagined:
    """Denoise one event.

    Of the example only what is known beforehand is used: the first latent of every view, the state, the caption
    and the length (number of latents and actions). ``text_SC`` is read in place of the caption, where something other
    than words says what to do. ``prediction`` is what the action head was trained to say (`trainer.losses`).
    """
    return _Event(model, example, seed, text_SC, prediction).imagined(sampling)


class _Event:
    """A model and the one event it imagines; counts passes."""

    def __init__(
        self, model: WallWM, example: Example, seed: int, text_SC: Tensor | None, prediction: Prediction
    ) -> None:
        device = next(model.parameters()).device
        batch = pack([replace(example, visible_FNN=None)])  # masks are for training only
        generator = generator_of(seed, 0)
        self._video_noise = torch.randn(batch.video.clean_TP.shape, generator=generator).to(device)
        self._action_noise = torch.randn(batch.action.clean_SA.shape, generator=generator).to(device)
        self._model, self._example, self._prediction = model, example, prediction
        self._text_SC = None if text_SC is None else text_SC.to(device)
        self._batch: Batch = to_device(batch, device)
        self._video_passes = self._action_passes = 0

    def imagined(self, sampling: Sampling) -> Imagined:
        symmetric = sampling.mode == "symmetric"
        video_TP, action_SA = self._together(sampling) if symmetric else self._one_look(sampling)
        levels_E = torch.zeros(1, device=action_SA.device)
        latents_VFCHW = self._example.latents_VFCHW[:, :1]
        if video_TP is not None:
            final = observe(self._batch, video_TP, action_SA, levels_E, levels_E)
            views, frames, channels, height, width = self._example.latents_VFCHW.shape
            latents_VFCHW = latents_from(final.video_TP.float().cpu(), (views, frames, channels, height, width))
        return Imagined(
            latents_VFCHW,
            action_SA[~self._batch.action.observed_S].float().cpu(),
            Passes(self._video_passes, self._action_passes),
        )

    def _together(self, sampling: Sampling) -> tuple[Tensor, Tensor]:
        """Both towers at one level all the way."""

        def velocity(video_TP: Tensor, action_SA: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
            watched = self._watch(video_TP, sigma)
            action_v, _ = self._act(watched.states, action_SA, sigma)
            return watched.video_TP, action_v

        return euler(velocity, self._video_noise, self._action_noise, sampling.steps, sampling.shift)

    def _one_look(self, sampling: Sampling) -> tuple[Tensor | None, Tensor]:
        """Video to the anchor, one look at it there, then the actions alone; the rest of the video where wanted."""
        anchor = torch.tensor(sampling.anchor)
        video_TP = self._at_anchor(sampling)
        watched = self._watch(video_TP, anchor)
        seen: Sequence[Tensor | KeysValues] = watched.states
        action_SA = self._action_noise
        for sigma, following in pairwise(_levels(1.0, 0.0, sampling.steps, sampling.shift)):
            action_v, seen = self._act(seen, action_SA, sigma)
            action_SA = action_SA + (following - sigma) * action_v
        return self._to_the_end(video_TP, watched, sampling) if sampling.video else None, action_SA

    def _at_anchor(self, sampling: Sampling) -> Tensor:
        """The video's tokens at the anchor level."""
        noise_TP, anchor = self._video_noise, sampling.anchor
        if sampling.approach == 0:
            return (1.0 - anchor) * _still(self._batch, self._example) + anchor * noise_TP
        video_TP = noise_TP
        for sigma, following in pairwise(_levels(1.0, anchor, sampling.approach, sampling.shift)):
            video_TP = video_TP + (following - sigma) * self._watch(video_TP, sigma).video_TP
        return video_TP

    def _to_the_end(self, video_TP: Tensor, watched: Watched, sampling: Sampling) -> Tensor:
        """From the anchor to data; the look at the anchor is the first step."""
        velocity_TP: Tensor | None = watched.video_TP
        for sigma, following in pairwise(_levels(sampling.anchor, 0.0, sampling.steps, sampling.shift)):
            if velocity_TP is None:
                velocity_TP = self._watch(video_TP, sigma).video_TP
            video_TP, velocity_TP = video_TP + (following - sigma) * velocity_TP, None
        return video_TP

    def _watch(self, video_TP: Tensor, sigma: Tensor) -> Watched:
        """One pass of the video tower."""
        self._video_passes += 1
        level_E = sigma.reshape(1).to(video_TP.device)
        seen = observe(self._batch, video_TP, self._action_noise, level_E, level_E)
        return self._model.watch(self._batch, seen.video_TP, seen.video_sigma_R, self._text_SC)

    def _act(
        self, states: Sequence[Tensor | KeysValues], action_SA: Tensor, sigma: Tensor
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """One pass of the action tower: velocities, and what to hand in as ``states`` the next time."""
        self._action_passes += 1
        action = self._batch.action
        tokens_SA = torch.where(action.observed_S[:, None], action.clean_SA, action_SA)
        rows_R = rows_of(sigma.reshape(1).to(action_SA.device))
        said_SA, pairs = self._model.action(self._batch, states, tokens_SA, rows_R, self._model.window)
        return velocity_of(said_SA, tokens_SA, sigma.to(action_SA.device), self._prediction), pairs


def _levels(start: float, stop: float, steps: int, shift: float) -> Tensor:
    """Noise levels from ``start`` to ``stop``, evenly spread before the shift."""
    ends = torch.tensor([start, stop], dtype=torch.float64)
    first, last = shifted(ends, 1.0 / shift).tolist()  # shifting by 1/s undoes shifting by s
    return shifted(torch.linspace(first, last, steps + 1, dtype=torch.float64), shift).float()


def _still(batch: Batch, example: Example) -> Tensor:
    """The video in which nothing moves: every latent frame is the observed one, [T, P]."""
    views, frames, channels, height, width = example.latents_VFCHW.shape
    still = example.latents_VFCHW[:, :1].expand(views, frames, channels, height, width)
    tokens: Tensor = pack([replace(example, latents_VFCHW=still, visible_FNN=None)]).video.clean_TP
    return tokens.to(batch.video.clean_TP.device)
