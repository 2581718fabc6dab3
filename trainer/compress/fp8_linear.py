"""A linear layer in block-scaled FP8: the same numbers everywhere, by a kernel where there is one.

Weights are stored in FP8, inputs are quantised as they come, a scale per token and block. On a CPU, or where no kernel
takes the shape, the layer is *simulated*: both sides are quantised, dequantised, and multiplied in float32. On a Hopper
GPU (compute capability 9.0, the only one whose cuBLAS takes float32 block scales) it is one `scaled_mm`. The two agree
up to the order of sums and the kernel's output dtype; `kernel_refusal` says which it is going to be and why.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import ScalingType, linear, pad, scaled_mm

from trainer.compress.blocks import SCHEMES, Quantised, quantise

_BLOCK = 128
_TOKENS = 4
"""The kernel wants the tokens, and the weight's blocks along the contraction, in fours."""
_CAPABILITY = (9, 0)


def kernel_refusal(scheme: str, in_features: int, out_features: int, device: torch.device) -> str | None:
    """Why a layer is simulated, None where the kernel runs it."""
    if device.type != "cuda":
        return f"no kernel on {device.type}"
    if scheme != "block128":
        return f"scheme {scheme}: its kernels want scales laid out for Blackwell, which nobody here has run"
    capability = torch.cuda.get_device_capability(device)
    if capability != _CAPABILITY:
        return f"compute capability {capability[0]}.{capability[1]}: float32 block scales need 9.0"
    return shape_refusal(in_features, out_features)


def shape_refusal(in_features: int, out_features: int) -> str | None:
    """Why no kernel takes a weight of this shape; None when one does."""
    if in_features % _BLOCK or out_features % _BLOCK:
        return f"{out_features}×{in_features} does not divide into {_BLOCK}×{_BLOCK}"
    return None


class Fp8Linear(nn.Module):
    """Stands where an `nn.Linear` stood, with its name; ``bias`` as it was."""

    weight: Tensor
    weight_scale: Tensor
    bias: Tensor | None

    def __init__(self, in_features: int, out_features: int, *, bias: bool, scheme: str) -> None:
        super().__init__()
        self.in_features, self.out_features, self.scheme = in_features, out_features, scheme
        made = quantise(torch.zeros(out_features, in_features), SCHEMES[scheme].weights)
        self.register_buffer("weight", made.values_RC)
        self.register_buffer("weight_scale", made.scales)
        self.register_buffer("bias", torch.zeros(out_features) if bias else None)

    @staticmethod
    def of(layer: nn.Linear, scheme: str) -> "Fp8Linear":
        """The layer, quantised. Raises ValueError for a weight that is not finite."""
        weight = layer.weight.detach().float()
        if not torch.isfinite(weight).all():
            raise ValueError(f"a weight of shape {tuple(weight.shape)} holds numbers that are not finite")
        made = Fp8Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, scheme=scheme)
        quantised = quantise(weight, SCHEMES[scheme].weights)
        made.weight.copy_(quantised.values_RC)
        made.weight_scale.copy_(quantised.scales)
        if made.bias is not None:
            made.bias.copy_(layer.bias.detach())
        return made.to(layer.weight.device)

    def forward(self, x_TD: Tensor) -> Tensor:
        """[tokens, in] to [tokens, out] in the input's dtype."""
        if kernel_refusal(self.scheme, self.in_features, self.out_features, x_TD.device) is None:
            return self.by_kernel(x_TD)
        return self.simulated(x_TD)

    def simulated(self, x_TD: Tensor) -> Tensor:
        """In float32, whatever precision surrounds it."""
        with torch.autocast(x_TD.device.type, enabled=False):
            rounded_TD = quantise(x_TD, SCHEMES[self.scheme].inputs).dequantise()
            return linear(rounded_TD, self.dequantised(), self.bias).to(x_TD.dtype)

    def by_kernel(self, x_TD: Tensor) -> Tensor:
        """One block-scaled matrix product; tokens are padded to a multiple of four, which costs nothing."""
        taken = quantise(pad(x_TD, (0, 0, 0, -len(x_TD) % _TOKENS)), SCHEMES[self.scheme].inputs)
        out = scaled_mm(
            taken.values_RC,
            self.weight.t(),
            taken.scales.t().contiguous().t(),  # tokens first in memory
            ScalingType.BlockWise1x128,
            pad(self.weight_scale, (0, -self.weight_scale.shape[1] % _TOKENS)).t(),
            ScalingType.BlockWise128x128,
            output_dtype=torch.bfloat16,
        )[: len(x_TD)]
        return (out if self.bias is None else out + self.bias).to(x_TD.dtype)

    def dequantised(self) -> Tensor:
        """The weight as it counts, float32."""
        return Quantised(self.weight, self.weight_scale, SCHEMES[self.scheme].weights).dequantise()

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, scheme={self.scheme}"
