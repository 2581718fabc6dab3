"""A whole model in FP8, after training: which layers, at what loss, and how much smaller.

Nothing is trained or calibrated: weights are rounded once, inputs as they come. So whether it is good enough is a
question of measuring, per layer and at the end, and `Fp8Report` is the answer.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_linear import Fp8Linear, shape_refusal
from trainer.model.wam import WallWM


@dataclass(frozen=True)
class LayerError:
    """Root mean square errors of one layer, relative to what they are errors of."""

    name: str
    shape: tuple[int, int]
    weight: float
    output: float | None
    """Of what it gives for the inputs of the exact model; None where none were shown."""
    kernel: bool
    """Whether its shape fits the GPU's kernel."""


@dataclass(frozen=True)
class Fp8Report:
    """What quantising a model did."""

    layers: tuple[LayerError, ...]
    left_alone: int
    """Linear layers that were not quantised."""
    bytes_float32: int
    bytes_fp8: int
    """With scales, and everything that is still float32."""

    @property
    def smaller(self) -> float:
        """Times."""
        return self.bytes_float32 / self.bytes_fp8


def chosen_layers(model: WallWM, config: Fp8Config) -> list[str]:
    """Names of the layers that are quantised. Raises ValueError when there is none."""
    last = str(len(model.video.layers) - 1)
    patterns = [pattern.replace("{last}", last) for pattern in config.left_alone]
    names = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and not any(re.search(pattern, name) for pattern in patterns)
    ]
    if not names:
        raise ValueError(f"no layer is left to quantise: {config.left_alone} leave all of them alone")
    return names


def as_stored(model: WallWM, config: Fp8Config | None) -> WallWM:
    """The model with empty FP8 layers where its checkpoint has full ones; itself where it has none."""
    if config is not None:
        for name in chosen_layers(model, config):
            layer = _linear(model, name)
            empty = Fp8Linear(layer.in_features, layer.out_features, bias=layer.bias is not None, scheme=config.scheme)
            _put(model, name, empty)
    return model


def quantise_model(model: WallWM, config: Fp8Config, shown: Sequence[Callable[[WallWM], object]] = ()) -> Fp8Report:
    """Put FP8 layers in place; ``shown`` are calls of the exact model on which the layers' outputs are compared."""
    names = chosen_layers(model, config)
    total = sum(isinstance(layer, nn.Linear) for layer in model.modules())
    before = _bytes(model)
    made = {name: Fp8Linear.of(_linear(model, name), config.scheme) for name in names}
    outputs = _output_errors(model, made, shown)
    errors = []
    for name, layer in made.items():
        exact = _linear(model, name).weight.detach().float()
        shape = (layer.out_features, layer.in_features)
        kernel = shape_refusal(layer.in_features, layer.out_features) is None and config.scheme == "block128"
        weight = relative(layer.dequantised() - exact, exact)
        errors.append(LayerError(name, shape, weight, outputs.get(name), kernel))
        _put(model, name, layer)
    return Fp8Report(tuple(errors), total - len(names), before, _bytes(model))


@torch.no_grad()
def _output_errors(
    model: WallWM, made: dict[str, Fp8Linear], shown: Sequence[Callable[[WallWM], object]]
) -> dict[str, float]:
    """Relative error of each layer's output over all calls."""
    sums: dict[str, list[float]] = {name: [0.0, 0.0] for name in made}

    def compare(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            error = made[name](inputs[0]).float() - output.float()
            sums[name][0] += float(error.square().sum())
            sums[name][1] += float(output.float().square().sum())

        return hook

    handles = [_linear(model, name).register_forward_hook(compare(name)) for name in made]
    for call in shown:
        call(model)
    for handle in handles:
        handle.remove()
    return {name: (error / size) ** 0.5 for name, (error, size) in sums.items() if size}


def relative(error: Tensor, of: Tensor) -> float:
    """Norm of an error by the norm of what it is an error of."""
    return float(error.float().norm() / of.float().norm().clamp(min=1e-30))


def _linear(model: nn.Module, name: str) -> nn.Linear:
    layer = model.get_submodule(name)
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"{name}: expected a linear layer, found {type(layer).__name__}")
    return layer


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, layer)


def _bytes(model: nn.Module) -> int:
    tensors: Iterable[Tensor] = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
