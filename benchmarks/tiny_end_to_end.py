"""T21 of trainer.md: what `joinery train --config tiny` learns of demo shards in a minute of one core.

    python -m benchmarks.tiny_end_to_end demo/workspace/shards --steps 220

Time is that of the processor, everything after the imports counted: compiling the plan, reading, decoding, training,
checkpoints. Losses are means over the last 50 steps. Exits 1 where T21 does not hold.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from jobs.compile import Extent, compile_load_plan
from trainer.configs import CONFIGS, load_spec
from trainer.loop import StepLog
from trainer.run import planned, train

LAST = 50
MOST_CPU_S, MOST_VIDEO, MOST_ACTION = 60.0, 0.45, 0.60


def main() -> None:
    """Measure, print, and exit by what T21 says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--config", default="tiny", choices=sorted(CONFIGS))
    parser.add_argument("--steps", type=int, default=220)
    parser.add_argument("--seed", type=int, default=None, help="of weights, windows and noise, not the configuration's")
    parser.add_argument("--draws", type=int, default=None, help="action draws per event, not the configuration's")
    given = parser.parse_args()
    config = CONFIGS[given.config]()
    if given.seed is not None:
        config = replace(config, seed=given.seed)
    if given.draws is not None:
        config = replace(config, schedule=replace(config.schedule, action_draws=given.draws))
    lines: list[StepLog] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        before = time.process_time()
        compile_load_plan(given.shards, str(out / "plan"), load_spec(config), Extent(steps=given.steps))
        steps = planned(given.shards, str(out / "plan"), config, out / "ledger")
        train(steps, config, out / "run", on_step=lines.append)
        cpu_s = time.process_time() - before
    video = float(np.mean([line.video for line in lines[-LAST:]]))
    action = float(np.mean([line.action for line in lines[-LAST:]]))
    tokens = sum(line.tokens for line in lines)
    said = f"{given.config}, seed {config.seed}, {config.schedule.action_draws} action draws, {given.steps} steps"
    said += f", {tokens} tokens"
    print(
        f"{said}: {cpu_s:.1f} CPU-s; v-MSE of video {lines[0].video:.3f} → {video:.3f}, "
        f"of actions {lines[0].action:.3f} → {action:.3f}"
    )
    held = cpu_s < MOST_CPU_S and video < MOST_VIDEO and action < MOST_ACTION
    print(f"T21 {'holds' if held else 'does not hold'}: < {MOST_CPU_S:g} CPU-s, < {MOST_VIDEO:g}, < {MOST_ACTION:g}")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
