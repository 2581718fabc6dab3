"""The whole model: p(video, actions | first frame of every camera, state, caption).

Two towers of equal depth. The video tower predicts the velocity of every latent patch; action block i reads what
leaves video block i. Nothing flows back (`trainer.model.action`), so the loop below can run the two side by side.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from trainer.batch import PATCH, Batch
from trainer.configs import ModelConfig, VideoConfig
from trainer.flow import Noised
from trainer.model.action import ActionContext, ActionTower
from trainer.model.language import WordTable
from trainer.model.views import CameraRope, ViewBranch
from trainer.model.wan import Context, Head, Rotation, TimeEmbedding, WanBlock, axis_widths, initialise, rotation_of


@dataclass(frozen=True, eq=False)
class Velocities:
    """What the model predicts: ε − x₀ of patches [T, P] and of state and action tokens [S, A] (None: not asked for)."""

    video_TP: Tensor
    action_SA: Tensor | None


class VideoTower(nn.Module):
    """Wan with packed tokens and, every few blocks, a cross-view branch."""

    def __init__(self, config: VideoConfig, text_width: int) -> None:
        super().__init__()
        width, self.channels = config.width, config.latent_channels
        self.head_width = width // config.heads
        patch_numbers = config.latent_channels * PATCH * PATCH
        self.patch_embedding = nn.Linear(patch_numbers, width)
        self.text_embedding = nn.Sequential(nn.Linear(text_width, width), nn.GELU("tanh"), nn.Linear(width, width))
        self.time = TimeEmbedding(width, config.time_frequencies)
        self.blocks = nn.ModuleList([WanBlock(width, config.ffn_width, config.heads) for _ in range(config.depth)])
        self.head = Head(width, patch_numbers)
        self.every = config.cross_view_every
        beside = range(0, config.depth, self.every) if self.every else ()
        self.views = nn.ModuleList([ViewBranch(width, config.heads) for _ in beside])
        self.camera_rope = CameraRope(self.head_width, config.max_views) if self.every else None

    def copy_views(self) -> None:
        """Start every cross-view branch from its block; to be called once the blocks have their weights."""
        for index, branch in enumerate(self.views):
            cast(ViewBranch, branch).copy_from(cast(WanBlock, self.blocks[index * self.every]))

    def context(self, batch: Batch, text_SD: Tensor, sigma_R: Tensor) -> tuple[Context, Tensor]:
        """What the blocks share, and the time embedding [R, D] for the head."""
        time_RD, time_R6D = self.time(sigma_R)
        video = batch.video
        rotation = rotation_of(video.position_T3, axis_widths(self.head_width))
        text_SD = self.text_embedding(text_SD)
        context = Context(text_SD, time_R6D, video.row_T, rotation, video.within, batch.text.read_by)
        return context, time_RD

    def view_rotation(self, batch: Batch) -> Rotation | None:
        """Camera RoPE of the pack's multi-view tokens; None when there are none."""
        if batch.video.views is None or self.camera_rope is None:
            return None
        rotation: Rotation = self.camera_rope(batch.video.views)
        return rotation

    def step(self, index: int, x_TD: Tensor, batch: Batch, context: Context, views: Rotation | None) -> Tensor:
        """Block ``index``: within views, across views, caption, feed-forward."""
        block = cast(WanBlock, self.blocks[index])
        x_TD = block.attend_within(x_TD, context)
        if views is not None and index % self.every == 0:
            x_TD = self.views[index // self.every](x_TD, context, batch.video.views, views)
        return block.read_and_think(x_TD, context)

    def patches(self, x_TD: Tensor, time_RD: Tensor, row_T: Tensor) -> Tensor:
        """The head's numbers, from Wan's order (row, column, channel) to the order of `patches_of`."""
        out_TP = self.head(x_TD, time_RD, row_T)
        reordered: Tensor = out_TP.reshape(len(x_TD), -1, self.channels).transpose(1, 2).reshape(out_TP.shape)
        return reordered


class WallWM(nn.Module):
    """Both towers and the caption table."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        video, action = config.video, config.action
        self.detach_video = config.detach_video
        self.text = WordTable(config.text.entries, config.text.width)
        self.video = VideoTower(video, config.text.width)
        self.action = ActionTower(
            dims=action.dims,
            width=action.width,
            ffn_width=action.ffn_width,
            heads=action.heads,
            depth=video.depth,
            time_frequencies=video.time_frequencies,
            max_tau=action.max_tau,
            video_width=video.width,
        )
        initialise(self)
        self.video.copy_views()

    def forward(self, batch: Batch, noised: Noised, *, with_action: bool = True) -> Velocities:
        """Velocities of a noised pack; ``with_action=False`` runs the video tower alone."""
        context, time_RD = self.video.context(batch, self.text(batch.text.word_S), noised.video_sigma_R)
        views = self.video.view_rotation(batch)
        x_TD = self.video.patch_embedding(noised.video_TP)
        beside = self._action_context(batch, noised) if with_action else None
        s_SD = self.action.embed(noised.action_SA, batch.action.known_SA) if with_action else None
        for index, action_block in enumerate(self.action.blocks):
            x_TD = self.video.step(index, x_TD, batch, context, views)
            if beside is not None:
                s_SD = action_block(s_SD, x_TD.detach() if self.detach_video else x_TD, beside[0])
        video_TP = self.video.patches(x_TD, time_RD, batch.video.row_T)
        action_SA = self.action.head(s_SD, beside[1], batch.action.row_S) if beside is not None else None
        return Velocities(video_TP, action_SA)

    def _action_context(self, batch: Batch, noised: Noised) -> tuple[ActionContext, Tensor]:
        action = batch.action
        time_RD, time_R6D = self.action.time(noised.action_sigma_R)
        context = ActionContext(
            time_R6D=time_R6D,
            row_S=action.row_S,
            rotation=self.action.rotation(action.place_S),
            state_E=action.state_E,
            tau_SD=self.action.look_up(action.tau_S),
            tau_TD=self.action.look_up(batch.video.position_T3[:, 0]),
            within=action.within,
            to_state=action.to_state,
            to_video=action.to_video,
        )
        return context, time_RD


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model has."""
    return sum(parameter.numel() for parameter in model.parameters())


def build(config: ModelConfig, seed: int) -> WallWM:
    """A freshly initialised model, the same for the same seed, leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WallWM(config)
