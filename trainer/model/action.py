"""The action tower: as deep as the video tower, reads it layer by layer, is never read by it.

One block: self-attention over an event's state and action tokens (1-D RoPE), cross-attention to the state token,
cross-attention to the hidden states that *leave* the paired video block (all views, all latent frames, all
patches), feed-forward gated by time. In the video cross-attention a learned lookup of the time index τ is added
to queries, keys and values: a video token's τ is its latent frame, the state's is 0, action k's ⌊k/K_p⌋ + 1, so
that an action finds the picture of the moment it leads to (wall_wm.md §3.5). Read as: "gated FFN" is the
time-modulated gate every other sublayer of the family has, not a GLU.

``sees="observed"`` narrows the video cross-attention to the tokens of the observed first frame: FastWAM's question
whether actions need the imagined future at all. These tokens have themselves attended to the rest of their video in
the video tower, as Wan's attention does; the switch takes away the direct view, it does not make the future free.

One-way coupling is what makes three promises exact: the video prior is untouched, freezing the video tower is
lossless, and one video pass can serve many action draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from trainer.attend import Segments
from trainer.batch import Batch
from trainer.model.wan import EPS, Attention, Head, Rotation, TimeEmbedding, modulations, normed, rotation_of
from trainer.model.window import WindowIndex

ActionSight: TypeAlias = Literal["all", "observed"]
"""What of the video the action tower reads: all of it, or the observed first frame alone (FastWAM's ablation)."""


@dataclass(frozen=True, eq=False)
class ActionContext:
    """What every action block of one forward pass shares."""

    time_R6D: Tensor
    row_S: Tensor
    rotation: Rotation
    state_D: Tensor
    """int64 [draws]: where each draw's state token stands."""
    tau_SD: Tensor
    """Looked-up time index of each state and action token."""
    tau_TD: Tensor
    """Of each video token."""
    within: Segments
    to_state: Segments
    seen: Segments
    """State and action tokens of an event over what they see of its video."""


KeysValues: TypeAlias = tuple[Tensor, Tensor]
"""Projected keys and values [T, D] of one layer's video states."""


class PairedAttention(Attention):
    """Cross-attention with the time index on both sides."""

    def project(self, video_TD: Tensor, tau_TD: Tensor) -> KeysValues:
        """Keys and values of the video tower's hidden states [T, width of that tower]: the same for every draw."""
        return self.k(video_TD) + tau_TD, self.v(video_TD) + tau_TD

    def read(self, x_SD: Tensor, seen: KeysValues, context: ActionContext) -> Tensor:
        """What state and action tokens [S, D] take from the video."""
        out: Tensor = self.o(self.mix(self.q(x_SD) + context.tau_SD, *seen, context.seen))
        return out


class ActionBlock(nn.Module):
    """One block, paired with the video block of the same depth."""

    def __init__(self, width: int, ffn_width: int, heads: int, video_width: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.norm_state = nn.LayerNorm(width, eps=EPS)
        self.state_attn = Attention(width, heads)
        self.norm_query = nn.LayerNorm(width, eps=EPS)
        self.norm_video = nn.LayerNorm(video_width, eps=EPS)
        self.video_attn = PairedAttention(width, heads, video_width)
        self.ffn = nn.Sequential(nn.Linear(width, ffn_width), nn.GELU("tanh"), nn.Linear(ffn_width, width))
        self.modulation = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def look(self, video_TD: Tensor, tau_TD: Tensor) -> KeysValues:
        """Keys and values of what left the paired video block."""
        return self.video_attn.project(self.norm_video(video_TD), tau_TD)

    def forward(self, x_SD: Tensor, seen: Tensor | KeysValues, context: ActionContext) -> tuple[Tensor, KeysValues]:
        """The next x and the keys and values of the video; ``seen`` is the paired block's output [T, ·] or these."""
        if isinstance(seen, Tensor):
            seen = self.look(seen, context.tau_TD)
        tables = modulations(self.modulation, context.time_R6D, context.row_S)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = tables
        h_SD = (normed(x_SD) * (1 + scale) + shift).type_as(x_SD)
        x_SD = x_SD + self.self_attn(h_SD, h_SD, context.within, context.rotation) * gate
        h_SD = self.norm_state(x_SD)
        x_SD = x_SD + self.state_attn(h_SD, h_SD[context.state_D], context.to_state)
        x_SD = x_SD + self.video_attn.read(self.norm_query(x_SD), seen, context)
        h_SD = (normed(x_SD) * (1 + ffn_scale) + ffn_shift).type_as(x_SD)
        thought_SD: Tensor = self.ffn(h_SD)
        return x_SD + thought_SD * ffn_gate, seen


class ActionTower(nn.Module):
    """Embedding, blocks and head."""

    def __init__(
        self,
        *,
        dims: int,
        width: int,
        ffn_width: int,
        heads: int,
        depth: int,
        time_frequencies: int,
        max_tau: int,
        video_width: int,
        sees: ActionSight = "all",
    ) -> None:
        super().__init__()
        self.sees = sees
        self.head_width = width // heads
        self.embedding = nn.Sequential(nn.Linear(2 * dims, width), nn.SiLU(), nn.Linear(width, width))
        self.time = TimeEmbedding(width, time_frequencies)
        self.tau = nn.Embedding(max_tau, width)
        self.blocks = nn.ModuleList([ActionBlock(width, ffn_width, heads, video_width) for _ in range(depth)])
        self.head = Head(width, dims)

    def forward(
        self,
        batch: Batch,
        seen: Sequence[Tensor | KeysValues],
        action_SA: Tensor,
        sigma_R: Tensor,
        window: WindowIndex | None = None,
    ) -> tuple[Tensor, tuple[KeysValues, ...]]:
        """Velocities of noised state and action tokens [S, A], and keys and values to pass as ``seen`` the next time.

        ``seen`` holds one entry per block: what left the paired video block, or what an earlier call has returned.
        """
        context, time_RD = self._context(batch, sigma_R, window)
        x_SD = self.embed(action_SA, batch.action.known_SA)
        projected = []
        for block, of_video in zip(self.blocks, seen, strict=True):
            x_SD, pair = block(x_SD, self._seen(of_video, batch), context)
            projected.append(pair)
        return self.head(x_SD, time_RD, batch.action.row_S), tuple(projected)

    def project(
        self, batch: Batch, states: Sequence[Tensor], window: WindowIndex | None = None
    ) -> tuple[KeysValues, ...]:
        """Keys and values of a video that has been watched, to pass as ``seen``: no more is needed of it."""
        tau_TD = self._video_index(batch, window)
        return tuple(
            block.look(self._visible(state, batch), tau_TD)
            for block, state in zip(self.blocks, states, strict=True)
            if isinstance(block, ActionBlock)
        )

    def _video_index(self, batch: Batch, window: WindowIndex | None) -> Tensor:
        """Looked-up time index [T, D] of the video tokens there are to see."""
        video = batch.video
        if window is not None and video.window_T is not None:
            # What is past is at τ = 0 with the observation; the window's index tells them apart.
            tau_TD = self._look_up(video.window_T.clamp(min=0)) + window.of_keys(video.window_T)
        else:
            tau_TD = self._look_up(video.position_T3[:, 0])
        return tau_TD[video.observed_O] if self.sees == "observed" else tau_TD

    def _context(self, batch: Batch, sigma_R: Tensor, window: WindowIndex | None) -> tuple[ActionContext, Tensor]:
        """What the blocks share, and the time embedding [R, D] for the head."""
        action = batch.action
        tau_SD = self._look_up(action.tau_S)
        if window is not None and batch.video.window_T is not None:
            tau_SD = tau_SD + window.of_queries(action.tau_S)
        time_RD, time_R6D = self.time(sigma_R)
        context = ActionContext(
            time_R6D=time_R6D,
            row_S=action.row_S,
            rotation=rotation_of(action.place_S[:, None], (self.head_width,)),  # state first
            state_D=action.state_D,
            tau_SD=tau_SD,
            tau_TD=self._video_index(batch, window),
            within=action.within,
            to_state=action.to_state,
            seen=action.to_observed if self.sees == "observed" else action.to_video,
        )
        return context, time_RD

    def _seen(self, of_video: Tensor | KeysValues, batch: Batch) -> Tensor | KeysValues:
        """What there is to see of a video block's output; keys and values are of that already."""
        return self._visible(of_video, batch) if isinstance(of_video, Tensor) else of_video

    def _visible(self, state_TD: Tensor, batch: Batch) -> Tensor:
        return state_TD if self.sees == "all" else state_TD[batch.video.observed_O]

    def embed(self, tokens_SA: Tensor, known_SA: Tensor) -> Tensor:
        """State and noised actions through one MLP [S, D]; it sees which dimensions exist, so zero is not "unknown"."""
        known = known_SA.to(tokens_SA.dtype)
        out: Tensor = self.embedding(torch.cat([tokens_SA * known, known], dim=1))
        return out

    def _look_up(self, tau: Tensor) -> Tensor:
        """The time index's vectors; raises ValueError for an event with more latent frames than the table."""
        if tau.is_cuda and torch.cuda.is_current_stream_capturing():
            # Looking would stop the GPU, which a graph being recorded cannot do; it was looked at while warming up.
            recorded: Tensor = self.tau(tau)
            return recorded
        most = int(tau.max())
        if most >= self.tau.num_embeddings:
            known = self.tau.num_embeddings
            raise ValueError(f"time index {most} in an event, the model knows 0 … {known - 1}: raise `max_tau`")
        out: Tensor = self.tau(tau)
        return out
