"""Attention over packed tokens: one function, three ways to compute it, the same answer.

Every attention site of the model is block-structured: segment *i* of the queries sees segment *i* of the keys
and nothing else (an event's view, a frame's views, an event's caption). So the structure is two lists of
cumulative lengths, never a mask of T × S. On CUDA in half precision ``varlen`` is one kernel call; elsewhere
``loop`` runs a plain attention per segment; ``dense`` builds the mask after all and is the oracle tests
compare against. FlexAttention is not used: no backward on CPU, and slower than varlen on segments.

Shape legend of the package (names end in it): T video tokens, S other tokens (keys, action side), U tokens of
events with several views, D width, N heads, H width of a head, P numbers of a patch, R timestep rows, E events,
V views, F latent frames, C latent channels, K actions, A action dimensions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

Implementation: TypeAlias = Literal["auto", "varlen", "loop", "dense"]


Masks: TypeAlias = Sequence[Tensor | None]
"""Per segment, which query sees which key, bool [queries, keys]; None: all."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Which queries see which keys: lengths of the query and key segments, in order, and their running sums."""

    queries: tuple[int, ...]
    keys: tuple[int, ...]
    query_offsets: Tensor
    """int32 [segments + 1]."""
    key_offsets: Tensor
    """int32 [segments + 1]."""

    def slices(self) -> Iterator[tuple[slice, slice]]:
        """Where each segment's queries and keys stand."""
        query = key = 0
        for n_queries, n_keys in zip(self.queries, self.keys, strict=True):
            yield slice(query, query + n_queries), slice(key, key + n_keys)
            query, key = query + n_queries, key + n_keys


def segments_of(queries: Sequence[int], keys: Sequence[int] | None = None) -> Segments:
    """Segments with these lengths; without ``keys``, self-attention. Raises ValueError when a segment has no key."""
    keys = queries if keys is None else keys
    if len(queries) != len(keys):
        raise ValueError(f"segments: found {len(queries)} of queries and {len(keys)} of keys, expected as many")
    if any(key == 0 < query for query, key in zip(queries, keys, strict=True)):
        raise ValueError("segments: a query without any key has no attention; give the segment at least one key")
    return Segments(tuple(queries), tuple(keys), _offsets(queries), _offsets(keys))


def _offsets(lengths: Sequence[int]) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)


def attend(  # noqa: PLR0917 - queries, keys, values, and who sees whom
    q_TNH: Tensor,
    k_SNH: Tensor,
    v_SNH: Tensor,
    segments: Segments,
    implementation: Implementation = "auto",
    masks: Masks | None = None,
) -> Tensor:
    """Softmax attention inside each segment, [T, N, H] in the queries' dtype.

    ``masks`` hides single pairs as well; where there are any, segments of one size are one batched call.
    """
    if implementation == "auto":
        half = q_TNH.dtype in (torch.bfloat16, torch.float16)
        implementation = "varlen" if q_TNH.is_cuda and half and masks is None else "loop"
    if implementation == "dense":
        return _dense(q_TNH, k_SNH, v_SNH, segments, masks)
    if implementation == "varlen":
        if masks is not None:
            raise ValueError("attention by varlen knows no masks: use loop or dense")
        return _varlen(q_TNH, k_SNH, v_SNH, segments)
    if masks is not None:
        return _masked(q_TNH, k_SNH, v_SNH, segments, masks)
    return _loop(q_TNH, k_SNH, v_SNH, segments)


def _varlen(q_TNH: Tensor, k_SNH: Tensor, v_SNH: Tensor, segments: Segments) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - loads torch's compiler: seconds a CPU need not spend

    query_offsets, key_offsets = (x.to(q_TNH.device) for x in (segments.query_offsets, segments.key_offsets))
    longest = max(segments.queries), max(segments.keys)
    out = varlen_attn(q_TNH, k_SNH, v_SNH, query_offsets, key_offsets, *longest)
    if not isinstance(out, Tensor):
        raise TypeError("varlen_attn returned auxiliary outputs that were not asked for")
    return out


def _loop(q_TNH: Tensor, k_SNH: Tensor, v_SNH: Tensor, segments: Segments) -> Tensor:
    """One call per segment; a single batched call when all segments are of one size (the overfit case)."""
    n = len(segments.queries)
    if len(set(segments.queries)) == 1 and len(set(segments.keys)) == 1:
        q, k, v = (x.reshape(n, -1, *x.shape[1:]).transpose(1, 2) for x in (q_TNH, k_SNH, v_SNH))
        return scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(q_TNH.shape)
    return torch.cat([_one(q_TNH[q], k_SNH[k], v_SNH[k]) for q, k in segments.slices()])


def _masked(q_TNH: Tensor, k_SNH: Tensor, v_SNH: Tensor, segments: Segments, masks: Masks) -> Tensor:
    """One batched call for all segments of a size."""
    places: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(zip(segments.queries, segments.keys, strict=True)):
        places.setdefault(size, []).append(index)
    slices, out = list(segments.slices()), torch.empty_like(q_TNH)
    for (n_queries, n_keys), members in places.items():
        q, k, v = (
            torch.stack([x[slices[index][side]] for index in members]).transpose(1, 2)
            for x, side in ((q_TNH, 0), (k_SNH, 1), (v_SNH, 1))
        )
        full = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q_TNH.device)
        own = [masks[index] for index in members]
        visible = torch.stack([full if mask is None else mask for mask in own])[:, None]
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=visible).transpose(1, 2)
        for index, part in zip(members, mixed, strict=True):
            out[slices[index][0]] = part
    return out


def _one(q_TNH: Tensor, k_SNH: Tensor, v_SNH: Tensor) -> Tensor:
    q, k, v = (x.transpose(0, 1)[None] for x in (q_TNH, k_SNH, v_SNH))
    return scaled_dot_product_attention(q, k, v)[0].transpose(0, 1)


def _dense(q_TNH: Tensor, k_SNH: Tensor, v_SNH: Tensor, segments: Segments, masks: Masks | None = None) -> Tensor:
    query_segment, key_segment = (
        torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)).to(q_TNH.device)
        for lengths in (segments.queries, segments.keys)
    )
    logits_NTS = torch.einsum("tnh,snh->nts", q_TNH, k_SNH) * q_TNH.shape[-1] ** -0.5
    hidden = query_segment[:, None] != key_segment[None, :]
    for (queries, keys), mask in zip(segments.slices(), masks or (), strict=masks is not None):
        if mask is not None:
            hidden[queries, keys] |= ~mask
    weights_NTS = logits_NTS.masked_fill(hidden, float("-inf")).softmax(dim=-1)
    return torch.einsum("nts,snh->tnh", weights_NTS, v_SNH)
