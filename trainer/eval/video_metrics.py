"""One held-out event against what a predictor says of it: pictures, latents, motion, agreement of views, actions.

Pictures are compared after the codec: a latent model cannot show what the codec cannot, so ``psnr`` is against the
decoded true latents, and ``psnr_recorded`` against the recording itself, whose ceiling is the truth's own row. The
observed frame and the border are left out of everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer.batch import pack
from trainer.eval.action_metrics import ActionScore, action_score
from trainer.eval.cross_view import Agreement, agreement
from trainer.eval.held_out import HeldOut, covered
from trainer.eval.picture_quality import motion_energy, psnr, ssim
from trainer.eval.predictors import Predictor, Said, displacements, generator_for, seed_of
from trainer.flow import Noise, Schedule, Sigmas, add_noise, draw_noise

SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class ViewScore:
    """One camera of an event."""

    camera: str
    psnr: float
    ssim: float
    psnr_recorded: float
    motion: float
    """Energy of second differences in time, predicted; a sum."""
    true_motion: float


@dataclass(frozen=True)
class EventScore:
    """Everything measured of one event."""

    event_id: str
    views: tuple[ViewScore, ...]
    latent_mse: tuple[float, ...]
    """By latent frame from the second on, mean over views, channels and cells."""
    agreements: tuple[Agreement, ...]
    video_v_mse: tuple[float, ...]
    """By level of `SIGMAS`."""
    action_v_mse: tuple[float, ...] | None
    action: ActionScore | None


def score(predictor: Predictor, event: HeldOut, seed: int) -> EventScore:
    """Ask the predictor about the event and compare."""
    said, example = predictor.imagine(event, seed_of(seed, event.event_id)), event.example
    video_v, action_v = _velocity_errors(predictor, event, seed)
    return EventScore(
        event_id=event.event_id,
        views=_views(event, said),
        latent_mse=_by_frame(said.latents_VFCHW, example.latents_VFCHW, example.picture_VHW),
        agreements=tuple(agreement(said.latents_VFCHW, example.latents_VFCHW, event.pairs)),
        video_v_mse=video_v,
        action_v_mse=action_v,
        action=_actions(event, said),
    )


def _views(event: HeldOut, said: Said) -> tuple[ViewScore, ...]:
    found = []
    for view, (camera, recorded) in enumerate(event.pictures.items()):
        rows, columns = covered(event.example.picture_VHW[view], recorded)
        predicted, true = (
            event.codec.decode(codes[view])[:, rows, columns]
            for codes in (said.latents_VFCHW, event.example.latents_VFCHW)
        )
        found.append(
            ViewScore(
                camera=camera,
                psnr=psnr(predicted[1:], true[1:]),
                ssim=ssim(predicted[1:], true[1:]),
                psnr_recorded=psnr(predicted[1:], recorded[1:, rows, columns]),
                motion=motion_energy(predicted),
                true_motion=motion_energy(true),
            )
        )
    return tuple(found)


def _by_frame(said_VFCHW: Tensor, true_VFCHW: Tensor, picture_VHW: Tensor) -> tuple[float, ...]:
    squared_VFHW = (said_VFCHW - true_VFCHW).double().square().mean(dim=2)
    counted_VHW = picture_VHW.double()
    sums_F = (squared_VFHW * counted_VHW[:, None]).sum(dim=(0, 2, 3))
    return tuple((sums_F / counted_VHW.sum())[1:].tolist())


def _actions(event: HeldOut, said: Said) -> ActionScore | None:
    example = event.example
    if event.stats is None:
        return None
    predicted, true = (displacements(actions, event.stats) for actions in (said.actions_KA, example.actions_KA))
    return action_score(predicted, true, example.action_known_A.numpy(), example.valid_K.numpy())


def _velocity_errors(
    predictor: Predictor, event: HeldOut, seed: int
) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
    """v-MSE of video and actions at every level, with the same noise for every predictor."""
    copies = [replace(event.example, visible_FNN=None)] * len(SIGMAS)
    batch, noise = pack(copies), _noise(event, seed, SIGMAS)
    noised = add_noise(batch, noise)
    said = predictor.velocities(event, batch, noise, noised)
    video, action = batch.video, batch.action
    of_video = _per_copy(said.video_TP - (noise.video_TP - video.clean_TP), video.mask_TP, video.event_T)
    if said.action_SA is None or not bool(action.mask_SA.any()):
        return of_video, None
    return of_video, _per_copy(said.action_SA - (noise.action_SA - action.clean_SA), action.mask_SA, action.event_S)


def _noise(event: HeldOut, seed: int, sigmas: Sequence[float]) -> Noise:
    """The event's own noise, at each of these levels."""
    first = int(torch.randint(2**40, (1,), generator=generator_for(seed, event.event_id)))
    copies, draws = [event.example] * len(sigmas), range(first, first + len(sigmas))
    levels = torch.tensor(sigmas)
    drawn = draw_noise(copies, draws, seed, Schedule(Sigmas("uniform"), None))
    return replace(drawn, video_sigma_E=levels, action_sigma_D=levels)


def _per_copy(error_TP: Tensor, mask_TP: Tensor, event_T: Tensor) -> tuple[float, ...]:
    squared = error_TP.double().square() * mask_TP
    found = []
    for copy in range(int(event_T.max()) + 1):
        own = event_T == copy
        found.append(float(squared[own].sum() / mask_TP[own].sum().clamp(min=1)))
    return tuple(found)
