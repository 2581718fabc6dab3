"""A program `torchrun` starts: trains a small model on made steps, leaves its log, and saves at the end."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from tests.trainer.events import MadeSteps, example, lively, small
from trainer import checkpoint
from trainer.compress.distill import DistillConfig, Distiller
from trainer.journal import Journal
from trainer.loop import Trainer, run
from trainer.model.wam import build
from trainer.optim import muon_rules
from trainer.parallel import joined

STEPS = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--spread", default="replicate")
    parser.add_argument("--muon", action="store_true")
    parser.add_argument("--distil", action="store_true")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--until", type=int, default=STEPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rules = tuple(replace(rule, lr=1e-3) for rule in small().rules)
    config = replace(small(), spread=options.spread, average=0.9, save_every=2, rules=rules)
    if options.muon:
        config = replace(config, rules=muon_rules(1e-3, 0.01))
    events = [example(), example(frames=5, views=2, seed=1), example(actions=0, frames=13, seed=2)]
    with joined("cpu") as ranks:
        steps = MadeSteps(*events, n_steps=STEPS, per_pack=2, packs=5)
        trainer = Trainer(config, build(config.model, config.seed), steps, ranks)
        if options.distil:
            plan = DistillConfig(steps=2, ratio=2, rate=1.0)
            trainer = Distiller(config, plan, lively(config.model), steps, ranks)
        if options.resume:
            found = checkpoint.newest(options.resume)
            assert found is not None
            checkpoint.load(found, trainer._trained, ranks)
            trainer.step = checkpoint.read_run(found).step
        options.out.mkdir(parents=True, exist_ok=True)
        journal = Journal(options.out, writes=ranks.is_first)
        for line in run(trainer, options.out, journal):
            if line.step == options.until:
                break
        journal.close()


if __name__ == "__main__":
    main()
