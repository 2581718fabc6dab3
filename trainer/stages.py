"""Which parameters each training stage moves and which losses it counts (wall_wm.md §3.8).

Three stages exist: both towers together (what `tiny` does), the video tower alone, and the action tower on a
frozen video tower. Frozen means `requires_grad = False`: no gradient buffers, no optimiser state.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from torch import nn

StageName: TypeAlias = Literal["joint", "video", "action"]


@dataclass(frozen=True)
class TrainingStage:
    """A stage: a pattern of the parameters that move, and whether each loss counts."""

    moves: str
    """`re.match` on parameter names."""
    video_loss: bool
    action_loss: bool


STAGES: Mapping[StageName, TrainingStage] = MappingProxyType(
    {
        "joint": TrainingStage("", video_loss=True, action_loss=True),
        "video": TrainingStage(r"(video|text)\.", video_loss=True, action_loss=False),
        "action": TrainingStage(r"action\.", video_loss=False, action_loss=True),
    }
)


def freeze(model: nn.Module, stage: TrainingStage) -> None:
    """Let exactly the stage's parameters require gradients."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(re.match(stage.moves, name) is not None)
