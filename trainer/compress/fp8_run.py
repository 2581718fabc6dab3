"""``joinery compress fp8``: a checkpoint in, the same model in FP8 out, and what that did to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from trainer import checkpoint
from trainer.checkpoint import Trained, load_weights, read_run
from trainer.compress.fp8_config import Fp8Config
from trainer.compress.fp8_model import Fp8Report, as_stored, quantise_model, relative
from trainer.compress.judge import HeldOut, Judged, judge, made_of
from trainer.configs import TrainConfig
from trainer.model.wam import WallWM, build
from trainer.parallel import Ranks
from trainer.policy_record import checkpoint_folder, read_record, written

_SHOWN = 8
"""Events whose activations the layers are compared on."""


@dataclass(frozen=True)
class Fp8Outcome:
    """What `joinery compress fp8` prints."""

    checkpoint: Path
    report: Fp8Report
    video_error: float | None
    """Of the imagined latents, relative to the exact model's, from the same noise; None without events to try."""
    action_error: float | None
    exact: Judged | None
    quantised: Judged | None
    seeds: int


def load_model(folder: Path) -> tuple[WallWM, TrainConfig]:
    """A checkpoint's model, on the CPU, averaged weights where there are any, and its configuration."""
    config = read_record(folder).config
    model = as_stored(build(config.model, config.seed), config.fp8)
    load_weights(folder, model, averaged=True)
    return model, config


def compress_fp8(
    teacher: Path, out: Path, fp8: Fp8Config, held: Sequence[HeldOut] = (), seeds: Sequence[int] = (0, 2)
) -> Fp8Outcome:
    """Write the checkpoint in FP8 below ``out``. Raises FileExistsError when one is there, ValueError for one that is
    in FP8 already."""
    folder = checkpoint_folder(teacher)
    model, config = load_model(folder)
    if config.fp8 is not None:
        raise ValueError(f"{folder}: is in FP8 already ({config.fp8.scheme}); quantise what it was made of")
    if checkpoint.newest(out) is not None:
        raise FileExistsError(f"{out}: a checkpoint is there already; choose another --out")
    examples = [each.example for each in held[:_SHOWN]]
    shown: list[Callable[[WallWM], object]] = []
    if examples:
        shown.append(partial(made_of, config=config, examples=examples, steps=config.sample_steps, seed=0))
    exact = judge(model, config, held, config.sample_steps, seeds) if held else None
    before = made_of(model, config, examples, config.sample_steps, 0)[0] if examples else None
    report = quantise_model(model, fp8, shown)
    after = made_of(model, config, examples, config.sample_steps, 0)[0] if examples else None
    own = replace(config, fp8=fp8)
    run = replace(read_run(folder), average_updates=0)  # what is written is the average already
    record = written(own, read_record(folder).embodiments)
    made = checkpoint.save(out, run, Trained(model, [], None), Ranks(0, 1, torch.device("cpu")), record)
    return Fp8Outcome(
        checkpoint=made,
        report=report,
        video_error=None
        if before is None or after is None
        else relative(after.video_TP - before.video_TP, before.video_TP),
        action_error=None
        if before is None or after is None
        else relative(after.action_SA - before.action_SA, before.action_SA),
        exact=exact,
        quantised=judge(model, config, held, config.sample_steps, seeds) if held else None,
        seeds=len(seeds),
    )
