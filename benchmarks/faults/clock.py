"""Clocks that disagree: a driver days ahead of the cluster or behind, and behind what it was in the run before.

The clock is shifted by libfaketime (Debian's package of that name), for the driver and all it starts. Each trial is two
runs on one workspace: the first is interrupted, the second begins *earlier* by its clock than the first did.
"""

import random
import signal
from pathlib import Path

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
DAYS = 30


def shifted(days: float) -> tuple[str, ...]:
    """Words before a command that shift its wall clock; what counts seconds since the start is left alone."""
    if not Path(LIBRARY).exists():
        raise SystemExit(f"{LIBRARY}: not there; apt-get install libfaketime")
    skew = f"{days * 24 * 60:+.0f}m"
    return ("env", f"LD_PRELOAD={LIBRARY}", f"FAKETIME={skew}", "FAKETIME_DONT_FAKE_MONOTONIC=1")


def trial(ground: Ground, rng: random.Random) -> Happened:
    """The second run ends well, and `joinery why` speaks of it and not of the first."""
    place = ground.place()
    ahead = rng.uniform(-DAYS, DAYS)
    behind = ahead - rng.uniform(0.1, DAYS)
    moment = drawn_moment(rng, ground.seconds)
    first = ground.start(place, wrap=shifted(ahead))
    if first.wait_for(moment):
        first.process.send_signal(signal.SIGINT)
    ended = first.end()
    second = ground.start(place, wrap=shifted(behind))
    status = second.end()
    wrong = []
    if status == 0 and (failed := ground.reasons(place).failed_run):
        wrong.append(f"why tells of an earlier run: {failed}")
    statuses = (ended, *ground.finish(place, status))
    did = f"driver {ahead:+.1f} d, interrupted ({ended}), again {behind:+.1f} d"
    said = last_lines(second.said) if status else ""
    return Happened(place, str(moment), did, 2, statuses, (0, 1, 128 + signal.SIGINT), said, tuple(wrong))
