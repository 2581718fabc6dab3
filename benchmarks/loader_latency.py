"""How long a training step waits for its windows, with and without a worker that goes to sleep for a minute.

Two runs of the same plan over the same events, side by side in one process: one with the workers as they are, one in
which the first worker that gets a certain draw sleeps for 60 s. The sleeper must not be felt: the longest wait of its
run stays below twice the median step. Events are cut by the product from noise, 240 × 320, two views.

``python -m benchmarks.loader_latency [--workers 3]`` prints both and fails when the bound is broken.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.loader.plan import LoadPlan
from pipeline.loader.plan_loader import PlanLoader
from pipeline.loader.window import Window
from schemas.recipe_load import LoadSpec
from tests.pipeline.loader import made_shards
from tests.pipeline.loader.transforms import Sleepy

N_EVENTS, N_STEPS, SLEEP_S = 48, 30, 60.0
BOUND = 2.0
SPEC = LoadSpec(budget=768, packs_per_step=8, max_frames=33, seed=1)


def waits(
    plan: Path, shards: Path, workers: int, train_s: float, transform: Callable[[Window], Any]
) -> Iterator[float]:
    """Seconds each step takes: the wait for its windows and the training on them."""
    with PlanLoader(str(plan), str(shards), workers=workers, ahead=3, transform=transform) as loader:
        steps = iter(loader)
        next(steps)  # workers start
        begun = time.perf_counter()
        for _ in steps:
            time.sleep(train_s)
            now = time.perf_counter()
            yield now - begun
            begun = now
        print(f"  requests given to a second worker: {loader.pool.happened.reissued}", file=sys.stderr)


def main() -> None:
    """Measure both runs and compare."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--workers", type=int, default=3)
    arguments.add_argument("--train-s", type=float, default=0.5, help="What a step's training takes.")
    given = arguments.parse_args()
    made_shards.SIZE = 240  # type: ignore[misc]  # pictures as large as a trainer's
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shards = made_shards.write_set(root / "set", range(N_EVENTS))
        made_shards.write_load_plan(root / "plan", shards, N_STEPS, SPEC)
        plain = list(waits(root / "plan", shards, given.workers, given.train_s, Sleepy(folder, -1, 0.0)))
        middle = _draw_of(root / "plan", N_STEPS // 2)
        asleep = list(waits(root / "plan", shards, given.workers, given.train_s, Sleepy(folder, middle, SLEEP_S)))
        assert (root / "slept").exists(), "nobody slept: nothing was measured"
    median = statistics.median(plain)
    for name, found in (("as they are", plain), ("one asleep for 60 s", asleep)):
        print(f"{name:20} p50 {statistics.median(found):6.3f} s   longest {max(found):6.3f} s   of {len(found)} steps")
    ratio = max(asleep) / median
    print(f"longest step with a sleeper / p50 without: {ratio:.2f} (bound {BOUND:g})")
    if ratio >= BOUND:
        sys.exit(1)


def _draw_of(plan: Path, step: int) -> int:
    return LoadPlan.open(str(plan)).step(step)[0].draws[0].draw


if __name__ == "__main__":
    main()
