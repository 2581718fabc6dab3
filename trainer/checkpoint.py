"""Checkpoints: a folder per step, written by all ranks together, read by any number of them.

Tensors are safetensors files (torch's distributed checkpoint writes and reshards them), the rest is JSON: ``run.json``
says where the run stands, ``policy.json`` what the model is and whom it can act for. There is no pickle anywhere, so a
checkpoint from a stranger can at worst be wrong. A folder appears whole or not at all, and the one before stays until
the next is there.
"""

import json
import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.optim import Optimizer

from trainer.average import MovingAverage
from trainer.parallel import Ranks

RUN = "run.json"
RECORD = "policy.json"
_KEPT = 2
_FLAT = StateDictOptions(flatten_optimizer_state_dict=True)


@dataclass(frozen=True)
class RunState:
    """What a run is and where it stands."""

    config: str
    """Digest of the configuration."""
    steps: str
    """Identity of the steps: the plan's hash."""
    n_steps: int
    step: int
    """Steps done."""
    average_updates: int


@dataclass(frozen=True, eq=False)
class Trained:
    """What has tensors to keep."""

    model: nn.Module
    optimisers: Sequence[Optimizer]
    average: MovingAverage | None


def folder_of(out: Path, step: int) -> Path:
    """Where the checkpoint after this many steps is."""
    return out / f"step-{step:08d}"


def newest(out: Path) -> Path | None:
    """The latest whole checkpoint of a run, None before the first."""
    found = sorted(path.parent for path in out.glob(f"step-*/{RUN}") if path.parent.suffix != ".partial")
    return found[-1] if found else None


def save(out: Path, run: RunState, trained: Trained, ranks: Ranks, record: str) -> Path:
    """Write the checkpoint of a step; every rank calls it. Older ones than the one before are removed.

    ``record`` is kept beside the tensors for whoever uses them without the run (`trainer.policy_record`).
    """
    final = folder_of(out, run.step)
    partial = final.with_suffix(".partial")
    if ranks.is_first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    ranks.barrier()
    tensors = _tensors(trained)[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        writer = HuggingFaceStorageWriter(str(partial), save_distributed=True)
        state_dict_saver.save(tensors, storage_writer=writer, no_dist=ranks.world == 1)
    ranks.barrier()
    if ranks.is_first:
        (partial / RECORD).write_text(record, encoding="utf-8")
        (partial / RUN).write_text(json.dumps(asdict(run), indent=1) + "\n", encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for older in sorted(out.glob("step-????????"))[:-_KEPT]:
            shutil.rmtree(older)
    ranks.barrier()
    return final


def read_run(folder: Path) -> RunState:
    """Raises ValueError when ``run.json`` is not one."""
    try:
        return RunState(**json.loads((folder / RUN).read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / RUN}: no state of a run ({error}); expected a checkpoint of ours") from error


def load(folder: Path, trained: Trained, ranks: Ranks) -> RunState:
    """Put a checkpoint into a model that is spread over however many ranks there are now."""
    run = read_run(folder)
    tensors, optimiser_state = _tensors(trained)
    _read(folder, tensors, ranks)
    models: dict[str, Any] = {
        name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")
    }
    of_optimisers = {name: tensors.get(f"optimiser.{name}", value) for name, value in optimiser_state.items()}
    optimisers = list(trained.optimisers)
    set_state_dict(trained.model, optimisers, model_state_dict=models, optim_state_dict=of_optimisers, options=_FLAT)
    if trained.average is not None:
        trained.average.updates = run.average_updates
    return run


def start_from(folder: Path, model: nn.Module) -> None:
    """Take the weights another run, of whatever stage, has left: averaged ones where it has them. In one process.

    Raises ValueError, naming the first, for tensors that are not in it or have another shape.
    """
    found = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    for name, value in (dict(model.named_parameters()) | dict(model.named_buffers())).items():
        there = found.get(f"model.{name}")
        shape = tuple(there.size) if isinstance(there, TensorStorageMetadata) else None
        if shape != tuple(value.shape):
            said = "is not in it" if shape is None else f"is {list(shape)} there and {list(value.shape)} here"
            raise ValueError(
                f"{folder}: {name} {said}; a stage starts from a run of the same model: choose the configuration "
                "that run was trained with, only the stage may differ"
            )
    load_weights(folder, model, averaged=True)


def load_weights(folder: Path, model: nn.Module, *, averaged: bool) -> None:
    """Only the weights of a checkpoint, in one process: for inference. Averaged ones where asked for and there."""
    own = dict(model.named_parameters()) | dict(model.named_buffers())
    _read(folder, {f"model.{name}": value.detach() for name, value in own.items()}, Ranks(0, 1, torch.device("cpu")))
    if averaged and read_run(folder).average_updates:
        names = _names(folder)
        average = {f"average.{name}": value.detach() for name, value in own.items() if f"average.{name}" in names}
        _read(folder, average, Ranks(0, 1, torch.device("cpu")))


def _read(folder: Path, tensors: dict[str, Tensor], ranks: Ranks) -> None:
    missing = set(tensors) - _names(folder)
    if missing:
        raise ValueError(
            f"{folder}: {len(missing)} of {len(tensors)} tensors are not in it, first {min(missing)}; "
            "it belongs to another model: resume with the configuration it was trained with"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        state_dict_loader.load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=ranks.world == 1)


def _names(folder: Path) -> set[str]:
    return set(HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata)


def _tensors(trained: Trained) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """All tensors by name, and the optimisers' flat state; what in it is no tensor the configuration gives."""
    of_model, flat = get_state_dict(trained.model, list(trained.optimisers), options=_FLAT)
    of_optimisers: dict[str, Any] = dict(flat)
    named = {f"model.{name}": value for name, value in of_model.items() if isinstance(value, Tensor)}
    named |= {f"optimiser.{name}": value for name, value in of_optimisers.items() if isinstance(value, Tensor)}
    if trained.average is not None:
        named |= {f"average.{name}": value for name, value in trained.average.values.items()}
    return named, of_optimisers
