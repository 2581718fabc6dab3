"""The library's Muon: asked for by a rule, refused with advice where it is missing, and by its rule torch's step."""

import math
import sys
import types

import pytest
import torch
from torch.optim import Muon
from torch.optim._muon import _zeropower_via_newtonschulz

from tests.trainer.events import small
from trainer.dion_library import MOMENTUM, dion_muon
from trainer.model.wam import build
from trainer.optim import muon_rules, optimisers

LR, DECAY, STEPS = 1e-2, 0.1, 4


def gradients() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(24, 40, generator=generator) for _ in range(STEPS)]


def orthogonal(matrix: torch.Tensor, epsilon: object = None) -> torch.Tensor:
    """Torch's polynomial, under the library's signature."""
    return _zeropower_via_newtonschulz(matrix, (3.4445, -4.775, 2.0315), 5, 1e-7)


def stepped_by_torch() -> torch.Tensor:
    weight = torch.nn.Parameter(torch.ones(24, 40))
    made = Muon([weight], lr=LR, weight_decay=DECAY, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients():
        weight.grad = gradient.clone()
        made.step()
    return weight.detach()


def stepped_by_rule(*, look_ahead: bool) -> torch.Tensor:
    weight, momentum = torch.ones(24, 40), torch.zeros(24, 40)
    for gradient in gradients():
        momentum = MOMENTUM * momentum + gradient
        ahead = MOMENTUM * momentum + gradient if look_ahead else momentum
        weight = weight * (1 - LR * DECAY) - LR * 0.2 * math.sqrt(40) * orthogonal(ahead)
    return weight


def apart(weight: torch.Tensor) -> float:
    """How far from torch's, over how far torch's went."""
    torchs = stepped_by_torch()
    return float((weight - torchs).norm() / (torchs - 1.0).norm())


def test_the_librarys_rule_is_torchs() -> None:
    """M ← μM + G, U = μM + G, decay by lr, step 0.2·√max·lr: as the library documents it, and as it is asked for."""
    assert apart(stepped_by_rule(look_ahead=True)) < 0.02, "orthogonalised in bfloat16"
    assert apart(stepped_by_rule(look_ahead=False)) > 0.05, "without Nesterov it is another rule"


def test_the_library_itself_steps_as_torch_does() -> None:
    pytest.importorskip("dion", reason="not on a package index: pip install git+https://github.com/microsoft/dion.git")
    weight = torch.nn.Parameter(torch.ones(24, 40))
    made = dion_muon([{"params": [weight], "lr": LR, "weight_decay": DECAY}], orthogonalise=orthogonal)
    for gradient in gradients():
        weight.grad = gradient.clone()
        made.step()
    assert apart(weight.detach()) < 0.02


@pytest.mark.parametrize("algorithm", ["dion-muon", "dion2"])
def test_without_the_library_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    monkeypatch.setitem(sys.modules, "dion", None)
    with pytest.raises(ImportError, match=r"not installed: pip install git\+https"):
        optimisers(build(small().model, 0), muon_rules(LR, DECAY, algorithm), (0.9, 0.99))  # type: ignore[arg-type]


def test_another_package_of_that_name_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dion", types.ModuleType("dion"))
    with pytest.raises(ImportError, match="has no Muon: it is another one"):
        dion_muon([{"params": [torch.nn.Parameter(torch.ones(2, 2))], "lr": LR, "weight_decay": DECAY}])
