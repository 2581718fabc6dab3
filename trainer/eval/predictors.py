"""Who is judged: the model, and two between whom it must lie.

``nothing moves`` repeats the observed picture and stays where the arm is; most of a picture never moves, so its PSNR
is high, and a model is worth something only above it. ``the truth`` hands back what was recorded: every metric must
call it perfect, or the metric is wrong. All three are asked the same two things: what happens, and which velocity a
noised event has. For the two without a network the velocity is that of their answer, (x_σ − x̂₀)/σ.
"""
# ruff: noqa: ARG002 - who needs no network needs neither seed nor what is noised

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.loader.stats import ActionStats
from schemas.array import Floats
from trainer.batch import Batch, Example, pack
from trainer.configs import TrainConfig
from trainer.eval.held_out import HeldOut
from trainer.flow import Noise, Noised, generator_of, sigma_of_tokens
from trainer.infer import denoise
from trainer.losses import velocity_of
from trainer.model.wam import Velocities, WallWM
from trainer.sampling import Sampling, sampling_of

_NO_TURN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_ARM, _POSITION, _OPENING = 10, 3, 9


@dataclass(frozen=True, eq=False)
class Said:
    """What a predictor says happens, on the CPU."""

    latents_VFCHW: Tensor
    """Of every view, observed frame included."""
    actions_KA: Tensor
    """Normalised."""


class Predictor(Protocol):
    """Something that says how an event goes on."""

    @property
    def name(self) -> str: ...

    def imagine(self, event: HeldOut, seed: int) -> Said:
        """Latents of every view and normalised actions, from what is known beforehand."""
        ...

    def velocities(self, event: HeldOut, batch: Batch, noise: Noise, noised: Noised) -> Velocities:
        """Of a pack of copies of the event at several noise levels."""
        ...


def sampling_for(config: TrainConfig, steps: int) -> Sampling:
    """As the model was trained, video to its end."""
    return replace(sampling_of(config.schedule, config.sample_shift), steps=steps, video=True)


@dataclass(frozen=True, eq=False)
class OfModel:
    """A trained model."""

    model: WallWM
    config: TrainConfig
    steps: int
    """Of the sampler."""
    name: str = "model"

    def imagine(self, event: HeldOut, seed: int) -> Said:
        sampling, prediction = sampling_for(self.config, self.steps), self.config.loss.action_prediction
        said = denoise(self.model, event.example, sampling, seed, prediction=prediction)
        return Said(said.latents_VFCHW, said.actions_KA)

    @torch.no_grad()
    def velocities(self, event: HeldOut, batch: Batch, noise: Noise, noised: Noised) -> Velocities:
        predicted: Velocities = self.model(batch, noised)
        if predicted.action_SA is None:
            return predicted
        sigma_S1 = sigma_of_tokens(batch, noise)
        said = self.config.loss.action_prediction
        return replace(predicted, action_SA=velocity_of(predicted.action_SA, noised.action_SA, sigma_S1, said))


@dataclass(frozen=True, eq=False)
class OfTruth:
    """What was recorded."""

    name: str = "the truth"

    def imagine(self, event: HeldOut, seed: int) -> Said:
        return Said(event.example.latents_VFCHW, event.example.actions_KA)

    def velocities(self, event: HeldOut, batch: Batch, noise: Noise, noised: Noised) -> Velocities:
        return _towards(event.example, batch, noise)


@dataclass(frozen=True, eq=False)
class OfStillness:
    """Nothing moves."""

    name: str = "nothing moves"

    def imagine(self, event: HeldOut, seed: int) -> Said:
        still = [event.codec.encode(np.repeat(views[:1], len(views), axis=0)) for views in event.pictures.values()]
        return Said(torch.stack(still), _resting(event))

    def velocities(self, event: HeldOut, batch: Batch, noise: Noise, noised: Noised) -> Velocities:
        said = self.imagine(event, 0)
        example = replace(event.example, latents_VFCHW=said.latents_VFCHW, actions_KA=said.actions_KA)
        return _towards(example, batch, noise)


def _towards(said: Example, batch: Batch, noise: Noise) -> Velocities:
    """Velocities ε − x₀ + (x₀ − x̂₀)/σ of a prediction x̂₀, for every copy in the pack."""
    own = pack([said] * batch.n_events)
    video, action = batch.video, batch.action

    def velocity(eps: Tensor, clean: Tensor, said_to_be: Tensor, sigma: Tensor) -> Tensor:
        return eps - clean + (clean - said_to_be) / sigma

    return Velocities(
        velocity(noise.video_TP, video.clean_TP, own.video.clean_TP, noise.video_sigma_E[video.event_T, None]),
        velocity(noise.action_SA, action.clean_SA, own.action.clean_SA, sigma_of_tokens(batch, noise)),
    )


def _resting(event: HeldOut) -> Tensor:
    """Normalised actions that stay at the observation pose, [K, A]."""
    actions_KA = event.example.actions_KA
    if event.stats is None or event.anchor_20 is None:
        return torch.zeros_like(actions_KA)
    resting = np.tile(resting_20(event.anchor_20), (len(actions_KA), 1)).astype(np.float32)
    return torch.from_numpy(event.stats.normalise(resting))


def resting_20(anchor_20: Floats) -> Floats:
    """The displacement [20] that leaves a pose as it is: no way, no turn, the opening of now."""
    resting = np.zeros_like(anchor_20)
    for start in range(0, len(anchor_20), _ARM):
        if np.any(anchor_20[start + _POSITION : start + _OPENING]):
            resting[start + _POSITION : start + _OPENING] = _NO_TURN
        resting[start + _OPENING] = anchor_20[start + _OPENING]
    return resting


def displacements(actions_KA: Tensor, stats: ActionStats) -> Floats:
    """Normalised actions in metres, 6-D rotations and openings, float64 [K, 20]."""
    return stats.denormalise(actions_KA.numpy()).astype(np.float64)


def seed_of(seed: int, event_id: str) -> int:
    """A seed of the event's own: what is imagined of it does not depend on which others are judged."""
    return int.from_bytes(f"{seed}:{event_id}".encode(), "little") % (2**31 - 1)


def generator_for(seed: int, event_id: str) -> torch.Generator:
    """The noise of an event's velocities."""
    return generator_of(seed, seed_of(seed, event_id))
