"""The disk of the workspace is full: a small file system that ends somewhere between empty and enough.

The run must end with status 1 and say so, quarantine nothing for it, and publish nothing by halves. Given room, the
same command goes on. Needs to mount a tmpfs (root on Linux).
"""

import random

from benchmarks.faults.ground import Ground, Happened, last_lines
from benchmarks.faults.small_disk import SmallDisk

ROOM_BYTES = 512 << 20


def trial(ground: Ground, rng: random.Random) -> Happened:
    """Any size below what an undisturbed run takes."""
    share = rng.uniform(0.03, 0.9)
    disk = SmallDisk(ground.new_folder(), int(share * ground.measured().n_bytes))
    ground.afterwards.append(disk.close)
    place = ground.place(folder=disk.folder)
    run = ground.start(place)
    status = run.end()
    wrong: tuple[str, ...] = ()
    if status == 1 and "space" not in run.said.lower():
        wrong = (f"says nothing of space: {last_lines(run.said)}",)
    disk.resize(ROOM_BYTES)
    statuses = ground.finish(place, status)
    said = last_lines(run.said) if status else ""
    when = f"at {share:.0%} of what is needed"
    return Happened(place, when, "file system full", int(status != 0), statuses, (1, 0), said, wrong)
