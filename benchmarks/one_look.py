"""What one look at the video costs and spares: passes, time and action error of ways to imagine held-out events.

Trains `tiny` twice on a shard set for as many steps: with both towers at one noise level (symmetric), and with levels
of their own. Then every way acts on the same held-out events with the same noise. Errors are of normalised actions,
valid rows and known columns only, mean squared; 1 is what always saying the mean would get. Times are of one process
with one thread and of events of whatever length they have; the ratio counts, taken side by side.

    python -m benchmarks.one_look SHARDS [--steps 600] [--events 60] [--split validation]
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from jobs.compile import Extent, compile_load_plan
from pipeline.loader.reader import ShardSet
from trainer.batch import Example
from trainer.configs import TrainConfig, load_spec, tiny
from trainer.example import example_of, shown_whole
from trainer.flow import Schedule, Sigmas
from trainer.infer import denoise
from trainer.model.wam import WallWM
from trainer.policy import load_policy
from trainer.policy_record import checkpoint_folder, read_record
from trainer.run import planned, train
from trainer.sampling import Sampling

STEPS = 10
WAYS = {
    "symmetric": Sampling("symmetric", steps=STEPS),
    **{
        f"one look at {anchor}, {approach} before it": Sampling(
            "asymmetric", steps=STEPS, anchor=anchor, approach=approach
        )
        for anchor in (0.1, 0.36, 0.9)
        for approach in (0, 1, 4)
    },
}


def held_out(shards: ShardSet, split: str, config: TrainConfig, most: int) -> list[Example]:
    """Events with actions, spread over the split."""
    stats, found = shards.all_stats(), []
    for t in range(0, shards.n_samples(split), max(1, shards.n_samples(split) // (3 * most))):
        sample = shards.read(split, t)
        if sample.statistics_group in stats and sample.n_frames >= 5 and sample.action_kind == "measured":
            found.append(example_of(shown_whole(sample, config.data), stats[sample.statistics_group], config))
    return [each for each in found if len(each.actions_KA)][:most]


def measure(model: WallWM, events: list[Example], sampling: Sampling) -> tuple[float, float, str]:
    """Mean squared error, milliseconds per event, passes of both towers."""
    errors, passes = [], ""
    began = time.perf_counter()
    for seed, event in enumerate(events):
        imagined = denoise(model, event, sampling, seed)
        wanted = event.valid_K[:, None] & event.action_known_A
        errors.append((imagined.actions_KA - event.actions_KA)[wanted].square().mean())
        passes = f"{imagined.passes.video} + {imagined.passes.action}"
    spent = (time.perf_counter() - began) / len(events) * 1e3
    return float(torch.stack(errors).nanmean()), spent, passes


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shards")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--events", type=int, default=60)
    parser.add_argument("--split", default="validation")
    given = parser.parse_args()
    apart = replace(tiny(), name="tiny, levels apart", schedule=Schedule(Sigmas("logit_normal"), Sigmas("beta"), 2))
    shards = ShardSet.open(given.shards)
    for config in (tiny(), apart):
        with tempfile.TemporaryDirectory() as name:
            out = Path(name)
            compile_load_plan(given.shards, str(out / "plan"), load_spec(config), Extent(steps=given.steps))
            train(planned(given.shards, str(out / "plan"), config, out / "ledger"), config, out / "run")
            record = read_record(checkpoint_folder(out / "run"))
            model = load_policy(out / "run", device="cpu", embodiment=record.embodiments[0].group).model
        events = held_out(shards, given.split, config, given.events)
        print(f"\n{config.name}: {given.steps} steps; {len(events)} events of {given.split}")
        print(f"{'way':<36} {'passes':>9} {'ms':>7} {'ratio':>6} {'error':>7}")
        whole = None
        for way, sampling in WAYS.items():
            error, spent, passes = measure(model, events, sampling)
            whole = spent if whole is None else whole
            print(f"{way:<36} {passes:>9} {spent:>7.1f} {whole / spent:>6.2f} {error:>7.4f}", flush=True)


if __name__ == "__main__":
    main()
