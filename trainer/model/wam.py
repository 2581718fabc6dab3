"""The whole model: p(video, actions | first frame of every camera, state, caption).

Two towers of equal depth. The video tower predicts the velocity of every latent patch; action block i reads what
leaves video block i. Nothing flows back (`trainer.model.action`), so the video tower runs first, once, and its states
serve every action draw and, in inference, every denoising step of the actions.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from trainer.attend import segments_of
from trainer.batch import PATCH, Batch, TextTokens
from trainer.configs import ModelConfig, VideoConfig
from trainer.flow import Noised
from trainer.model.action import ActionTower
from trainer.model.conditioner import Conditioner, LanguageSums, SmallEncoder, language_sums
from trainer.model.language import WordTable
from trainer.model.staircase import Staircase, chain_sum
from trainer.model.views import Across, CameraRope, ViewBranch
from trainer.model.wan import Context, Head, TimeEmbedding, WanBlock, axis_widths, initialise, rotation_of
from trainer.model.window import WindowIndex
from trainer.story import Question


@dataclass(frozen=True, eq=False)
class Velocities:
    """What the model predicts: ε − x₀ of patches [T, P] and of state and action tokens [S, A] (None: not asked for)."""

    video_TP: Tensor
    action_SA: Tensor | None


@dataclass(frozen=True, eq=False)
class Watched:
    """One pass of the video tower: its prediction, and what left every block [T, D], which the action tower reads."""

    video_TP: Tensor
    states: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Thought:
    """What the conditioner and the Staircase make of a pack's questions; None for what was not asked."""

    language: LanguageSums | None = None
    chain: Tensor | None = None
    latents_EKD: Tensor | None = None
    text_SD: Tensor | None = None
    """The latents as text features, K_c of each event."""


class VideoLayer(nn.Module):
    """A Wan block and, in some layers, the cross-view branch between its attention and the rest of it."""

    def __init__(self, width: int, ffn_width: int, heads: int, *, across: bool) -> None:
        super().__init__()
        self.block = WanBlock(width, ffn_width, heads)
        self.view = ViewBranch(width, heads) if across else None

    def forward(self, x_TD: Tensor, context: Context, across: Across | None) -> Tensor:
        """Within views, across views, caption, feed-forward."""
        x_TD = self.block.attend_within(x_TD, context)
        if self.view is not None and across is not None:
            x_TD = self.view(x_TD, context, across)
        return self.block.read_and_think(x_TD, context)


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
        every = config.cross_view_every
        self.layers = nn.ModuleList(
            VideoLayer(width, config.ffn_width, config.heads, across=bool(every) and index % every == 0)
            for index in range(config.depth)
        )
        self.head = Head(width, patch_numbers)
        self.camera_rope = CameraRope(self.head_width, config.max_views) if every else None
        self.recompute = False
        """Whether training runs layers again in the backward pass instead of keeping what happened inside."""

    def copy_views(self) -> None:
        """Start every cross-view branch from its block; to be called once the blocks have their weights."""
        for layer in self.layers:
            if isinstance(layer, VideoLayer) and layer.view is not None:
                layer.view.copy_from(layer.block)

    def forward(
        self,
        batch: Batch,
        text_SD: Tensor,
        video_TP: Tensor,
        sigma_R: Tensor,
        window: WindowIndex | None = None,
    ) -> Watched:
        """Velocities of noised patches [T, P] at the levels of the timestep rows [R], and every block's output."""
        time_RD, time_R6D = self.time(sigma_R)
        video = batch.video
        rotation = rotation_of(video.position_T3, axis_widths(self.head_width))
        text_SD = self.text_embedding(text_SD)
        context = Context(text_SD, time_R6D, video.row_T, rotation, video.within, batch.text.read_by)
        across = self._across(batch)
        x_TD = self.patch_embedding(video_TP)
        if window is not None and video.window_T is not None:
            x_TD = x_TD + window.of_video(video.window_T)
        states = []
        for layer in self.layers:
            x_TD = _run(layer, x_TD, context, across, again=self.recompute)
            states.append(x_TD)
        return Watched(self._patches(x_TD, time_RD, video.row_T), tuple(states))

    def _across(self, batch: Batch) -> Across | None:
        """The pack's multi-view tokens and their Camera RoPE; None when there are none."""
        if batch.video.views is None or self.camera_rope is None:
            return None
        return Across(batch.video.views, self.camera_rope(batch.video.views))

    def _patches(self, x_TD: Tensor, time_RD: Tensor, row_T: Tensor) -> Tensor:
        """The head's numbers, from Wan's order (row, column, channel) to the order of `patches_of`."""
        out_TP = self.head(x_TD, time_RD, row_T)
        reordered: Tensor = out_TP.reshape(len(x_TD), -1, self.channels).transpose(1, 2).reshape(out_TP.shape)
        return reordered


class WallWM(nn.Module):
    """Both towers and, where captions do not come encoded, the word table; where the configuration has them, language
    heads, Staircase, window index."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        video, action = config.video, config.action
        self.detach_video = config.detach_video
        self.text = None if config.text.encoded else WordTable(config.text.entries, config.text.width)
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
            sees=action.sees,
        )
        initialise(self)
        self.video.copy_views()
        self.language: Conditioner | None = None
        self.staircase: Staircase | None = None
        self.window: WindowIndex | None = None
        # After the towers: their first weights do not depend on what else there is.
        if config.language is not None:
            self.language = Conditioner(
                config.language,
                patch_numbers=video.latent_channels * PATCH * PATCH,
                dims=action.dims,
                max_views=video.max_views,
                text_width=config.text.width,
            )
            self.staircase = Staircase(config.language, config.text.width)
            if isinstance(self.language.encoder, SmallEncoder):
                self.staircase.copy_from(self.language.encoder.upper)
        if config.history:
            self.window = WindowIndex(config.history, action.max_tau - 1, video.width, action.width)

    def forward(
        self, batch: Batch, noised: Noised, *, with_action: bool = True, text_SD: Tensor | None = None
    ) -> Velocities:
        """Velocities of a noised pack; ``with_action=False`` runs the video tower alone.

        ``text_SD``: features to read in place of the captions, as many of each event; gradients reach them.
        """
        watched = self.watch(batch, noised.video_TP, noised.video_sigma_R, text_SD)
        if not with_action:
            return Velocities(watched.video_TP, None)
        apart = self.detach_video and text_SD is None
        states = [state.detach() for state in watched.states] if apart else watched.states
        action_SA, _ = self.action(batch, states, noised.action_SA, noised.action_sigma_R, self.window)
        return Velocities(watched.video_TP, action_SA)

    def watch(self, batch: Batch, video_TP: Tensor, sigma_R: Tensor, text_SD: Tensor | None = None) -> Watched:
        """The video tower alone, with what the action tower reads of it: once, for however many action draws."""
        if text_SD is None:
            text_SD = self.read(batch.text)
        else:
            each = len(text_SD) // batch.n_events
            read_by = segments_of(batch.text.read_by.queries, [each] * batch.n_events)
            batch = replace(batch, text=replace(batch.text, read_by=read_by))
        watched: Watched = self.video(batch, text_SD, video_TP, sigma_R, self.window)
        return watched

    def read(self, text: TextTokens) -> Tensor:
        """The captions' vectors [S, width]. Raises ValueError for captions in the form the model does not take."""
        if (self.text is None) != (text.features_SC is not None):
            wants, found = ("features", "words") if self.text is None else ("words", "features")
            raise ValueError(f"the model reads captions as {wants}, these events have them as {found}")
        if self.text is not None:
            words_SC: Tensor = self.text(text.word_S)
            return words_SC
        assert text.features_SC is not None
        return text.features_SC

    def think(self, question: Question, *, heads: bool, chain: bool) -> Thought:
        """Losses of the heads and of the Staircase, and the latents. Raises ValueError when the model has neither."""
        if self.language is None or self.staircase is None or self.text is None:
            raise ValueError("the model has no language heads: choose a configuration with `model.language`")
        story = question.story
        slot_D = self.staircase.slot if chain else None
        understood = self.language.understand(story.asked, question.sight, question.foreign, slot_D)
        sums = None
        if heads:
            sums = language_sums(self.language, understood, story, self.text(story.target_S))
        if not chain:
            return Thought(sums)
        latents_EKD = self.staircase(understood)
        told = chain_sum(self.staircase, self.language, latents_EKD, story)
        return Thought(sums, told, latents_EKD, self.staircase.text(latents_EKD))


def _run(layer: nn.Module, *inputs: object, again: bool) -> Tensor:
    if again and torch.is_grad_enabled():
        out: Tensor = checkpoint(layer, *inputs, use_reentrant=False)
    else:
        out = layer(*inputs)
    return out


def parameter_count(model: nn.Module) -> int:
    """How many numbers the model has."""
    return sum(parameter.numel() for parameter in model.parameters())


def build(config: ModelConfig, seed: int) -> WallWM:
    """A freshly initialised model, the same for the same seed, leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return WallWM(config)
