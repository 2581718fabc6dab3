"""Muon and Dion2 from Microsoft's `dion` library, for those who have installed it.

What it adds to torch's Muon: sharded matrices travel by one all-to-all, so every rank orthogonalises its share instead
of all of them. `dion.Muon` asked as it is here (Nesterov, 0.2·√max, the same decay) makes the same step as torch's,
but for the polynomial: its momentum is torch's over 1 − μ, and orthogonalising takes no notice of a factor. Dion2
orthogonalises a quarter of the rows at a time; that is another rule, with learning rates of its own.

It is on no package index, so it is imported when a rule asks for it. Its step counter, which its own AdamW alone would
need, is not in checkpoints; momenta are.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

MOMENTUM = 0.95
_INSTALL = "pip install git+https://github.com/microsoft/dion.git"
Orthogonalise = Callable[..., Tensor]
"""``function(matrix, epsilon)``."""


def dion_muon(groups: list[dict[str, Any]], orthogonalise: Orthogonalise | None = None) -> Optimizer:
    """The library's Muon over groups of matrices. Raises ImportError saying how to install it."""
    made: Optimizer = _library().Muon(
        groups,
        distributed_mesh=_mesh(groups),
        mu=MOMENTUM,
        nesterov=True,
        adjust_lr="rms_norm",
        newton_schulz_func=orthogonalise,
    )
    return made


def dion2(groups: list[dict[str, Any]]) -> Optimizer:
    """The library's Dion2 over groups of matrices. Raises ImportError saying how to install it."""
    made: Optimizer = _library().Dion2(groups, distributed_mesh=_mesh(groups), adjust_lr="rms_norm")
    return made


def _library() -> Any:
    try:
        library = import_module("dion")
    except ImportError as error:
        raise ImportError(
            f"a rule asks for the `dion` library, which is not installed: {_INSTALL}, or take 'muon' in the rule"
        ) from error
    missing = [name for name in ("Muon", "Dion2") if not hasattr(library, name)]
    if missing:
        raise ImportError(f"the installed package `dion` has no {missing[0]}: it is another one; {_INSTALL}")
    return library


def _mesh(groups: list[dict[str, Any]]) -> Any:
    """The mesh matrices are sharded over; None where every rank has them whole."""
    first = groups[0]["params"][0]
    return first.device_mesh if isinstance(first, DTensor) else None
