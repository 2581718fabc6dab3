"""The action tower: as deep as the video tower, reads it layer by layer, is never read by it.

One block: self-attention over an event's state and action tokens (1-D RoPE), cross-attention to the state token,
cross-attention to the hidden states that *leave* the paired video block (all views, all latent frames, all
patches), feed-forward gated by time. In the video cross-attention a learned lookup of the time index τ is added
to queries, keys and values: a video token's τ is its latent frame, the state's is 0, action k's ⌊k/K_p⌋ + 1, so
that an action finds the picture of the moment it leads to (wall_wm.md §3.5). Read as: "gated FFN" is the
time-modulated gate every other sublayer of the family has, not a GLU.

One-way coupling is what makes three promises exact: the video prior is untouched, freezing the video tower is
lossless, and one video pass can serve many action draws.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.attend import Segments
from trainer.model.wan import EPS, Attention, Head, Rotation, TimeEmbedding, modulations, normed, rotation_of


@dataclass(frozen=True, eq=False)
class ActionContext:
    """What every action block of one forward pass shares."""

    time_R6D: Tensor
    row_S: Tensor
    rotation: Rotation
    state_E: Tensor
    """int64 [E]: where each event's state token stands."""
    tau_SD: Tensor
    """Looked-up time index of each state and action token."""
    tau_TD: Tensor
    """Of each video token."""
    within: Segments
    to_state: Segments
    to_video: Segments


class PairedAttention(Attention):
    """Cross-attention with the time index on both sides."""

    def read(self, x_SD: Tensor, video_TD: Tensor, context: ActionContext) -> Tensor:
        """What state and action tokens [S, D] take from the video tower's hidden states [T, width of that tower]."""
        q_SD = self.q(x_SD) + context.tau_SD
        k_TD, v_TD = self.k(video_TD) + context.tau_TD, self.v(video_TD) + context.tau_TD
        out: Tensor = self.o(self.mix(q_SD, k_TD, v_TD, context.to_video))
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

    def forward(self, x_SD: Tensor, video_TD: Tensor, context: ActionContext) -> Tensor:
        tables = modulations(self.modulation, context.time_R6D, context.row_S)
        shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = tables
        h_SD = (normed(x_SD) * (1 + scale) + shift).type_as(x_SD)
        x_SD = x_SD + self.self_attn(h_SD, h_SD, context.within, context.rotation) * gate
        h_SD = self.norm_state(x_SD)
        x_SD = x_SD + self.state_attn(h_SD, h_SD[context.state_E], context.to_state)
        x_SD = x_SD + self.video_attn.read(self.norm_query(x_SD), self.norm_video(video_TD), context)
        h_SD = (normed(x_SD) * (1 + ffn_scale) + ffn_shift).type_as(x_SD)
        thought_SD: Tensor = self.ffn(h_SD)
        return x_SD + thought_SD * ffn_gate


class ActionTower(nn.Module):
    """Embedding, blocks and head; `trainer.model.wam` runs it beside the video tower."""

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
    ) -> None:
        super().__init__()
        self.head_width = width // heads
        self.embedding = nn.Sequential(nn.Linear(2 * dims, width), nn.SiLU(), nn.Linear(width, width))
        self.time = TimeEmbedding(width, time_frequencies)
        self.tau = nn.Embedding(max_tau, width)
        self.blocks = nn.ModuleList([ActionBlock(width, ffn_width, heads, video_width) for _ in range(depth)])
        self.head = Head(width, dims)

    def embed(self, tokens_SA: Tensor, known_SA: Tensor) -> Tensor:
        """State and noised actions through one MLP [S, D]; it sees which dimensions exist, so zero is not "unknown"."""
        known = known_SA.to(tokens_SA.dtype)
        out: Tensor = self.embedding(torch.cat([tokens_SA * known, known], dim=1))
        return out

    def rotation(self, place_S: Tensor) -> Rotation:
        """1-D RoPE over the place in the event; state first."""
        return rotation_of(place_S[:, None], (self.head_width,))

    def look_up(self, tau: Tensor) -> Tensor:
        """The time index's vectors; raises ValueError for an event with more latent frames than the table."""
        most = int(tau.max())
        if most >= self.tau.num_embeddings:
            known = self.tau.num_embeddings
            raise ValueError(f"time index {most} in an event, the model knows 0 … {known - 1}: raise `max_tau`")
        out: Tensor = self.tau(tau)
        return out
