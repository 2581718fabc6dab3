"""Stands between a run and a server it started, so that the server never outlives the run, however the run ends.

``python guard.py COMMAND…`` starts the command in a session of its own and holds a pipe from the run at its standard
input. The pipe closes when the run's process is gone, also when that was killed outright and could tidy up nothing;
then everything in the session is ended. A server that ends by itself takes the rest of its session along, since
vLLM's engine is a process that may hang on alone. Only the standard library is used: this starts at once.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

POLL_S = 0.2
GRACE_S = 10.0
"""For a server to end by itself before it is killed."""
PR_SET_PDEATHSIG = 1


def guard(command: Sequence[str]) -> int:
    """Run the command until it ends or standard input does; returns its status."""
    for which in (signal.SIGTERM, signal.SIGINT):  # a run in the background of a shell is started deaf to SIGINT
        signal.signal(which, lambda *_: sys.exit(1))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent)  # noqa: PLW1509 - no threads here
    try:
        while child.poll() is None:
            readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
            if readable and not os.read(sys.stdin.fileno(), 1):
                break
    finally:
        end_session(child)
    return child.returncode


def end_session(child: "subprocess.Popen[bytes]") -> None:
    """End a process that leads a session, and everything in it."""
    deadline = time.monotonic() + GRACE_S
    _signal(child.pid, signal.SIGTERM)
    _signal(child.pid, signal.SIGCONT)  # one that has been stopped hears nothing before
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    _signal(child.pid, signal.SIGKILL)
    child.wait()


def _signal(group: int, which: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, which)


def _die_with_parent() -> None:
    """In the child: be ended when the guard itself is killed. Linux only; elsewhere the pipe has to do."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]))
