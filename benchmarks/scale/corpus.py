"""The stages that look at all events at once, and `assign`, on made events: seconds and memory as their number grows.

Each stage is the real one, fed batch by batch as a run feeds it; only the events are made, in heavy-tailed cells. What
comes out is counted and dropped, as the store would take it. One process per stage and size, because a peak never
falls. CPU seconds include making the events, which takes about as long as reading them would.

    python -m benchmarks.scale.corpus [--sizes 100000 1000000] [--stages balance schedule] [--out FILE]

The last column says by which power of the number of events the seconds grew from the size before.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dedup_scale import peak
from benchmarks.dedup_scale import whole as dedup_events
from clustering.balance import STAGE as BALANCE
from clustering.place import place
from clustering.schedule import STAGE as SCHEDULE
from clustering.schedule import ScheduleSlice
from clustering.spherical import one_thread
from pipeline.stage import Bundle
from schemas.cluster import ClusterModel, FitCause, Membership, Space, Split
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.recipe_balance import BalanceSpec

SIZES = (100_000, 1_000_000, 10_000_000)
BATCH, PER_EPISODE = 5000, 20
LOOKS, MOTIONS = 2048, 512
"""Clusters of either axis. Which of their pairs occur grows with the corpus, as it does in real ones."""
TAIL = 1.1
"""Exponent of how often the n-th cluster occurs."""
HELD_OUT = 100
"""One episode in so many is validation's, and one test's."""
DIMS, PROJECTED, REFERENCES = 512, 64, 4096
SPEC = BalanceSpec()


@dataclass(frozen=True)
class Measured:
    """One stage over ``events`` events."""

    stage: str
    events: int
    cpu_s: float
    peak_bytes: int
    came_out: int
    """Cells with mass, draws, events placed, or events looked at for copies."""


def memberships(n: int) -> Iterator[list[Membership]]:
    """The same events whoever asks."""
    shares = [1 / np.arange(1, clusters + 1) ** TAIL for clusters in (LOOKS, MOTIONS)]
    edges = [np.cumsum(share / share.sum()) for share in shares]
    for start in range(0, n, BATCH):
        rows = range(start, min(start + BATCH, n))
        drawn = np.random.default_rng(start).random((2, BATCH))
        look, motion = (np.searchsorted(e, d).tolist() for e, d in zip(edges, drawn, strict=True))
        yield [_membership(i, look[i - start], motion[i - start]) for i in rows]


def _membership(i: int, look: int, motion: int) -> Membership:
    episode = i // PER_EPISODE
    side = {1: Split.VALIDATION, 2: Split.TEST}.get(episode % HELD_OUT, Split.TRAIN)
    return Membership(
        event_id=f"ev-{i:032d}", episode_id=f"ep-{episode:032d}", source="made", dataset="made", level="action",
        vision_language=look, action=motion, tail=False, recovery=False, split=side, duplicate_group="",
        duplicate_of="", n_frames=20, duration_s=1.0,
    )  # fmt: skip


def balance(n: int) -> int:
    """Cells of the plan."""
    return len(_plan(n).cells)


def _plan(n: int) -> SamplingPlan:
    (plan,) = BALANCE.run(Bundle("corpus", streams={Membership: lambda: memberships(n)}), SPEC)
    assert isinstance(plan, SamplingPlan)
    return plan


def schedule(n: int) -> int:
    """Draws of the epoch and what it has no room for."""
    spec = ScheduleSlice(seed=0, samples_per_shard=1000, on_append="extend", balance=SPEC)
    plan = _plan(n)
    streams = {
        SamplingPlan: lambda: iter([[plan]]), Membership: lambda: memberships(n),
        DrawSegment: lambda: iter(()), Draw: lambda: iter(()),
    }  # fmt: skip
    return sum(isinstance(record, Draw) for record in SCHEDULE.run(Bundle("corpus", streams=streams), spec))


def assign(n: int) -> int:
    """Events placed among the clusters of a model of the default's size."""
    rng, placed = np.random.default_rng(0), 0
    model = _model(rng)
    with one_thread():
        for start in range(0, n, PER_EPISODE * 8):
            vectors = rng.standard_normal((min(PER_EPISODE * 8, n - start), DIMS), np.float32)
            placed += len(place(model, vectors).cluster)
    return placed


def _model(rng: np.random.Generator) -> ClusterModel:
    def units(rows: int) -> NDArray[np.float32]:
        points = rng.standard_normal((rows, PROJECTED), np.float32)
        return (points / np.linalg.norm(points, axis=1, keepdims=True)).reshape(-1).astype(np.float32)

    zeros, ones = np.zeros(DIMS, np.float32), np.ones(DIMS, np.float32)
    projection = rng.standard_normal(PROJECTED * DIMS).astype(np.float32)
    return ClusterModel(
        "cm", 1, "", FitCause.FIRST, 0.0, "", Space.VISION_LANGUAGE, "made", zeros, ones, projection, PROJECTED,
        units(LOOKS), LOOKS, np.arange(LOOKS), LOOKS, 0.5, units(REFERENCES), 0.5, -1.0, 20, REFERENCES, REFERENCES,
    )  # fmt: skip


def dedup(n: int) -> int:
    """Events looked at (`benchmarks.dedup_scale` has more to say of them)."""
    dedup_events(n)
    return n


STAGES: dict[str, Callable[[int], int]] = {"assign": assign, "dedup": dedup, "balance": balance, "schedule": schedule}


def child(stage: str, n: int) -> Measured:
    """In a process of its own."""
    started = time.process_time()
    came_out = STAGES[stage](n)
    cpu_s = round(time.process_time() - started, 2)
    return Measured(stage, n, cpu_s, peak(), came_out)


def measured(stage: str, n: int) -> Measured:
    """Starts that process."""
    command = [sys.executable, "-m", "benchmarks.scale.corpus", "--child", stage, str(n)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Measured(**json.loads(told.splitlines()[-1]))


def table(rows: list[Measured]) -> Iterator[str]:
    """One line per stage and size."""
    yield f"{'stage':<10}{'events':>13}{'CPU-s':>10}{'µs each':>10}{'peak MiB':>10}{'came out':>13}{'grows as':>10}"
    before: Measured | None = None
    for row in rows:
        power = ""
        if before is not None and before.stage == row.stage:
            power = f"{math.log(row.cpu_s / before.cpu_s) / math.log(row.events / before.events):.2f}"
        seconds = f"{row.cpu_s:>10.1f}{1e6 * row.cpu_s / row.events:>10.1f}"
        yield f"{row.stage:<10}{row.events:>13,}{seconds}{row.peak_bytes / 2**20:>10,.0f}{row.came_out:>13,}{power:>10}"
        before = row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--out", type=Path, help="JSON; what is there of other stages and sizes stays")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(asdict(child(given.child[0], int(given.child[1])))))
        return
    kept = [Measured(**row) for row in json.loads(given.out.read_text())] if given.out and given.out.exists() else []
    rows = {(row.stage, row.events): row for row in kept}
    for stage in given.stages:
        for n in given.sizes:
            rows[stage, n] = measured(stage, n)
            ordered = sorted(rows.values(), key=lambda row: (list(STAGES).index(row.stage), row.events))
            if given.out:
                given.out.write_text(json.dumps([asdict(row) for row in ordered], indent=1) + "\n")
    print("\n".join(table(ordered)))


if __name__ == "__main__":
    main()
