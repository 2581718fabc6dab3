"""Block-scaled FP8: numbers as float8_e4m3fn, one scale for every block of them.

e4m3 has three bits of mantissa and nothing beyond ±448, so what decides the error is the scale. One per tensor is ruled
by the largest outlier anywhere; one per block confines an outlier to its block. A number is off by at most 1/16 of
itself, or by 2⁻¹⁰ of its scale where it is more than 2¹⁴ times smaller than the largest of its block.

Everything here is exact arithmetic that any device does alike, so a CPU can say what a GPU will answer.
"""

from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn.functional import pad

E4M3 = torch.float8_e4m3fn
LARGEST = 448.0
"""Of e4m3fn. What is larger becomes NaN on conversion, not 448: hence the clamp."""
_LEAST_SCALE = 2.0**-126
"""The smallest normal float32: a smaller scale would be 0 on a device that flushes subnormal numbers."""


@dataclass(frozen=True)
class BlockFormat:
    """Which numbers of a matrix share a scale."""

    rows: int
    columns: int
    powers_of_two: bool
    """Whether scales are powers of two (E8M0, as MX has them); else any float32."""


@dataclass(frozen=True)
class Scheme:
    """How a layer computes: weights [out, in] quantised once, inputs [tokens, in] as they come."""

    weights: BlockFormat
    inputs: BlockFormat


SCHEMES: MappingProxyType[str, Scheme] = MappingProxyType(
    {
        "block128": Scheme(BlockFormat(128, 128, False), BlockFormat(1, 128, False)),
        "mx32": Scheme(BlockFormat(1, 32, True), BlockFormat(1, 32, True)),
    }
)


@dataclass(frozen=True, eq=False)
class Quantised:
    """A matrix in FP8: values [R, C] float8_e4m3fn, and float32 scales, one per block, ragged ones included."""

    values_RC: Tensor
    scales: Tensor
    format: BlockFormat

    def dequantise(self) -> Tensor:
        """float32 [R, C]."""
        return self.values_RC.float() * spread_out(self.scales, self.format, self.values_RC.shape)


def quantise(x_RC: Tensor, form: BlockFormat) -> Quantised:
    """A matrix of finite numbers in FP8; each block's largest number becomes (for powers of two, at most) 448.

    Rounding is to nearest, ties to even. A number that is not finite makes its whole block NaN, never silently 0.
    """
    x_RC = x_RC.float()
    scales = scales_of(x_RC, form)
    scaled_RC = x_RC / spread_out(scales, form, x_RC.shape)
    return Quantised(scaled_RC.clamp(-LARGEST, LARGEST).to(E4M3), scales, form)


def scales_of(x_RC: Tensor, form: BlockFormat) -> Tensor:
    """One scale per block, float32 [⌈R/rows⌉, ⌈C/columns⌉]; 1 for a block of zeros."""
    rows, columns = x_RC.shape
    whole = pad(x_RC.abs(), (0, -columns % form.columns, 0, -rows % form.rows))
    blocks = whole.reshape(whole.shape[0] // form.rows, form.rows, whole.shape[1] // form.columns, form.columns)
    largest = blocks.amax(dim=(1, 3))
    scales = (largest / LARGEST).clamp(min=_LEAST_SCALE)
    if form.powers_of_two:
        # Rounded up, so that nothing is clipped; MX's own rule rounds down and clips up to an eighth of the largest.
        mantissa, exponent = torch.frexp(scales)
        raised = torch.ldexp(torch.ones_like(scales), torch.where(mantissa == 0.5, exponent - 1, exponent))
        scales = torch.where(scales.isfinite(), raised, scales)
    return torch.where(largest == 0, torch.ones_like(scales), scales)


def spread_out(scales: Tensor, form: BlockFormat, shape: tuple[int, ...]) -> Tensor:
    """Each number's scale [R, C]."""
    rows, columns = shape
    return scales.repeat_interleave(form.rows, 0)[:rows].repeat_interleave(form.columns, 1)[:, :columns]
