"""``joinery encode``: what a run's frozen parts make of its plan, made beforehand; and a trained tower handed back.

It takes what `joinery train` takes and does what that does, without the training: the same plan is compiled or opened,
captions are read by the text encoder, and every step's windows are read and encoded into the cache. So it can be run
anywhere, by any number of processes, stopped and started again, and training finds what there is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.train import Said, TrainRequest, encode_captions, opened_inputs, plan_steps
from pipeline.errors import JoineryError
from trainer import checkpoint
from trainer.convert import Naming
from trainer.model.wam import build
from trainer.weights import write_tower


@dataclass(frozen=True)
class EncodeReport:
    """What this process went through."""

    captions: int
    """Distinct ones of the plan, all of them in the cache now."""
    windows: int
    """Of this process's share of the plan, all of them in the cache now."""
    cache: Path


def encode(request: TrainRequest, said: Said, passed: Said) -> EncodeReport:
    """Fill the cache of a run. ``passed`` hears of every step. Raises JoineryError for what a user can mend."""
    config = request.configuration()
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        inputs = opened_inputs(request, config)
        if inputs.stored.latents is None and inputs.stored.captions is None:
            raise JoineryError(f"--config {request.config}: has neither VAE nor text encoder: nothing to encode")
        steps = replace(plan_steps(request, config, inputs), ledger=None)  # nothing is consumed
        captions = steps.captions()
        encode_captions(request, config, inputs, lambda: captions, said)
        windows = 0
        with steps.read(0, rank, world) as read:
            for step in read:
                windows += sum(len(pack.examples) for pack in step.packs)
                passed(step.step + 1, steps.n_steps)
    except (FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error
    stored = inputs.stored.latents or inputs.stored.captions
    assert stored is not None
    return EncodeReport(len(captions), windows, stored.folder)


def export_tower(folder: Path, config: str, out: Path, naming: Naming, *, averaged: bool) -> list[str]:
    """Write a checkpoint's video tower under Wan's or diffusers' names; names of the weights only we have.

    Raises JoineryError where checkpoint, configuration and ``out`` do not fit.
    """
    wanted = TrainRequest("", out, config, 1).configuration()
    try:
        model = build(wanted.model, wanted.seed)
        checkpoint.load_weights(folder, model, averaged=averaged)
        return write_tower(model, wanted.model, out, naming, wanted.torch_dtype)
    except (FileExistsError, FileNotFoundError, ValueError) as error:
        raise JoineryError(str(error)) from error
