"""Clocks that disagree: a driver days ahead of the cluster or behind, and behind what it was in the run before.

The wall clock of the driver and of all it starts is shifted by a library of our own (`shifted_clock.c`), compiled where
the trials run. Each trial is two runs on one workspace: the first is interrupted, the second begins *earlier* by its
clock than the first did.
"""

import random
import shutil
import signal
import subprocess
from pathlib import Path

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.started import drawn_moment

SOURCE = Path(__file__).with_name("shifted_clock.c")
DAYS = 30
DAY_S = 24 * 60 * 60


def compiled(folder: Path) -> Path:
    """The library that shifts a clock."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("no C compiler (cc), with which the library that shifts clocks is made; apt-get install gcc")
    library = folder / "shifted_clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
    return library


def shifted(library: Path, days: float) -> tuple[str, ...]:
    """Words before a command that shift its wall clock; what counts seconds since the start is left alone."""
    return ("env", f"LD_PRELOAD={library}", f"CLOCK_SHIFT_S={days * DAY_S:.0f}")


def trial(ground: Ground, rng: random.Random) -> Happened:
    """The second run ends well, and `joinery why` speaks of it and not of the first."""
    place, library = ground.place(), ground.kept("clock", lambda: compiled(ground.new_folder()))
    ahead = rng.uniform(-DAYS, DAYS)
    behind = ahead - rng.uniform(0.1, DAYS)
    moment = drawn_moment(rng, ground.seconds)
    first = ground.start(place, wrap=shifted(library, ahead))
    if first.wait_for(moment):
        first.process.send_signal(signal.SIGINT)
    ended = first.end()
    second = ground.start(place, wrap=shifted(library, behind))
    status = second.end()
    wrong = []
    if status == 0 and (failed := ground.reasons(place).failed_run):
        wrong.append(f"why tells of an earlier run: {failed}")
    statuses = (ended, *ground.finish(place, status))
    did = f"driver {ahead:+.1f} d, interrupted ({ended}), again {behind:+.1f} d"
    said = last_lines(second.said) if status else ""
    return Happened(place, str(moment), did, 2, statuses, (0, 1, 128 + signal.SIGINT), said, tuple(wrong))
