"""SIGKILL of a raylet: a node of the cluster is gone, with its workers and its part of the object store."""

import random

from benchmarks.faults.cluster import kill
from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment


def trial(ground: Ground, rng: random.Random) -> Happened:
    """One node of two beside the head; the next trial gets a new one in its place."""
    place, cluster = ground.place(), ground.cluster
    moment, node = drawn_moment(rng, ground.seconds), rng.choice(cluster.nodes)
    run = ground.start(place)
    injected = sum(kill(process) for process in node.named("raylet")) if run.wait_for(moment) else 0
    status = run.end()
    statuses = ground.finish(place, status)
    said = last_lines(run.said) if status else ""
    return Happened(place, str(moment), f"SIGKILL raylet of {node.name}", injected, statuses, (0,), said)
