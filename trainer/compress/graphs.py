"""CUDA graphs: a call recorded once for each shape of its input, and then replayed in one launch.

Denoising a few dozen action tokens is hundreds of small kernels a step, each over before the next one is launched. A
graph replays them without Python in between. It wants what a recording wants: the same shapes and the same addresses.
So there is one graph per shape (events of equal length share one, and lengths are few: `trainer.length`), its inputs
are copied into buffers of its own, and what in a record is no tensor (lengths of segments) is part of the shape, since
the kernels were launched for it. Away from CUDA the call is simply made.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from trainer.batch import Batch
from trainer.flow import rows_of
from trainer.losses import Prediction, velocity_of
from trainer.model.action import KeysValues
from trainer.model.wam import WallWM

R = TypeVar("R")
_WARM_UPS = 3
"""Calls before recording, in which libraries choose kernels and allocate work space."""


@dataclass(frozen=True, eq=False)
class _Recorded(Generic[R]):
    graph: torch.cuda.CUDAGraph
    inputs: R
    output: Tensor


class Graphs(Generic[R]):
    """A call on records of tensors, replayed where it can be."""

    def __init__(self, call: Callable[[R], Tensor], most: int = 16) -> None:
        """``most`` graphs are kept, the longest unused is dropped; all of them share one memory pool."""
        self._call, self._most = call, most
        self._recorded: OrderedDict[Hashable, _Recorded[R]] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle() if torch.cuda.is_available() else None

    def __len__(self) -> int:
        """Graphs there are."""
        return len(self._recorded)

    @torch.no_grad()
    def __call__(self, record: R) -> Tensor:
        """What the call gives, bit for bit."""
        if not next(tensors_of(record)).is_cuda:
            return self._call(record)
        shape = shape_of(record)
        found = self._recorded.pop(shape, None) or self._record(record)
        self._recorded[shape] = found
        while len(self._recorded) > self._most:
            self._recorded.popitem(last=False)
        copy_into(found.inputs, record)
        found.graph.replay()
        return found.output.clone()  # the buffer is overwritten by the next replay

    def _record(self, record: R) -> _Recorded[R]:
        inputs = cloned(record)
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it without annotations
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._call(inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            output = self._call(inputs)
        return _Recorded(graph, inputs, output)


def tensors_of(value: object) -> Iterator[Tensor]:
    """All tensors in a record, its records and tuples, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from tensors_of(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from tensors_of(getattr(value, field.name))


def shape_of(value: object) -> Hashable:
    """What two records must have in common to share a graph: everything but the numbers in their tensors."""
    if isinstance(value, Tensor):
        return tuple(value.shape), value.stride(), str(value.dtype), str(value.device)
    if isinstance(value, tuple):
        return tuple(shape_of(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value).__name__, tuple(shape_of(getattr(value, field.name)) for field in fields(value))
    return value


def copy_into(buffers: object, record: object) -> None:
    """The record's numbers into buffers of the same shape."""
    for buffer, tensor in zip(tensors_of(buffers), tensors_of(record), strict=True):
        buffer.copy_(tensor)


def cloned(value: R) -> R:
    """The same record with tensors of its own."""
    made: Any = value
    if isinstance(value, Tensor):
        made = value.clone()
    elif isinstance(value, tuple):
        made = tuple(cloned(item) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        made = replace(value, **{field.name: cloned(getattr(value, field.name)) for field in fields(value)})
    return cast(R, made)


@dataclass(frozen=True, eq=False)
class ActionsBefore:
    """What the denoising of actions starts from: noise [S, A], and a video that has been looked at."""

    batch: Batch
    seen: tuple[KeysValues, ...]
    noise_SA: Tensor


def action_loop(
    model: WallWM, levels: list[float], prediction: Prediction, dtype: torch.dtype
) -> Callable[[ActionsBefore], Tensor]:
    """All Euler steps of the actions as one call, with nothing in it that a graph cannot hold.

    Half precision is entered inside, so that weights are cast once a call, in the graph's own memory.
    """

    def call(before: ActionsBefore) -> Tensor:
        action, action_SA = before.batch.action, before.noise_SA
        device, half = action_SA.device.type, dtype is not torch.float32
        with torch.autocast(device, dtype if half else None, enabled=half):
            for sigma, following in pairwise(levels):
                tokens_SA = torch.where(action.observed_S[:, None], action.clean_SA, action_SA)
                rows_R = rows_of(action_SA.new_full((len(action.state_D),), sigma))
                said_SA, _ = model.action(before.batch, before.seen, tokens_SA, rows_R, model.window)
                sigma_S1 = rows_R[action.row_S, None]
                velocity_SA = velocity_of(said_SA.float(), tokens_SA, sigma_S1, prediction)
                action_SA = action_SA + (following - sigma) * velocity_SA
        return action_SA

    return call
