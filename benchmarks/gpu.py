"""``python -m benchmarks.gpu [--config NAME]``: what one GPU does with a configuration, random weights, made-up events.

Training: bf16 time per optimiser step, tokens/s, MFU, memory; and what packing gains: the same events, one per sequence
and padded to the longest, against laid end to end. Answering: `joinery compress latency` with every precision, and
graphs. All in one process on one device; nothing is read but the code. The result goes to
``benchmarks/results/gpu_<config>.json`` with the command. Without CUDA it runs all the same with `--config tiny`, which
shows that it works and nothing else; nothing is written then.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from trainer.batch import Example
from trainer.compress.latency import Event, example_like, measure, ways
from trainer.configs import CONFIGS, TrainConfig
from trainer.flops import peak_flops
from trainer.loop import StepLog, Trainer
from trainer.model.wam import build, parameter_count
from trainer.parallel import Ranks
from trainer.steps import OneEvent, StepPack, TrainStep

RESULTS = Path(__file__).parent / "results"
FRAMES = (9, 9, 13, 17, 25, 33, 41, 65)
"""Of the events of a step: short ones are the many, as in recordings (median 2.5 s at ten frames a second)."""
WARM_UPS, TIMED = 3, 10


def main() -> int:
    """Measure, print, and on CUDA keep."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", default="wan21-1.3b", help="Name of a configuration.")
    parser.add_argument("--tokens", type=int, help="Of a pack; default: the configuration's.")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--steps", type=int, nargs="*", default=(1, 2, 4, 10, 20, 50))
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if options.config not in CONFIGS:
        parser.error(f"--config {options.config}: there are {', '.join(sorted(CONFIGS))}")
    config = CONFIGS[options.config]()
    config = replace(config, dtype="bfloat16", spread="replicate", average=0.0)
    budget = options.tokens or config.data.token_budget
    found = {
        "command": f"python -m benchmarks.gpu --config {options.config}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "torch": torch.__version__,
        "training": training(config, budget, device),
        "latency": latency(config, device, options.steps, options.repeats),
    }
    text = json.dumps(found, indent=1)
    print(text)
    if device.type == "cuda":
        (RESULTS / f"gpu_{options.config}.json").write_text(text + "\n")
    return 0


def events(config: TrainConfig, budget: int) -> list[Example]:
    """As many events of all lengths as fill a pack, without the masks that are for sight cones."""
    lengths = [n for n in FRAMES if n <= config.data.max_frames]
    made: list[Example] = []
    while True:
        frames = lengths[len(made) % len(lengths)]
        actions = min(config.data.max_actions, 2 * frames)
        one = replace(example_like(config, Event(frames, actions, config.data.max_views)), event_id=f"ev-{len(made)}")
        if made and sum(each.n_tokens for each in [*made, one]) > budget:
            return made
        made.append(one)


def training(config: TrainConfig, budget: int, device: torch.device) -> dict[str, object]:
    """A packed step and the same events padded, on one model."""
    made = events(config, budget)
    longest = max(made, key=lambda each: each.n_tokens)
    steps = OneEvent(longest, budget, WARM_UPS + TIMED)
    trainer = Trainer(config, build(config.model, config.seed), steps, Ranks(0, 1, device))
    n_parameters = parameter_count(trainer.model)
    draws = tuple(range(len(made)))
    packed, line = timed(trainer, TrainStep(0, (StepPack(draws, tuple(made)),)), device)
    # Padding is what a model without segments must do: every event as long as the longest, the rest for nothing.
    # As many to a sequence as the budget holds, so that both ways fill the device alike.
    together = max(1, budget // longest.n_tokens)
    padded = [(longest,) * len(made[first : first + together]) for first in range(0, len(made), together)]
    parts = tuple(StepPack(draws[: len(part)], part) for part in padded)
    unpacked, _ = timed(trainer, TrainStep(0, parts), device)
    useful = sum(each.n_tokens for each in made)
    peak = peak_flops(device, config.torch_dtype)
    return {
        "parameters": n_parameters,
        "events": len(made),
        "tokens": useful,
        "step_s": packed,
        "tokens_per_s": useful / packed["p50"],
        "flops_per_step": line.flops,
        "peak_flops": peak,
        "mfu": None if peak is None else line.flops / packed["p50"] / peak,
        "padded_step_s": unpacked,
        "packing_gain": unpacked["p50"] / packed["p50"],
        "peak_memory_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
    }


def timed(trainer: Trainer, step: TrainStep, device: torch.device) -> tuple[dict[str, float], StepLog]:
    """Seconds of an optimiser step, packing and transfer included, and what the last one logged."""
    seconds = []
    for _ in range(WARM_UPS + TIMED):
        since = time.perf_counter()
        line = trainer.advance(step)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - since)
    p50, p95 = np.percentile(seconds[WARM_UPS:], [50, 95])
    return {"p50": float(p50), "p95": float(p95)}, line


def latency(config: TrainConfig, device: torch.device, steps: list[int], repeats: int) -> list[dict[str, object]]:
    """Of an event of median length."""
    model = build(config.model, config.seed).to(device).eval()
    frames = min(25, config.data.max_frames)
    event = Event(frames, min(config.data.max_actions, 2 * frames), config.data.max_views)
    return [asdict(row) for row in measure(model, config, event, ways(device, steps), repeats)]


if __name__ == "__main__":
    sys.exit(main())
