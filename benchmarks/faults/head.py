"""SIGKILL of the head: its control store (GCS) alone, or the whole node, raylet included. The cluster is then dead.

The run must end by itself, with status 1 and a reason, within its patience and what leaving takes; on a new cluster the
same command goes on from what was committed.
"""

import random
import time

from benchmarks.faults.cluster import kill
from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment

PATIENCE_S = 5.0
BOUND_S = 45.0
"""From the kill to the end of the run. Patience, ten seconds of leaving, and a busy machine."""


def trial(ground: Ground, rng: random.Random) -> Happened:
    """The next trial gets a new cluster."""
    place, cluster = ground.place(), ground.cluster
    moment, whole = drawn_moment(rng, ground.seconds), rng.random() < 0.5
    run = ground.start(place, f"run.patience_s={PATIENCE_S}")
    injected, wrong = 0, []
    assert cluster.head is not None
    if run.wait_for(moment):
        victims = cluster.head.named("gcs_server") + (cluster.head.named("raylet") if whole else [])
        injected = sum(kill(process) for process in victims)
    killed = time.monotonic()
    status = run.end()
    waited = time.monotonic() - killed
    if injected and waited > BOUND_S:
        wrong.append(f"ended {waited:.0f} s after the head")
    if status:
        failed = ground.reasons(place).failed_run
        if "head of the Ray cluster" not in failed:
            wrong.append(f"why says {failed!r}")
    statuses = ground.finish(place, status)
    did = f"SIGKILL {'head node' if whole else 'GCS'}, ended after {waited:.0f} s"
    said = last_lines(run.said) if status else ""
    return Happened(place, str(moment), did, injected, statuses, (1, 0), said, tuple(wrong))
