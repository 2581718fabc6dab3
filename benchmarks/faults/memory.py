"""Memory pressure: a stranger on the nodes takes all the memory they have, and the kernel kills whom it likes.

The nodes beside the head live in a control group of their own, so that nothing else on the machine suffers. Whom the
kernel kills is a worker as a rule; the run goes on, or ends with status 1 and blames no recording.
"""

import random
import subprocess
import sys

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment

LONGEST_S = 10.0
GREEDY = """
import sys, time
taken, began = [], time.monotonic()
while time.monotonic() - began < float(sys.argv[1]):
    taken.append(bytearray(32 << 20))
    time.sleep(0.002)
"""


def trial(ground: Ground, rng: random.Random) -> Happened:
    """At some moment, for some seconds; the stranger too may be killed for it."""
    if not ground.group.exists:
        raise SystemExit("memory: needs control groups, version 1, and root")
    place = ground.place()
    moment, seconds = drawn_moment(rng, ground.seconds), rng.uniform(1.0, LONGEST_S)
    before = ground.group.kills
    run, injected = ground.start(place), 0
    if run.wait_for(moment):
        command = [*ground.group.entering, sys.executable, "-c", GREEDY, str(seconds)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        injected = 1
    status = run.end()
    killed = ground.group.kills - before
    said = last_lines(run.said) if status else ""
    did = f"memory of the nodes taken for {seconds:.1f} s, the kernel killed {killed} processes"
    return Happened(place, str(moment), did, injected, ground.finish(place, status), (0, 1), said)
