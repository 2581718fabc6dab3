"""The moving average of the weights, which is what one deploys (wall_wm.md §3.4: decay 0.9999).

Kept in float32, sharded as the model is. Early on the average follows faster, by (1 + n)/(10 + n), or a short run's
average would be its initialisation.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """Averages of the parameters that are trained."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._model = model
        self.values: dict[str, Tensor] = {
            name: parameter.detach().clone().float()
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        }

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, parameter in self._model.named_parameters():
            if name in self.values:
                self.values[name].lerp_(parameter.detach().float(), 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The model with averaged weights, inside the ``with``."""
        own = {name: parameter for name, parameter in self._model.named_parameters() if name in self.values}
        kept = {name: parameter.detach().clone() for name, parameter in own.items()}
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(self.values[name])
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in own.items():
                    parameter.copy_(kept[name])
