"""A training run without a model, as a program: reads steps, says what it read, and saves its state as it goes.

``python -m tests.pipeline.loader.read_plan PLAN SHARDS OUT WORKERS`` appends a line per step to ``OUT/steps.jsonl`` and
continues from ``OUT/state.json``. It has no ``__main__`` guard: workers do not need one.
"""

import json
import os
import sys
from pathlib import Path

from pipeline.loader.plan_loader import LoaderState, PlanLoader
from tests.pipeline.loader.transforms import ids

plan, shards, out, workers = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
saved = out / "state.json"
start = LoaderState(**json.loads(saved.read_text())) if saved.exists() else 0
with (
    PlanLoader(plan, shards, start=start, workers=workers, ledger=out / "ledger", transform=ids) as loader,
    (out / "steps.jsonl").open("a") as log,
):
    for step in loader:
        read = [window for pack in step.packs for window in pack.windows]
        log.write(json.dumps([step.step, read]) + "\n")
        log.flush()
        if step.step % 3 == 2:  # a checkpoint, whole or not at all
            (out / "partial").write_text(json.dumps(loader.state().plain()))
            os.replace(out / "partial", saved)
        print(step.step, *loader.pool.pids, flush=True)
