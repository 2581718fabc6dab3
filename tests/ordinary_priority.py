"""The priority a process had before SVT-AV1 was asked for a film.

Run by root, SVT-AV1 gives the thread that opens it real-time priority (SCHED_FIFO 99) and leaves it so. Every process
started from there inherits it: a browser or a server that waits in a loop then keeps a core for itself, and everything
else on the machine stands still.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Whatever happens inside, the calling thread ends with the scheduling it began with."""
    if not hasattr(os, "sched_getscheduler"):  # not Linux: SVT-AV1 changes nothing there
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
