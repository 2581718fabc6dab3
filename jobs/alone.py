"""One batch in a process of its own, so that whatever kills it kills nothing else, and whoever asked learns why.

Where a worker has died again and again, Ray says that it died and no more. Here a parent stands beside the process:
it knows the signal, has the stack that Python's fault handler wrote on the way down, and ends the process before it
takes a machine's memory from everybody else. ``python -m jobs.alone FOLDER`` is the process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import psutil

from pipeline.errors import JoineryError

if TYPE_CHECKING:
    from pipeline.attempt import Attempt

POLL_S = 0.05
MEMORY_SHARE = 0.5
"""What one process may take of a machine's memory before that is its own fault and nobody else's."""
SAID_BYTES = 16 << 10
PR_SET_PDEATHSIG = 1
A_BUG = 70
"""The exit status of a process that ended with an exception of ours: no death, and no item's fault."""
FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGBUS}
"""What a decoder does not do to itself. The kernel sends SIGKILL when memory, SIGBUS when a file system runs out."""
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Death:
    """How a process ended that did not live to give an answer."""

    how: str
    """E.g. ``killed by SIGSEGV``."""
    own_doing: bool
    """Whether what it worked on did that, as far as can be told; not so when it was killed from outside."""
    said: str = ""
    """The end of what it wrote: the stack it died with, if it came to that."""
    peak_bytes: int = 0


def run_alone(batch: bytes, memory_bytes: int | None = None) -> Attempt | JoineryError | Death:
    """Do a pickled batch in a process of its own. ``memory_bytes``: what it may take, default half the machine's."""
    allowed = memory_bytes or int(machine_bytes() * MEMORY_SHARE)
    with tempfile.TemporaryDirectory(prefix="joinery-alone-") as folder:
        Path(folder, "batch").write_bytes(batch)
        command = [sys.executable, "-P", "-X", "faulthandler", "-m", "jobs.alone", folder]
        # Modules are found where this process finds them: Ray adds folders to a worker's path that a child lacks.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with Path(folder, "said").open("wb") as said:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            peak = _watch(process, allowed)
        text = Path(folder, "said").read_bytes()[-SAID_BYTES:].decode("utf-8", "replace")
        result = Path(folder, "result")
        if process.returncode == 0 and result.exists():
            answer: Attempt | JoineryError = cloudpickle.loads(result.read_bytes())
            return answer
    if process.returncode == A_BUG:
        return JoineryError(f"a worker raised what it should have caught:\n{text}")
    return _death(process.returncode, peak, allowed, text)


def _watch(process: subprocess.Popen[bytes], allowed: int) -> int:
    """Wait for the process and end it when it takes more than it may; returns the most it took."""
    peak = 0
    try:
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)
            if peak > allowed:
                process.kill()
            time.sleep(POLL_S)
    finally:
        process.kill()
        process.wait()
    return peak


def _death(status: int, peak: int, allowed: int, said: str) -> Death:
    if peak > allowed:
        taken = f"{peak / 2**30:.1f} GiB, more than the {allowed / 2**30:.1f} that one process may have of this machine"
        return Death(f"out of memory: it took {taken}", own_doing=True, said=said, peak_bytes=peak)
    if status < 0:
        number = signal.Signals(-status)
        return Death(f"killed by {number.name}", own_doing=number not in FROM_OUTSIDE, said=said, peak_bytes=peak)
    return Death(f"ended by itself with status {status}", own_doing=True, said=said, peak_bytes=peak)


def machine_bytes() -> int:
    """The memory of this machine, or what a container or a batch system allows this process of it."""
    total = int(psutil.virtual_memory().total)
    for file in _limits():
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            total = min(total, int(file.read_text(encoding="ascii")))
    return total


def _limits() -> Iterator[Path]:
    """Files with the limits of the control groups this process is in; a container sees its own as the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root, name = (CGROUPS, "memory.max") if not controllers else (CGROUPS / "memory", "memory.limit_in_bytes")
            group = root / path.lstrip("/")
            yield from (folder / name for folder in (group, *group.parents) if folder.is_relative_to(root))


def main(folder: str) -> None:
    """In the process: do the batch, leave the answer. What stops a run, such as a full disk, is an answer too."""
    batch = cloudpickle.loads(Path(folder, "batch").read_bytes())
    from jobs.worker import run_batch  # noqa: PLC0415 - takes seconds to load, and the parent has no need of it

    result: Attempt | JoineryError
    try:
        result = run_batch(batch)
    except JoineryError as error:
        result = error
    unfinished = Path(folder, "unfinished")
    unfinished.write_bytes(cloudpickle.dumps(result))
    unfinished.rename(Path(folder, "result"))


def _die_with_parent() -> None:
    """Be ended when the worker that waits for this is. Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _die_with_parent()
    try:
        main(sys.argv[1])
    except Exception:  # noqa: BLE001 - told apart from a death by its status
        traceback.print_exc()
        sys.exit(A_BUG)
