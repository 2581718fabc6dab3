"""A few Euler steps, with the last one differentiable: how the student makes what it is judged by.

The student is sampled as its teacher is (`trainer.flow.euler`), only in 1 to 4 steps, so it needs no sampler of its own
and its checkpoint is like any other. In training it walks to a step by itself, without gradients, and what it guesses
there is a sample: an error of an early step is thus seen, and mended, by the later ones.

Where actions have noise levels of their own (``asymmetric``), the video stands still at its level and its states are
computed once, for the student, the teacher and the fake score alike: the video tower is frozen and shared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from trainer.batch import Batch
from trainer.flow import Noised, observe
from trainer.losses import Prediction, velocity_of
from trainer.model.wam import WallWM


@dataclass(frozen=True, eq=False)
class Point:
    """Where a sample is between noise and data: patches [T, P], and state and action tokens [S, A]."""

    video_TP: Tensor
    action_SA: Tensor


@dataclass(frozen=True, eq=False)
class Still:
    """A video that does not move: its patches, their level, and what the action tower reads of it."""

    video_TP: Tensor
    video_sigma_E: Tensor
    states: tuple[Tensor, ...]


def placed(batch: Batch, point: Point, sigma_E: Tensor, sigma_D: Tensor, still: Still | None) -> Noised:
    """The point as the model sees it at these levels."""
    if still is not None:
        return observe(batch, still.video_TP, point.action_SA, still.video_sigma_E, sigma_D)
    return observe(batch, point.video_TP, point.action_SA, sigma_E, sigma_D)


def velocity(model: WallWM, batch: Batch, noised: Noised, still: Still | None, prediction: Prediction) -> Point:
    """Both velocities in float32; a still video has none."""
    if still is not None:
        said_SA, _ = model.action(batch, still.states, noised.action_SA, noised.action_sigma_R, model.window)
        video_TP = torch.zeros_like(still.video_TP)
    else:
        predicted = model(batch, noised)
        said_SA, video_TP = predicted.action_SA, predicted.video_TP.float()
    sigma_S1 = noised.action_sigma_R[batch.action.row_S, None]
    return Point(video_TP, velocity_of(said_SA.float(), noised.action_SA, sigma_S1, prediction))


def guess(model: WallWM, batch: Batch, noised: Noised, still: Still | None, prediction: Prediction) -> Point:
    """What the model takes a noised point for: x_σ − σ·v, with what is observed in its place."""
    moving = velocity(model, batch, noised, still, prediction)
    video_sigma_T1 = noised.video_sigma_R[batch.video.row_T, None]
    action_sigma_S1 = noised.action_sigma_R[batch.action.row_S, None]
    return Point(
        noised.video_TP - video_sigma_T1 * moving.video_TP, noised.action_SA - action_sigma_S1 * moving.action_SA
    )


def walk(  # noqa: PLR0917 - who walks, from where, along which levels
    model: WallWM,
    batch: Batch,
    start: Point,
    levels: Sequence[float],
    still: Still | None,
    prediction: Prediction,
) -> Point:
    """From noise at ``levels[0]`` to a sample: Euler steps without gradients, then the guess at the last level."""
    point = start
    with torch.no_grad():
        for sigma, following in pairwise(levels):
            noised = at(batch, point, sigma, still)
            moving, way = velocity(model, batch, noised, still, prediction), following - sigma
            point = Point(noised.video_TP + way * moving.video_TP, noised.action_SA + way * moving.action_SA)
    return guess(model, batch, at(batch, point, levels[-1], still), still, prediction)


def at(batch: Batch, point: Point, sigma: float, still: Still | None) -> Noised:
    """The point at one level for all."""
    like = batch.video.clean_TP
    sigma_E = like.new_full((batch.n_events,), sigma)
    return placed(batch, point, sigma_E, like.new_full((len(batch.action.state_D),), sigma), still)
