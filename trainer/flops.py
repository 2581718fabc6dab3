"""How many floating-point operations a packed step needs, and what share of the machine's they are (MFU).

Counted from the batch, not measured: every product of matrices, and every attention by its own segments, so that a pack
of short events is not credited with the T² it never computes. Two operations per multiply-add; norms, softmax and the
optimiser are left out, as in everybody's MFU. A backward pass costs twice its forward pass. Layers that are run again
instead of kept (`recompute`) do not count: MFU is about what the model needs, not about what was spent on it.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter

import torch

from trainer.attend import Segments
from trainer.batch import PATCH, Batch
from trainer.configs import ModelConfig
from trainer.stages import TrainingStage

BACKWARD = 2
"""Of the forward pass: one product for the inputs' gradient, one for the weights'."""


@dataclass(frozen=True)
class Flops:
    """One forward pass of a pack."""

    video: int
    action: int

    def of_step(self, stage: TrainingStage) -> int:
        """Forward and backward. A tower that is frozen has no backward pass, one that is not asked for, none at all."""
        video = self.video * (1 + BACKWARD * bool(re.match(stage.moves, "video.")))
        return video + self.action * (1 + BACKWARD) * stage.action_loss


def flops_of(batch: Batch, config: ModelConfig) -> Flops:
    """Operations of one forward pass."""
    return Flops(_video(batch, config), _action(batch, config))


def _linear(rows: int, *widths: int) -> int:
    """A chain of matrices: rows × widths[0] to rows × widths[-1]."""
    return sum(2 * rows * a * b for a, b in pairwise(widths))


def _attention(segments: Segments, width: int) -> int:
    """Scores and weighted sums of every segment."""
    return 4 * width * sum(q * k for q, k in zip(segments.queries, segments.keys, strict=True))


def _time(rows: int, frequencies: int, width: int) -> int:
    return _linear(rows, frequencies, width, width, 6 * width)


def _video(batch: Batch, config: ModelConfig) -> int:
    video, own, d = batch.video, config.video, config.video.width
    tokens, words = len(video.event_T), len(batch.text.word_S)
    patch = own.latent_channels * PATCH * PATCH
    once = _linear(tokens, patch, d) + _linear(tokens, d, patch) + _linear(words, config.text.width, d, d)
    once += _time(2 * batch.n_events, own.time_frequencies, d)
    block = _linear(tokens, d, d) * 4 + _attention(video.within, d)
    block += _linear(tokens, d, d) * 2 + _linear(words, d, d) * 2 + _attention(batch.text.read_by, d)
    block += _linear(tokens, d, own.ffn_width, d)
    total = once + block * own.depth
    if video.views is not None and own.cross_view_every:
        branch = _linear(len(video.views.order_U), d, d) * 4 + _attention(video.views.segments, d)
        total += branch * len(range(0, own.depth, own.cross_view_every))
    return total


def _action(batch: Batch, config: ModelConfig) -> int:
    action, own, d = batch.action, config.action, config.action.width
    tokens, draws, seen = len(action.event_S), len(action.state_D), len(batch.video.event_T)
    once = _linear(tokens, 2 * own.dims, d, d) + _linear(tokens, d, own.dims)
    once += _time(2 * draws, config.video.time_frequencies, d)
    block = _linear(tokens, d, d) * 4 + _attention(action.within, d)
    block += _linear(tokens, d, d) * 2 + _linear(draws, d, d) * 2 + _attention(action.to_state, d)
    block += _linear(tokens, d, d) * 2 + _linear(seen, config.video.width, d) * 2 + _attention(action.to_video, d)
    block += _linear(tokens, d, own.ffn_width, d)
    return once + block * config.video.depth


PEAK_TFLOPS: tuple[tuple[str, float, float], ...] = (
    ("B200", 2250.0, 75.0),
    ("H200", 989.4, 66.9),
    ("H100 PCIe", 756.0, 51.2),
    ("H100 NVL", 835.0, 60.0),
    ("H100", 989.4, 66.9),
    ("H20", 148.0, 44.0),
    ("A100", 312.0, 19.5),
    ("A800", 312.0, 19.5),
    ("L40S", 362.0, 91.6),
    ("L4", 121.0, 30.3),
    ("A10G", 70.0, 31.2),
    ("A10", 125.0, 31.2),
    ("RTX 4090", 165.2, 82.6),
    ("RTX 3090", 71.0, 35.6),
    ("V100", 0.0, 15.7),
)
"""Part of the device's name; dense bfloat16 and plain float32, TFLOP/s, as its maker states them. First match counts.

Dense: the doubled numbers of data sheets are for sparse matrices. A V100 has no bfloat16."""
_TIMED = 5
_SIDE = 768


def peak_flops(device: torch.device, dtype: torch.dtype, tflops: float | None = None) -> float | None:
    """What this device could do at best, FLOP/s; ``tflops`` where somebody knows better; None for an unknown GPU.

    A CPU is asked: the fastest of a few products of large matrices, on as many threads as training uses.
    """
    if tflops is not None:
        return tflops * 1e12
    if device.type == "cpu":
        return _measured(dtype)
    return known_peak(torch.cuda.get_device_name(device), dtype)


def known_peak(name: str, dtype: torch.dtype) -> float | None:
    """The table's FLOP/s of a GPU of this name."""
    for part, half, single in PEAK_TFLOPS:
        if part in name:
            return (single if dtype == torch.float32 else half) * 1e12 or None
    return None


def _measured(dtype: torch.dtype) -> float:
    matrix = torch.full((_SIDE, _SIDE), 0.5, dtype=dtype)
    best = float("inf")
    for _ in range(_TIMED):
        started = perf_counter()
        torch.mm(matrix, matrix)
        best = min(best, perf_counter() - started)
    return 2 * _SIDE**3 / best
