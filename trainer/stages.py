"""Which parameters each training stage moves and which losses it counts (wall_wm.md §3.8).

Five stages follow one another, each on what the one before has left, and `joint` trains both towers and the language
heads at once, which is what `tiny` does. Frozen means `requires_grad = False`: no gradient buffers, no optimiser state,
and weights that are bit for bit the same afterwards. Every parameter moves in at least one of the five.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from torch import nn

StageName: TypeAlias = Literal["joint", "video", "action", "language", "staircase", "adapt"]


@dataclass(frozen=True)
class TrainingStage:
    """A stage: a pattern of the parameters that move, and whether each loss counts."""

    moves: str
    """`re.match` on parameter names."""
    video_loss: bool = False
    action_loss: bool = False
    language_loss: bool = False
    """Next event, remaining time and text features."""
    chain_loss: bool = False
    """The Staircase tells the chain, and the towers read its latents in place of the caption."""
    windows: bool = False
    """Examples have history before the observation, as much as ``data.history`` says."""
    after: str = ""
    """What must have been trained before; empty where the stage can start from nothing."""

    @property
    def runs_towers(self) -> bool:
        return self.video_loss or self.action_loss

    @property
    def runs_language(self) -> bool:
        return self.language_loss or self.chain_loss


STAGES: Mapping[StageName, TrainingStage] = MappingProxyType(
    {
        "joint": TrainingStage(
            r"(video|text|action|language)\.", video_loss=True, action_loss=True, language_loss=True
        ),
        "video": TrainingStage(r"(video|text)\.", video_loss=True),
        "action": TrainingStage(r"action\.", action_loss=True, after="a video tower"),
        "language": TrainingStage(r"language\.", language_loss=True),
        "staircase": TrainingStage(
            r"staircase\.", action_loss=True, chain_loss=True, after="both towers and the language heads"
        ),
        "adapt": TrainingStage(
            r"(video|action|window)\.", video_loss=True, action_loss=True, windows=True, after="both towers"
        ),
    }
)
FIVE: tuple[StageName, ...] = ("video", "action", "language", "staircase", "adapt")
"""In their order."""


def freeze(model: nn.Module, stage: TrainingStage) -> None:
    """Let exactly the stage's parameters require gradients. Raises ValueError when the model has none of them."""
    moving = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(re.match(stage.moves, name) is not None)
        moving += parameter.requires_grad
    if not moving:
        raise ValueError(
            f"no parameter matches {stage.moves!r}: the model lacks the part this stage trains; choose a configuration "
            "that has it (`model.language` for heads and Staircase, `model.history` for windows)"
        )
