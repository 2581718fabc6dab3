"""The declaration that lets torchvision be imported beside a CPU-only torch."""

import pytest
import torch

from clustering import torchvision_schemas
from clustering.torchvision_schemas import declare


def test_torchvision_imports_after_the_declaration_however_often_it_is_made() -> None:
    assert declare() is declare()
    from torchvision.ops import nms  # the import is what is tested

    assert callable(nms)
    assert "nms" in str(torch.ops.torchvision.nms)


def test_the_declaration_is_left_out_where_the_operators_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_schemas, "_operators_load", lambda: True)
    assert declare.__wrapped__() is None


def test_the_declaration_is_left_out_beside_a_cuda_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert declare.__wrapped__() is None
