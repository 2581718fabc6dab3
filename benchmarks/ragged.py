"""A ragged batch of events for the trainer's benchmarks: lengths as in loader.md, pictures and captions of noise."""

from collections.abc import Sequence

import torch

from trainer.batch import PATCH, Example
from trainer.captions import CaptionFeatures

TEXT_LENGTH = 64


def latent_lengths(events: int, most: int, seed: int) -> list[int]:
    """Latent frames of events whose durations are log-normal about a quarter of the longest, 2 … ``most``."""
    drawn = torch.randn(events, generator=torch.Generator().manual_seed(seed)).mul(0.6).exp() * most / 4
    return [int(min(max(round(float(value)), 2), most)) for value in drawn]


def event(
    frames: int, *, channels: int, side: int, text_width: int, views: int = 1, actions: int = 0, seed: int = 0
) -> Example:
    """An event of noise."""
    generator = torch.Generator().manual_seed(seed)
    known = torch.ones(20, dtype=torch.bool) if actions else torch.zeros(20, dtype=torch.bool)
    text = torch.randn(TEXT_LENGTH, text_width, generator=generator)
    return Example(
        event_id=f"ev-{seed}",
        embodiment="arm",
        latents_VFCHW=torch.randn(views, frames, channels, PATCH * side, PATCH * side, generator=generator),
        picture_VHW=torch.ones(views, PATCH * side, PATCH * side, dtype=torch.bool),
        words=(),
        raw_frames=4 * frames,
        state_A=torch.randn(20, generator=generator) * known,
        state_known_A=known,
        actions_KA=torch.randn(actions, 20, generator=generator),
        action_known_A=known,
        valid_K=torch.ones(actions, dtype=torch.bool),
        tau_K=torch.arange(actions) * (frames - 1) // max(actions, 1) + 1,
        features=CaptionFeatures(text, text[:1], TEXT_LENGTH),
    )


def quickest(times_s: Sequence[float]) -> float:
    """The least disturbed of several measurements."""
    return min(times_s)
