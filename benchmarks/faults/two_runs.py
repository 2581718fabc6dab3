"""Two runs on one workspace at once, begun within a few seconds of each other. Both succeed; readers see one result."""

import random
import time

from benchmarks.faults.ground import Ground, Happened, last_lines

APART_S = 10.0


def trial(ground: Ground, rng: random.Random) -> Happened:
    """One on the cluster, the other there too or in one process."""
    place = ground.place()
    apart, inline = rng.uniform(0.0, APART_S), rng.random() < 0.5
    first = ground.start(place)
    time.sleep(apart)
    second = ground.start(place, inline=inline)
    overlapped = first.process.poll() is None
    ended = (first.end(), second.end())
    said = "\n".join(last_lines(run.said) for run in (first, second) if run.process.returncode)
    did = f"a second run, {'in one process' if inline else 'on the cluster'}: {ended}"
    statuses = ground.finish(place, max(ended))
    return Happened(place, f"+{apart:.1f} s", did, int(overlapped), statuses, (0,), said)
