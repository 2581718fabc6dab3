"""A layer in FP8: what it computes, on which device, and that it says so."""

import pytest
import torch
from torch import nn

from trainer.compress.blocks import SCHEMES, quantise
from trainer.compress.fp8_linear import Fp8Linear, kernel_refusal, shape_refusal

CPU = torch.device("cpu")
HOPPER = torch.cuda.is_available() and torch.cuda.get_device_capability() == (9, 0)


def layer(width: int, out: int, *, bias: bool = True, seed: int = 0) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(width, out, bias=bias)


def inputs(tokens: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(tokens, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", [(128, 256), (64, 20), (130, 257)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_multiplies_what_is_left_of_inputs_and_weights(scheme: str, shape: tuple[int, int], bias: bool) -> None:
    own, x = layer(*shape, bias=bias), inputs(7, shape[0])
    weight = quantise(own.weight.detach(), SCHEMES[scheme].weights).dequantise()
    taken = quantise(x, SCHEMES[scheme].inputs).dequantise()
    expected = taken.double() @ weight.double().T + (own.bias.detach().double() if bias else 0.0)
    found = Fp8Linear.of(own, scheme)(x)
    assert torch.allclose(found.double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_stays_close_to_the_layer_it_replaces(scheme: str) -> None:
    own, x = layer(256, 384), inputs(64, 256)
    with torch.no_grad():
        exact, found = own(x), Fp8Linear.of(own, scheme)(x)
    relative = (found - exact).norm() / exact.norm()
    assert 0.005 < relative < 0.05, "nearer would mean that nothing was quantised"


def test_a_weight_takes_a_byte_and_a_scale_per_block() -> None:
    made = Fp8Linear.of(layer(256, 256), "block128")
    assert (made.weight.element_size(), made.weight_scale.numel()) == (1, 4)


def test_half_precision_around_it_does_not_reach_inside() -> None:
    own, x = Fp8Linear.of(layer(256, 64), "block128"), inputs(5, 256)
    plain = own(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(own(x), plain)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    own = layer(32, 32)
    with torch.no_grad():
        own.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        Fp8Linear.of(own, "block128")


def test_it_says_why_it_is_simulated() -> None:
    assert kernel_refusal("block128", 128, 128, CPU) == "no kernel on cpu"
    assert shape_refusal(128, 1536) is None
    assert shape_refusal(64, 256) == "256×64 does not divide into 128×128"


def test_torch_accepts_the_layout_the_kernel_is_given() -> None:
    """Meta tensors are checked for shapes and strides as the kernel on a Hopper GPU checks its own."""
    for width, out, tokens in ((1536, 8960, 100), (8960, 1536, 100), (128, 256, 1), (768, 1536, 33)):
        with torch.device("meta"):
            made = Fp8Linear(width, out, bias=True, scheme="block128")
            found = made.by_kernel(torch.empty(tokens, width, dtype=torch.bfloat16))
        assert found.shape == (tokens, out)
        assert found.dtype == torch.bfloat16


def test_a_wrong_layout_would_be_refused() -> None:
    """What the test above rests on: the check is there."""
    with torch.device("meta"):
        made = Fp8Linear(768, 1536, bias=True, scheme="block128")
        made.weight_scale = torch.empty(12, 9)
        with pytest.raises(RuntimeError, match="must have shape"):
            made.by_kernel(torch.empty(32, 768, dtype=torch.bfloat16))


@pytest.mark.skipif(not HOPPER, reason="NOT RUN: no GPU of compute capability 9.0, so the FP8 kernel is untested here")
@pytest.mark.parametrize("tokens", [1, 33, 512])
def test_the_kernel_answers_as_the_simulation(tokens: int) -> None:
    made = Fp8Linear.of(layer(1536, 768).cuda(), "block128")
    x = inputs(tokens, 1536).cuda().bfloat16()
    assert kernel_refusal("block128", 1536, 768, x.device) is None
    simulated, found = made.simulated(x), made.by_kernel(x)
    assert torch.allclose(found.float(), simulated.float(), rtol=2e-2, atol=2e-2 * simulated.float().abs().max().item())
