"""A node's network cable is cut: it lives, works and writes, but nobody hears it. Needs namespaces (root on Linux)."""

import random

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment


def trial(ground: Ground, rng: random.Random) -> Happened:
    """What the node still writes must be visible to nobody, since others do its work again."""
    place, cluster = ground.place(), ground.cluster
    moment, node = drawn_moment(rng, ground.seconds), rng.choice(cluster.nodes)
    run = ground.start(place)
    injected = 0
    if run.wait_for(moment):
        cluster.cut_cable(node)
        injected = 1
    status = run.end()
    statuses = ground.finish(place, status)
    said = last_lines(run.said) if status else ""
    cluster.drop(node)
    return Happened(place, str(moment), f"cut the cable of {node.name}", injected, statuses, (0,), said)
