"""Block-scaled FP8: what a number may lose, and what must not be lost."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainer.compress.blocks import LARGEST, SCHEMES, BlockFormat, quantise, scales_of, spread_out

FORMATS = [each for scheme in SCHEMES.values() for each in (scheme.weights, scheme.inputs)]
formats = st.sampled_from(FORMATS)


@st.composite
def matrices(draw: st.DrawFn) -> Tensor:
    """Shapes that do and do not divide into blocks, numbers from 1e-30 to 1e30 side by side."""
    rows, columns = draw(st.integers(1, 140)), draw(st.integers(1, 140))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    magnitude = 10.0 ** draw(st.integers(-30, 30))
    spread = draw(st.sampled_from([0.0, 1.0, 6.0]))
    x = torch.randn(rows, columns, generator=generator)
    return x * magnitude * torch.exp(spread * torch.randn(rows, columns, generator=generator))


@settings(max_examples=30)
@given(matrices(), formats)
def test_a_number_is_off_by_half_a_unit_in_its_last_place(x: Tensor, form: BlockFormat) -> None:
    """e4m3: spacing 2^(e−3) for exponents from −6 on, 2⁻⁹ below."""
    made = quantise(x, form)
    scales = spread_out(made.scales, form, x.shape).double()
    exponent = torch.floor(torch.log2((x.double().abs() / scales).clamp(min=2.0**-6)))
    half_ulp = 2.0 ** (exponent - 4) * scales
    error = (made.dequantise().double() - x.double()).abs()
    assert (error <= half_ulp * (1 + 1e-5)).all()


@settings(max_examples=30)
@given(matrices(), formats)
def test_nothing_overflows_and_every_block_uses_its_range(x: Tensor, form: BlockFormat) -> None:
    made = quantise(x, form)
    assert torch.isfinite(made.values_RC.float()).all()
    top = scales_of(made.values_RC.float(), BlockFormat(form.rows, form.columns, False)) * LARGEST
    assert (top >= (LARGEST / 2 if form.powers_of_two else LARGEST)).all()


@settings(max_examples=30)
@given(matrices(), formats)
def test_quantising_again_changes_nothing(x: Tensor, form: BlockFormat) -> None:
    once = quantise(x, form)
    again = quantise(once.dequantise(), form)
    assert torch.equal(once.dequantise(), again.dequantise())


@pytest.mark.parametrize("form", FORMATS)
def test_zeros_stay_zeros_with_scale_one(form: BlockFormat) -> None:
    made = quantise(torch.zeros(5, 200), form)
    assert torch.equal(made.dequantise(), torch.zeros(5, 200))
    assert torch.equal(made.scales, torch.ones_like(made.scales))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [3e38, -3e38, 1e-38, 1e-45])
def test_the_ends_of_float32_survive(form: BlockFormat, value: float) -> None:
    made = quantise(torch.full((1, 40), value), form).dequantise()
    assert torch.isfinite(made).all()
    assert made[0, 0].item() == pytest.approx(value, rel=1 / 16, abs=2.0**-126 * 2.0**-10)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_not_finite_is_not_hidden(form: BlockFormat, value: float) -> None:
    x = torch.ones(200, 200)
    x[3, 7] = value
    made = quantise(x, form).dequantise()
    assert made[3, 7].isnan()
    assert torch.equal(made[130:, 130:], x[130:, 130:]), "other blocks must not suffer"


def test_scales_of_mx_are_powers_of_two_rounded_up() -> None:
    x = torch.tensor([[448.0] + [0.0] * 31 + [449.0] + [0.0] * 31 + [1.0] + [0.0] * 31])
    assert scales_of(x, SCHEMES["mx32"].weights).tolist() == [[1.0, 2.0, 2.0**-8]]


def test_an_outlier_costs_its_own_block_only() -> None:
    """Why there are blocks at all: one scale for all would lose the small numbers."""
    x = torch.full((256, 256), 0.01)
    x[0, 0] = 1e5
    by_block = quantise(x, SCHEMES["block128"].weights).dequantise()
    whole = quantise(x, BlockFormat(256, 256, False)).dequantise()
    assert torch.allclose(by_block[128:, 128:], x[128:, 128:], rtol=1 / 16)
    assert not whole[128:, 128:].any()
