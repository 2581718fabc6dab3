"""SIGKILL of workers: processes that do batches. The run itself survives, and nobody has to repeat it."""

import random
import time

from benchmarks.faults.cluster import kill
from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment

MOST_KILLS = 3
LOOK_S = 5.0


def trial(ground: Ground, rng: random.Random) -> Happened:
    """Kill up to three, at moments of their own; each on any node."""
    place, cluster = ground.place(), ground.cluster
    moments = [drawn_moment(rng, ground.seconds) for _ in range(rng.randint(1, MOST_KILLS))]
    moments.sort(key=lambda moment: (list(ground.seconds).index(moment.stage), moment.after_s))
    run = ground.start(place)
    did = []
    for moment in moments:
        if not run.wait_for(moment):
            break
        deadline = time.monotonic() + LOOK_S
        while not (busy := cluster.workers()) and time.monotonic() < deadline and run.process.poll() is None:
            time.sleep(0.05)
        if busy:
            node, victim = rng.choice(busy)
            name = victim.name() if victim.is_running() else "?"
            if kill(victim):
                did.append(f"{name} on {node.name}")
    status = run.end()
    when, statuses = ", ".join(map(str, moments)), ground.finish(place, status)
    said = last_lines(run.said) if status else ""
    return Happened(place, when, f"SIGKILL {'; '.join(did)}", len(did), statuses, (0,), said)
