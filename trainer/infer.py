"""Event mode: imagine the event's video and its actions from the first frames, the state and the caption."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipeline.loader.stats import ActionStats
from schemas.array import Floats
from trainer.batch import Example, latents_from, pack
from trainer.flow import euler, generator_of, observe
from trainer.model.wam import WallWM


@dataclass(frozen=True, eq=False)
class Imagined:
    """One sample of the model."""

    latents_VFCHW: Tensor
    """Observed first frame included; `trainer.latents.decode` makes pictures of one view."""
    actions_KA: Tensor
    """Normalised, relative to the observation pose."""

    def displacements(self, stats: ActionStats) -> Floats:
        """The actions in metres, 6-D rotations and openings, float32 [K, 20]."""
        return stats.denormalise(self.actions_KA.numpy())


@torch.no_grad()
def imagine(model: WallWM, example: Example, *, steps: int, shift: float, seed: int) -> Imagined:
    """Denoise one event in ``steps`` Euler steps.

    Of the example only what is known beforehand is used: the first latent of every view, the state, the caption
    and the length (number of latents and actions).
    """
    batch = pack([replace(example, visible_FNN=None)])  # masks are for training only
    generator = generator_of(seed, 0)
    start_video = torch.randn(batch.video.clean_TP.shape, generator=generator)
    start_action = torch.randn(batch.action.clean_SA.shape, generator=generator)

    def velocity(video_TP: Tensor, action_SA: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        level_E = sigma.reshape(1)
        predicted = model(batch, observe(batch, video_TP, action_SA, level_E, level_E))
        return predicted.video_TP, predicted.action_SA

    video_TP, action_SA = euler(velocity, start_video, start_action, steps, shift)
    levels_E = torch.zeros(1)
    final = observe(batch, video_TP, action_SA, levels_E, levels_E)
    views, frames, channels, height, width = example.latents_VFCHW.shape
    latents_VFCHW = latents_from(final.video_TP, (views, frames, channels, height, width))
    return Imagined(latents_VFCHW, action_SA[~batch.action.observed_S])
