"""Losses of a pack, as sums that add up: over packs, over ranks, to the mean of the whole optimiser step.

What a loss is divided by (`counts`) is known from the batch alone, so every pack's share can be scaled before its
backward pass, and the gradient of a step is the same however its packs are divided among ranks.

- Video and actions: squared error of the predicted velocity, over what is neither observed, nor border, nor unknown.
- ``prediction="x"``: the action head gives x₀ instead; its error is counted in x₀.
- ``shape``: the DCT-II loss of wall_wm.md §3.6, which weighs slow parts of a trajectory more, and most at low noise.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from trainer.batch import ActionTokens, Batch
from trainer.flow import Noise, Noised, sigma_of_tokens

Reduction: TypeAlias = Literal["event", "token"]
Prediction: TypeAlias = Literal["v", "x"]


@dataclass(frozen=True)
class LossConfig:
    """What is counted, and how."""

    reduce: Reduction = "event"
    """``event``: mean per event first, so that a long event weighs no more than a short one. ``token``: one mean."""
    action_prediction: Prediction = "v"
    shape_weight: float = 0.0
    """Of the DCT loss of actions; 0: none."""
    tube_weight: float = 1.0
    """λ_mask: weight of video loss inside tubes."""


@dataclass(frozen=True)
class Counts:
    """By what the sums of a pack, or of a whole step, are divided."""

    video: float
    action: float
    language: float = 0.0
    """Events whose caption is known."""
    chain: float = 0.0
    """Events of chains that are."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.video + other.video,
            self.action + other.action,
            self.language + other.language,
            self.chain + other.chain,
        )


def counts(batch: Batch, reduce: Reduction) -> Counts:
    """Events (or numbers) that count in each loss."""
    video, action = batch.video, batch.action
    return Counts(
        _count(video.mask_TP, video.event_T, batch.n_events, reduce),
        _count(action.mask_SA, action.event_S, batch.n_events, reduce),
    )


def _count(mask_TP: Tensor, event_T: Tensor, n_events: int, reduce: Reduction) -> float:
    numbers_E = _per_event(mask_TP.float().sum(dim=1), event_T, n_events)
    return float(numbers_E.sum() if reduce == "token" else (numbers_E > 0).sum())


def _per_event(values_T: Tensor, event_T: Tensor, n_events: int) -> Tensor:
    return values_T.new_zeros(n_events).index_add(0, event_T, values_T)


def summed(
    squared_TP: Tensor,
    mask_TP: Tensor,
    event_T: Tensor,
    n_events: int,
    reduce: Reduction,
    *,
    weight_T: Tensor | None = None,
) -> Tensor:
    """Squared errors over counted numbers, scalar: to be divided by the `Counts`; 0 without any."""
    squared_T = (squared_TP.float() * mask_TP).sum(dim=1)
    if weight_T is not None:
        squared_T = squared_T * weight_T
    sums_E = _per_event(squared_T, event_T, n_events)
    if reduce == "token":
        return sums_E.sum()
    numbers_E = _per_event(mask_TP.sum(dim=1).float(), event_T, n_events)
    return (sums_E / numbers_E.clamp(min=1)).sum()


def video_sum(predicted_TP: Tensor, batch: Batch, noise: Noise, config: LossConfig) -> Tensor:
    """v-prediction error of the patches that are neither observed nor border."""
    video = batch.video
    error_TP = predicted_TP - (noise.video_TP - video.clean_TP)
    weight_T = None if noise.tube_T is None else 1.0 + (config.tube_weight - 1.0) * noise.tube_T.float()
    return summed(error_TP.square(), video.mask_TP, video.event_T, batch.n_events, config.reduce, weight_T=weight_T)


def action_sum(predicted_SA: Tensor, batch: Batch, noised: Noised, noise: Noise, config: LossConfig) -> Tensor:
    """Error of valid action rows in known dimensions; events without actions do not count."""
    action, sigma_S1 = batch.action, sigma_of_tokens(batch, noise)
    if config.action_prediction == "x":
        error_SA = predicted_SA - action.clean_SA
        clean_SA = predicted_SA
    else:
        error_SA = predicted_SA - (noise.action_SA - action.clean_SA)
        clean_SA = noised.action_SA - sigma_S1 * predicted_SA
    total = summed(error_SA.square(), action.mask_SA, action.event_S, batch.n_events, config.reduce)
    if config.shape_weight:
        total = total + config.shape_weight * shape_sum(clean_SA, action, noise, batch.n_events, config.reduce)
    return total


def velocity_of(predicted_SA: Tensor, noised_SA: Tensor, sigma_S1: Tensor, prediction: Prediction) -> Tensor:
    """What the head said, as a velocity: (x_σ − x₀)/σ where it says x₀."""
    return predicted_SA if prediction == "v" else (noised_SA - predicted_SA) / sigma_S1.clamp(min=1e-3)


def shape_sum(clean_SA: Tensor, action: ActionTokens, noise: Noise, n_events: int, reduce: Reduction) -> Tensor:
    """(1 − σ)²·Σ_j e^{−j/(K/4)}·(DCT(â)_j − DCT(a)_j)² of every draw and dimension (wall_wm.md §3.6).

    Rows that are not valid are taken as right, so that a hole does not ring through all frequencies.
    """
    error_SA = torch.where(action.mask_SA, clean_SA - action.clean_SA, torch.zeros_like(clean_SA)).float()
    parts = []
    for draw, (rows, _) in enumerate(action.within.slices()):
        error_KA = error_SA[rows][1:]
        n = len(error_KA)
        weights_K = dct_weights(n, error_SA) * (1.0 - noise.action_sigma_D[draw]) ** 2
        parts += [
            error_SA.new_zeros(1, error_SA.shape[1]),
            (dct_matrix(n, error_SA) @ error_KA).square() * weights_K[:, None],
        ]
    counted_SA = action.known_SA & ~action.observed_S[:, None]
    return summed(torch.cat(parts), counted_SA, action.event_S, n_events, reduce)


def dct_matrix(n: int, like: Tensor) -> Tensor:
    """The orthonormal DCT-II [n, n]: frequency by time."""
    k = torch.arange(n, dtype=torch.float64)
    table = torch.cos(math.pi / max(n, 1) * (k[None, :] + 0.5) * k[:, None]) * math.sqrt(2.0 / max(n, 1))
    table[:1] /= math.sqrt(2.0)
    return table.to(like)


def dct_weights(n: int, like: Tensor) -> Tensor:
    """e^{−j/(n/4)} of frequency j [n]."""
    return torch.exp(-torch.arange(n, dtype=torch.float64) * 4.0 / max(n, 1)).to(like)
