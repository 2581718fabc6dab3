"""The Wan block, written for packed tokens.

Same arithmetic and parameter names as the original Wan DiT (``self_attn.q``, ``ffn.0``, ``modulation``), so that
its weights fit; diffusers' `WanTransformer3DModel` is the oracle in the tests. Two things differ in form only.
Tokens are packed [T, D] instead of padded [B, L, D]: attention gets segments. And timesteps are per token (the
observed frame is clean, the rest noised) through a row index: the time MLP and all modulations are computed on
the few distinct timestep rows R and only then looked up by token, instead of on every token.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from trainer.attend import Masks, Segments, attend

EPS = 1e-6
TIMESTEPS = 1000.0
"""Wan's time embedding counts σ in thousandths."""


class Rotation(NamedTuple):
    """Cosines and sines [T, H/2] by which the interleaved pairs of every head are turned."""

    cos_TH: Tensor
    sin_TH: Tensor


def axis_widths(head_width: int) -> tuple[int, int, int]:
    """How Wan divides a head between frame, row and column: (d − 4⌊d/6⌋, 2⌊d/6⌋, 2⌊d/6⌋)."""
    side = 2 * (head_width // 6)
    return head_width - 2 * side, side, side


def rotation_of(positions: Tensor, widths: tuple[int, ...], extra_angles: Tensor | None = None) -> Rotation:
    """RoPE, θ = 10⁴, angles in float64.

    ``positions`` int [T, axes]; ``widths`` even, one per axis; ``extra_angles`` [T, any] are appended as they are.
    """
    angles = []
    for axis, width in enumerate(widths):
        exponents = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / width
        angles.append(positions[:, axis, None].double() * 10_000.0**-exponents)
    if extra_angles is not None:
        angles.append(extra_angles.double())
    angles_TH = torch.cat(angles, dim=1)
    return Rotation(angles_TH.cos().float(), angles_TH.sin().float())


def rotate(x_TNH: Tensor, rotation: Rotation) -> Tensor:
    """Turn the pairs (x₀, x₁), (x₂, x₃), … of every head."""
    first, second = x_TNH.reshape(*x_TNH.shape[:-1], -1, 2).unbind(-1)
    cos, sin = rotation.cos_TH[:, None], rotation.sin_TH[:, None]
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    return turned.flatten(-2).to(x_TNH.dtype)


class Attention(nn.Module):
    """Wan attention: RMSNorm of queries and keys over *all* heads, i.e. before the head split; biases everywhere."""

    def __init__(self, width: int, heads: int, context_width: int | None = None) -> None:
        super().__init__()
        context_width = width if context_width is None else context_width
        self.heads = heads
        self.q = nn.Linear(width, width)
        self.k = nn.Linear(context_width, width)
        self.v = nn.Linear(context_width, width)
        self.o = nn.Linear(width, width)
        self.norm_q = nn.RMSNorm(width, eps=EPS)
        self.norm_k = nn.RMSNorm(width, eps=EPS)

    def forward(
        self,
        x_TD: Tensor,
        context_SD: Tensor,
        segments: Segments,
        rotation: Rotation | None = None,
        masks: Masks | None = None,
    ) -> Tensor:
        """What each token reads from its segment of the context; ``rotation`` only where context and x are one."""
        mixed_TD = self.mix(self.q(x_TD), self.k(context_SD), self.v(context_SD), segments, rotation, masks)
        out: Tensor = self.o(mixed_TD)
        return out

    def mix(  # noqa: PLR0917
        self,
        q_TD: Tensor,
        k_SD: Tensor,
        v_SD: Tensor,
        segments: Segments,
        rotation: Rotation | None = None,
        masks: Masks | None = None,
    ) -> Tensor:
        """Everything between the input projections and the output projection."""
        q_TNH, k_SNH, v_SNH = (x.reshape(len(x), self.heads, -1) for x in (self.norm_q(q_TD), self.norm_k(k_SD), v_SD))
        if rotation is not None:
            q_TNH, k_SNH = rotate(q_TNH, rotation), rotate(k_SNH, rotation)
        # Under autocast norms give float32, and half-precision kernels want all three alike.
        q_TNH, k_SNH = q_TNH.type_as(v_SNH), k_SNH.type_as(v_SNH)
        return attend(q_TNH, k_SNH, v_SNH, segments, masks=masks).flatten(1)


class TimeEmbedding(nn.Module):
    """σ to the two forms the blocks and the head are modulated by, computed on timestep rows only."""

    def __init__(self, width: int, frequencies: int) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.time_embedding = nn.Sequential(nn.Linear(frequencies, width), nn.SiLU(), nn.Linear(width, width))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width))

    def forward(self, sigma_R: Tensor) -> tuple[Tensor, Tensor]:
        """The embedding [R, D] for the head and its projection [R, 6, D] for the blocks."""
        half = self.frequencies // 2
        rate = torch.exp(-math.log(10_000.0) * torch.arange(half, dtype=torch.float64, device=sigma_R.device) / half)
        angles_RF = (sigma_R.double() * TIMESTEPS)[:, None] * rate
        waves_RF = torch.cat([angles_RF.cos(), angles_RF.sin()], dim=1).to(sigma_R.dtype)
        embedding_RD = self.time_embedding(waves_RF)
        return embedding_RD, self.time_projection(embedding_RD).reshape(len(sigma_R), 6, -1)


@dataclass(frozen=True, eq=False)
class Context:
    """What every block of one forward pass shares."""

    text_SD: Tensor
    time_R6D: Tensor
    row_T: Tensor
    """int64 [T]: each token's timestep row."""
    rotation: Rotation
    within: Segments
    """(event, view): what one video is."""
    text: Segments
    """Tokens of an event over the words of its caption."""


def modulations(table_1MD: Tensor, time_RMD: Tensor, row_T: Tensor) -> tuple[Tensor, ...]:
    """The M modulations of each token, each [T, D]; added up on rows, looked up by token."""
    return (table_1MD + time_RMD)[row_T].unbind(dim=1)


def normed(x_TD: Tensor) -> Tensor:
    """LayerNorm without parameters, in float32 as Wan has it."""
    return layer_norm(x_TD.float(), (x_TD.shape[-1],), eps=EPS)


class WanBlock(nn.Module):
    """Self-attention and feed-forward, modulated and gated by time; text cross-attention, neither."""

    def __init__(self, width: int, ffn_width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads)
        self.norm3 = nn.LayerNorm(width, eps=EPS)
        self.cross_attn = Attention(width, heads)
        self.ffn = nn.Sequential(nn.Linear(width, ffn_width), nn.GELU("tanh"), nn.Linear(ffn_width, width))
        self.modulation = nn.Parameter(torch.randn(1, 6, width) / width**0.5)

    def attend_within(self, x_TD: Tensor, context: Context) -> Tensor:
        """x after self-attention inside each view; the cross-view branch comes right after it."""
        shift, scale, gate = modulations(self.modulation[:, :3], context.time_R6D[:, :3], context.row_T)
        h_TD = (normed(x_TD) * (1 + scale) + shift).type_as(x_TD)
        read_TD: Tensor = self.self_attn(h_TD, h_TD, context.within, context.rotation)
        return x_TD + read_TD * gate

    def read_and_think(self, x_TD: Tensor, context: Context) -> Tensor:
        """x after the caption's cross-attention and the feed-forward layer."""
        x_TD = x_TD + self.cross_attn(self.norm3(x_TD), context.text_SD, context.text)
        shift, scale, gate = modulations(self.modulation[:, 3:], context.time_R6D[:, 3:], context.row_T)
        thought_TD: Tensor = self.ffn((normed(x_TD) * (1 + scale) + shift).type_as(x_TD))
        return x_TD + thought_TD * gate

    def forward(self, x_TD: Tensor, context: Context) -> Tensor:
        return self.read_and_think(self.attend_within(x_TD, context), context)


class Head(nn.Module):
    """Modulated norm and projection to a patch."""

    def __init__(self, width: int, patch_numbers: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, patch_numbers)
        self.modulation = nn.Parameter(torch.randn(1, 2, width) / width**0.5)

    def forward(self, x_TD: Tensor, time_RD: Tensor, row_T: Tensor) -> Tensor:
        shift, scale = modulations(self.modulation, time_RD[:, None], row_T)
        out: Tensor = self.head((normed(x_TD) * (1 + scale) + shift).type_as(x_TD))
        return out


def initialise(module: nn.Module) -> None:
    """Wan's initialisation, for towers that do not start from its weights.

    Xavier in general, N(0, 0.02) in the time and text embeddings, zero in the output heads: at the start the tower
    predicts zero rather than noise.
    """
    for name, child in module.named_modules():
        if isinstance(child, nn.Linear):
            if "time_embedding" in name or "text_embedding" in name:
                nn.init.normal_(child.weight, std=0.02)
            elif name.endswith("head.head"):
                nn.init.zeros_(child.weight)
            else:
                nn.init.xavier_uniform_(child.weight)
            nn.init.zeros_(child.bias)
