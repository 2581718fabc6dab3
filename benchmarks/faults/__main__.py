"""Put faults into runs and count what went wrong: `python -m benchmarks.faults [--fault NAME …] [--runs 20]`.

Prints a line per trial and a table at the end; ``--out`` keeps both, as JSON and as text. Exit status 1 when anything
was lost, doubled or different, or ended with the wrong status. A trial in which the fault found nothing to hit (the
run was faster) is repeated with the next seed and not counted.
"""

import argparse
import importlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path

from benchmarks.faults.ground import Ground, Trial, made_corpus

FAULTS = ("worker", "actor", "raylet", "cable", "driver", "head", "disk_full", "ray_disk_full", "clock", "two_runs",
          "poison", "memory", "vlm_server")  # fmt: skip

NEEDS_ROOT = ("cable", "disk_full", "ray_disk_full", "memory")
"""Faults that need a network, a file system or a control group of their own."""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for faults.json and faults.txt; trials there already are kept")
    parser.add_argument("--folder", type=Path, help="where workspaces lie meanwhile")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="joinery-faults-", dir=said.folder))
    faults: list[str] = said.fault or list(FAULTS)
    trials: list[Trial] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    ground = Ground(folder / "ground", made_corpus(folder))
    seeds = {fault: count(said.seed) for fault in faults}
    try:
        for _ in range(said.runs):  # in rounds, so that whoever stops it early has something of everything
            for fault in faults:
                trials.append(one(fault, ground, seeds[fault]))
                if said.out:
                    keep(said.out, trials)
    finally:
        ground.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(table([asdict(trial) for trial in trials]))
    sys.exit(any(trial.wrong for trial in trials))


def one(fault: str, ground: Ground, seeds: Iterator[int]) -> Trial:
    """A trial that hit something, or found something wrong."""
    module = importlib.import_module(f"benchmarks.faults.{fault}")
    while True:
        seed, began = next(seeds), time.monotonic()
        happened = module.trial(ground, random.Random(seed))
        trial = ground.judged(fault, seed, happened, time.monotonic() - began)
        print(json.dumps(asdict(trial)), flush=True)
        if trial.injected or trial.wrong:
            return trial


def keep(out: Path, trials: list[Trial]) -> None:
    """Add to what is there: a trial of the same fault and seed is replaced."""
    file = out / "faults.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    rows = {(row["fault"], row["seed"]): row for row in kept} | {
        (trial.fault, trial.seed): json.loads(json.dumps(asdict(trial))) for trial in trials
    }
    ordered = sorted(rows.values(), key=lambda row: (FAULTS.index(row["fault"]), row["seed"]))
    file.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")
    (out / "faults.txt").write_text(table(ordered) + "\n", encoding="utf-8")


def table(rows: list[dict[str, object]]) -> str:
    """One line per fault."""
    lines = [f"{'fault':<14}{'runs':>5}{'faults':>8}{'survived':>10}{'repeated':>10}{'lost':>6}{'doubled':>9}"
             f"{'differing':>11}{'wrong':>7}{'median s':>10}"]  # fmt: skip
    for fault in FAULTS:
        mine = [row for row in rows if row["fault"] == fault]
        if not mine:
            continue
        total = {key: sum(int(str(row[key])) for row in mine) for key in ("injected", "lost", "doubled", "differing")}
        statuses = [list(row["statuses"]) for row in mine]  # type: ignore[call-overload]
        survived, seconds = sum(each[0] == 0 for each in statuses), sorted(float(str(row["seconds"])) for row in mine)
        wrong = sum(bool(row["wrong"]) for row in mine)
        lines.append(
            f"{fault:<14}{len(mine):>5}{total['injected']:>8}{survived:>10}{len(mine) - survived:>10}{total['lost']:>6}"
            f"{total['doubled']:>9}{total['differing']:>11}{wrong:>7}{seconds[len(seconds) // 2]:>10.1f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
