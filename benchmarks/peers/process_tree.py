"""What a reader and its workers take, as the kernel counts it: CPU seconds and memory.

``getrusage`` would report what the parent held before ``exec`` and leave out workers that still run, and the resident
sets of workers count shared pages once each. So: CPU seconds of every process of the tree, the high-water mark of one
process from its own ``status``, and of a process with workers the sum of proportional set sizes.
"""

import os
from pathlib import Path

_PROC = Path("/proc")
_GONE = (FileNotFoundError, ProcessLookupError)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def peak_rss_mib() -> float:
    """High-water mark of this process's resident set since it was started."""
    return _field(_PROC / "self" / "status", "VmHWM") / 1024


def pss_mib() -> float:
    """Proportional set size of this process and all its descendants, now: every page counted once."""
    return sum(_pss_kib(pid) for pid in descendants(os.getpid())) / 1024


def cpu_s() -> float:
    """User and system seconds of this process and its living descendants so far."""
    return sum(_cpu_ticks(pid) for pid in descendants(os.getpid())) / _TICKS_PER_S


def descendants(pid: int) -> list[int]:
    """``pid`` and the processes below it that are still there."""
    found, queue = [], [pid]
    while queue:
        parent = queue.pop()
        found.append(parent)
        try:
            tasks = list((_PROC / str(parent) / "task").iterdir())
            queue += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except _GONE:
            continue
    return found


def _pss_kib(pid: int) -> int:
    try:
        return _field(_PROC / str(pid) / "smaps_rollup", "Pss")
    except _GONE:
        return 0


def _cpu_ticks(pid: int) -> int:
    try:
        after_name = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except _GONE:
        return 0
    return int(after_name[11]) + int(after_name[12])  # utime and stime, fields 14 and 15 of proc(5)


def _field(path: Path, name: str) -> int:
    """A field of ``status`` or ``smaps_rollup``, in KiB."""
    for line in path.read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0])
    raise KeyError(f"{path}: no field {name}")
