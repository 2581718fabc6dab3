"""SIGKILL of the driver, the `joinery run` command itself, again and again; then it is repeated and left alone."""

import random
import signal

from benchmarks.faults.ground import Ground, Happened
from benchmarks.faults.started import drawn_moment

MOST_KILLS = 3
KILLED = 128 + signal.SIGKILL


def trial(ground: Ground, rng: random.Random) -> Happened:
    """Up to three kills, each in the run that follows the one before."""
    place, whens, statuses = ground.place(), list[str](), list[int]()
    for _ in range(rng.randint(1, MOST_KILLS)):
        moment = drawn_moment(rng, ground.seconds)
        run = ground.start(place)
        if run.wait_for(moment):
            run.process.kill()
        statuses.append(run.end())
        if statuses[-1] != KILLED:  # it was faster
            break
        whens.append(str(moment))
    statuses += ground.finish(place, statuses[-1])[1:]
    did = f"SIGKILL driver {len(whens)} times"
    return Happened(
        place, ", ".join(whens), did, len(whens), tuple(statuses), (KILLED, 0), runs_expected=len(whens) + 1
    )
