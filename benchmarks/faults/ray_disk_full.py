"""The disk of Ray itself is full: its folder of sockets, logs and spilled objects, on every node.

Nothing of ours lies there, so the run may go on; where Ray cannot, it must end with status 1 in bounded time.
"""

import random

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment


def trial(ground: Ground, rng: random.Random) -> Happened:
    """Filled at some moment, emptied when the run has ended."""
    place, moment = ground.place(), drawn_moment(rng, ground.seconds)
    run = ground.start(place)
    filled = ground.disk.fill() if run.wait_for(moment) else None
    status = run.end()
    if filled is not None:
        filled.unlink()
    said = last_lines(run.said) if status else ""
    statuses = ground.finish(place, status)
    return Happened(place, str(moment), "Ray's disk full", int(filled is not None), statuses, (0, 1), said)
