"""Several processes training one model: who am I, what is summed, and how the model is spread.

Processes are started by ``torchrun``; without it there is one. Two ways: ``replicate`` keeps the whole model everywhere
and sums gradients once a step; ``shard`` is FSDP2, a unit per layer. Both *sum*: losses are divided by counts of the
whole step beforehand (`trainer.losses`), so the gradient is the same for any number of ranks, and no rank's packs weigh
more. With FSDP every rank must pass through the model equally often, because each pass is a collective: ranks with
fewer packs repeat one with weight 0.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

Spread: TypeAlias = Literal["replicate", "shard"]
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Ranks:
    """This process among all."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def summed(self, values: Iterable[float]) -> list[float]:
        """Each value summed over all ranks, in float64."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def most(self, value: float) -> float:
        """The largest over all ranks."""
        return self._reduced([value], dist.ReduceOp.MAX)[0]

    def _reduced(self, values: Iterable[float], how: dist.ReduceOp.RedOpType) -> list[float]:
        tensor = torch.tensor(list(values), dtype=torch.float64, device=self.device)
        if self.world > 1:
            dist.all_reduce(tensor, how)
        found: list[float] = tensor.tolist()
        return found

    def barrier(self) -> None:
        """Wait for all."""
        if self.world > 1:
            dist.barrier()


def device_of(name: DeviceName, local_rank: int) -> torch.device:
    """The device of this process. Raises ValueError when CUDA is asked for and not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "device cuda: torch finds no CUDA device here; ask for cpu, or install the CUDA build of torch"
        )
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", local_rank)


@contextmanager
def joined(device: Literal["auto", "cpu", "cuda"]) -> Iterator[Ranks]:
    """This process's place among those ``torchrun`` has started; alone without it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    own = device_of(device, int(os.environ.get("LOCAL_RANK", "0")))
    if own.type == "cuda":
        torch.cuda.set_device(own)
    if world == 1:
        yield Ranks(0, 1, own)
        return
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, own)
    finally:
        dist.destroy_process_group()


def spread(model: nn.Module, units: Iterable[nn.Module], ranks: Ranks, how: Spread, dtype: torch.dtype) -> None:
    """Put the model where it is trained: a copy per rank, or sharded by ``units`` and then as a whole.

    ``dtype`` is what sharded layers compute in; gradients are summed in float32.
    """
    model.to(ranks.device)
    if how == "replicate" or ranks.world == 1:
        return
    mesh: DeviceMesh = init_device_mesh(ranks.device.type, (ranks.world,))
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for unit in (*units, model):
        sharded = fully_shard(unit, mesh=mesh, mp_policy=policy)
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        # A rank whose pack has one camera leaves the cross-view branch unused; the others' gradients must still meet.
        sharded.set_reduce_scatter_unused_params(True)
    register_fsdp_forward_method(model, "think")


def sum_gradients(model: nn.Module, ranks: Ranks) -> None:
    """Sum the gradients of a replicated model over all ranks; FSDP has done so in its backward pass."""
    if ranks.world == 1 or isinstance(model, FSDPModule):
        return
    for parameter in model.parameters():
        if parameter.requires_grad:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)


def whole(tensor: Tensor) -> Tensor:
    """A tensor as if it had never been sharded; a collective for those that are."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
