"""The moving average, number by number."""

import pytest
import torch
from torch import nn

from trainer.average import MovingAverage


def test_the_average_follows_fast_at_first_and_slowly_later() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = MovingAverage(model, 0.9)
    nn.init.ones_(model.weight)
    average.update()
    assert average.values["weight"].item() == pytest.approx(1 - 2 / 11)
    for _ in range(1000):
        average.update()
    before = average.values["weight"].item()
    nn.init.zeros_(model.weight)
    average.update()
    assert average.values["weight"].item() == pytest.approx(0.9 * before)


def test_averaged_weights_stand_in_and_the_own_come_back() -> None:
    model = nn.Linear(2, 2)
    own = model.weight.detach().clone()
    average = MovingAverage(model, 0.9)
    average.values["weight"].zero_()
    with average.in_place():
        assert not model.weight.any()
    assert torch.equal(model.weight, own)


def test_frozen_weights_are_not_averaged() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    assert set(MovingAverage(model, 0.9).values) == {"weight"}
