"""How many control rows per second one core cuts: ``python -m benchmarks.segment``.

Made-up two-task episodes at 30 Hz, CPU time of one process, the best of three passes. *Signals and cuts* is everything
from action rows to typed cuts; *whole stage* adds tree, labels and motion summaries of all four levels. Fails below
50,000 rows/s for signals and cuts.
"""

import sys
import time
from collections.abc import Callable, Sequence

from annotators.kinematic.evidence import kinematic_evidence
from annotators.segment import segment
from benchmarks.made_cases import CALIBRATION, SPEC, made_episode
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import ActionTrack, Alignment, Arm, Episode, KeptRange, SyncVerdict

FLOOR = 50_000
EPISODES = 40
PASSES = 3
Recorded = tuple[Episode, ActionTrack]


def rows_per_s(work: Callable[[Recorded], object], recorded: Sequence[Recorded]) -> float:
    """Rows over CPU seconds, of the fastest pass."""
    best = float("inf")
    for _ in range(PASSES):
        started = time.process_time()
        for one in recorded:
            work(one)
        best = min(best, time.process_time() - started)
    return sum(len(actions.times_ns) for _, actions in recorded) / best


def cuts(one: Recorded) -> object:
    """From rows to typed cuts."""
    episode, actions = one
    evidence = kinematic_evidence(actions, CALIBRATION, episode.master.clock, SPEC)
    return None if evidence is None else evidence.cuts()


def tree(one: Recorded) -> object:
    """The stage."""
    episode, actions = one
    kept = (KeptRange(0, episode.master.end_ns),)
    alignment = Alignment(episode.episode_id, SyncVerdict.CONFIRMED, 0, 1.0, 1.0, kept)
    return segment(episode, actions, (), alignment, CALIBRATION, spec=SPEC)


def main() -> int:
    """Measure and print; 1 when too slow."""
    variants = (Variant.PLAIN, Variant.SLIP, Variant.MISS, Variant.PAUSE)
    made = [
        made_episode(make_trajectory([seed, 6], {Arm.RIGHT: (variants[seed % 4], Variant.PLAIN)}))
        for seed in range(EPISODES)
    ]
    rows = sum(len(actions.times_ns) for _, actions in made)
    print(f"{EPISODES} episodes, {rows:,} rows, one core\n")
    fast = rows_per_s(cuts, made)
    print(f"signals and cuts {fast:10,.0f} rows/s")
    print(f"whole stage      {rows_per_s(tree, made):10,.0f} rows/s")
    return 0 if fast >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
