"""Distribution matching (DMD2): what a sample of the student lacks, told by two denoisers.

A sample x is noised; the teacher guesses what it was (``real``), and so does a *fake score*, a copy of the teacher that
is trained on the student's samples alone. Where they differ, teacher and student differ in density: fake − real is
σ²/(1−σ) times the gradient of log p_student − log p_teacher there, and moving x against it moves the student's
distribution to the teacher's. No picture of the teacher's is imitated, so a student of one step need not average over
what the teacher might have done.

The gradient of every event is divided by how far its samples are from the teacher's guess, mean |x − real|, so that all
noise levels and all events weigh alike. Video and actions are matched each by itself, at one noise level: the video's
score does not depend on the actions, since nothing of them flows back (`trainer.model.action`); the actions' is taken
given the noised video. `matching_sum` is a number whose gradient by x is the wanted one, counted as losses are.
"""

import torch
from torch import Tensor

from trainer.losses import Reduction, summed

_LEAST_DISTANCE = 1e-3
"""Of unit variance: a sample the teacher would leave as it is must not be divided by nothing."""


def matching_gradient(  # noqa: PLR0917 - a sample, two guesses, and what is counted of them
    x_TP: Tensor, real_TP: Tensor, fake_TP: Tensor, mask_TP: Tensor, event_T: Tensor, n_events: int
) -> Tensor:
    """((x − real) − (x − fake)) / mean|x − real| of the event [T, P]; 0 where nothing is counted."""
    counted_TP = mask_TP.to(x_TP.dtype)
    zeros_E = x_TP.new_zeros(n_events)
    distance_E = zeros_E.index_add(0, event_T, ((x_TP - real_TP).abs() * counted_TP).sum(dim=1))
    numbers_E = zeros_E.index_add(0, event_T, counted_TP.sum(dim=1))
    scale_E = (distance_E / numbers_E.clamp(min=1)).clamp(min=_LEAST_DISTANCE)
    gradient_TP = ((x_TP - real_TP) - (x_TP - fake_TP)) / scale_E[event_T, None]
    return torch.where(mask_TP, gradient_TP, torch.zeros_like(gradient_TP)).detach()


def matching_sum(  # noqa: PLR0917 - as `trainer.losses.summed`
    x_TP: Tensor, gradient_TP: Tensor, mask_TP: Tensor, event_T: Tensor, n_events: int, reduce: Reduction
) -> Tensor:
    """½·(x − stopgrad(x − gradient))², summed as `trainer.losses.summed` does: its gradient by x is ``gradient_TP``,
    times what each number weighs."""
    target_TP = (x_TP - gradient_TP).detach()
    return 0.5 * summed((x_TP - target_TP).square(), mask_TP, event_T, n_events, reduce)
