"""Make simulated episodes with exact boundaries, in the simulators' environment (docs/sim_truth.md).

.venv-sim/bin/python -m benchmarks.sim OUT --tasks pick-place,Lift --seeds 0:8
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from benchmarks.sim.episodes import make
from benchmarks.sim.recordings import LAGS_MS, RECIPE, Measurement
from benchmarks.sim.tasks import DEVELOPMENT, development_tasks, split_of
from pipeline.errors import JoineryError
from schemas.truth import TruthEpisode


def seeds_of(text: str) -> list[int]:
    """``0:8``, ``0:8:2``, or ``3,5``."""
    if ":" in text:
        return list(range(*(int(part) for part in text.split(":"))))
    return sorted({int(part) for part in text.split(",")})


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, make the episodes, say what is there. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sim", description=__doc__)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--tasks", default="", help="names with commas between; all development tasks by default")
    parser.add_argument("--seeds", type=seeds_of, default="0:8", help="range or list; even tune, odd held out")
    parser.add_argument("--split", choices=["tune", "held_out"], help="only these of the seeds")
    parser.add_argument("--no-noise", action="store_true", help="record poses and openings exactly")
    parser.add_argument("--lag", default="0", help=f"milliseconds rows come late, or `ladder` for {LAGS_MS} by seed")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures, even")
    parser.add_argument("--no-pictures", action="store_true", help="a small drawing instead; needs no renderer")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    lag_ms = None if given.lag == "ladder" else int(given.lag)
    measurement = Measurement(not given.no_noise, lag_ms, None if given.no_pictures else given.size)
    seeds = [seed for seed in given.seeds if given.split in (None, split_of(seed).value)]
    try:
        tasks = development_tasks([name for name in given.tasks.split(",") if name])
        truths = make(given.out, tasks, seeds, measurement, given.jobs)
    except JoineryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _say(given.out, truths)
    return 0


def _say(out: Path, truths: list[TruthEpisode]) -> None:
    print(f"{'task':16} {'episodes':>8} {'success':>7} {'seconds':>7}  boundaries")
    for name in DEVELOPMENT:
        mine = [truth for truth in truths if truth.task == name]
        if mine:
            seconds = sum(one.n_frames / one.rate_hz for one in mine)
            kinds = Counter(str(boundary.kind) for one in mine for boundary in one.boundaries)
            listed = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
            print(f"{name:16} {len(mine):8} {sum(bool(one.success) for one in mine):7} {seconds:7.0f}  {listed}")
    print(f"joinery run {out / RECIPE}")


if __name__ == "__main__":
    sys.exit(main())
