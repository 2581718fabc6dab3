"""Moving records of tensors, nested or not, to a device."""

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

R = TypeVar("R")


def to_device(record: R, device: torch.device) -> R:
    """The same frozen record with every tensor in it on ``device``; itself where there is nothing to move."""
    if not is_dataclass(record) or isinstance(record, type):
        raise TypeError(f"expected a record, found {type(record).__name__}")
    if device.type == "cpu":
        return record
    moved: dict[str, object] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Tensor):
            moved[field.name] = value.to(device, non_blocking=True)
        elif isinstance(value, tuple):
            moved[field.name] = tuple(_moved(item, device) for item in value)
        elif is_dataclass(value) and not isinstance(value, type):
            moved[field.name] = to_device(value, device)
    return replace(record, **moved)


def _moved(item: object, device: torch.device) -> object:
    if isinstance(item, Tensor):
        return item.to(device)
    return to_device(item, device) if is_dataclass(item) and not isinstance(item, type) else item
