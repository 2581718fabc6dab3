"""Tube masking (wall_wm.md §3.3): hide a window of one view that another camera can see, over the whole event.

A draw is chosen with probability ``probability``; of one of its views a k × k window of tokens is hidden, all of it
inside the region some other view can see. In every latent frame its noised tokens are pure noise to the model, and with
probability ``condition`` (given a tube) the observed frame's too, so that only other cameras can tell what is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.batch import PATCH, Example
from trainer.flow import generator_of

_SEED = 2_000_003
"""Keeps a draw's tube apart from its noise."""


@dataclass(frozen=True)
class TubeConfig:
    """How often, how large."""

    probability: float = 0.0
    condition: float = 0.5
    side: int = 2
    """k, in tokens."""


@dataclass(frozen=True, eq=False)
class Tubes:
    """Of a pack: tokens hidden, and which of them also where they were observed; bool [T]."""

    hidden_T: Tensor
    observed_T: Tensor


def tubes_of(examples: Sequence[Example], draws: Sequence[int], seed: int, config: TubeConfig) -> Tubes | None:
    """The tubes of a pack's draws; None when it has none."""
    hidden, observed = [], []
    for example, draw in zip(examples, draws, strict=True):
        tube_T, also = _tube(example, generator_of(seed + _SEED, draw), config)
        hidden.append(tube_T)
        observed.append(tube_T & also)
    found = Tubes(torch.cat(hidden), torch.cat(observed))
    return found if found.hidden_T.any() else None


def _tube(example: Example, generator: torch.Generator, config: TubeConfig) -> tuple[Tensor, bool]:
    views, frames, _, height, width = example.latents_VFCHW.shape
    rows, columns, k = height // PATCH, width // PATCH, config.side
    mask_VFRC = torch.zeros(views, frames, rows, columns, dtype=torch.bool)
    coin, also = torch.rand(2, generator=generator).tolist()
    seen_VRC = seen_by_others(example, rows, columns)
    if coin < config.probability and seen_VRC is not None:
        windows = seen_VRC.float().unfold(1, k, 1).unfold(2, k, 1).flatten(3).amin(dim=3).nonzero()
        if len(windows):
            view, row, column = windows[int(torch.randint(len(windows), (), generator=generator))].tolist()
            mask_VFRC[view, :, row : row + k, column : column + k] = True
    return mask_VFRC.flatten(), also < config.condition


def seen_by_others(example: Example, rows: int, columns: int) -> Tensor | None:
    """Patches [V, R, C] that another view can show in every latent frame, bool; None where that is not known."""
    if example.visible_FNN is None:
        return None
    views, n = len(example.latents_VFCHW), rows * columns
    mask = example.visible_FNN.reshape(-1, views, n, views, n)
    others = ~torch.eye(views, dtype=torch.bool)[:, None, :, None]
    seen: Tensor = (mask & others).flatten(3).any(dim=3).all(dim=0)
    return seen.reshape(views, rows, columns)
