"""What the machine gives: memory, shared memory, open files, room on disks, threads."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from jobs.doctor.check import Check, broken, doubtful, well

SHARED = Path("/dev/shm")  # noqa: S108 - the kernel's own name; nothing is written there
FILES_WANTED = 4096
"""Ray keeps a few files per worker and object open, Lance one per fragment it reads."""
SHARED_SHARE = 0.25
"""Ray's object store takes 30 % of the memory, out of /dev/shm."""
ROOM_WANTED, ROOM_NEEDED = 20 << 30, 1 << 30
_GIB = 1 << 30


def machine(folders: dict[str, str]) -> Iterator[Check]:
    """The limits of this machine; ``folders`` are those that a run fills, by what they are for."""
    memory, cores = psutil.virtual_memory(), len(os.sched_getaffinity(0))
    yield well("memory", f"{memory.available / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free, {cores} cores")
    yield _open_files()
    yield _shared(memory.total)
    yield _threads(cores)
    for what, folder in sorted({"temporary files": tempfile.gettempdir(), **folders}.items()):
        yield _room(what, folder)


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= FILES_WANTED or soft == resource.RLIM_INFINITY:
        return well("open files", f"{soft:,} allowed")
    advice = f"ulimit -n {FILES_WANTED}" if hard >= FILES_WANTED else "raise nofile in /etc/security/limits.conf"
    return doubtful("open files", f"{soft:,} allowed", f"{FILES_WANTED:,}", advice)


def _shared(memory: int) -> Check:
    if not SHARED.is_dir():
        return well("shared memory", "no /dev/shm on this system")
    size = shutil.disk_usage(SHARED).total
    said = f"{size / _GIB:.1f} GiB in /dev/shm"
    if size >= SHARED_SHARE * memory:
        return well("shared memory", said)
    expected = f"{SHARED_SHARE * memory / _GIB:.1f} GiB, a quarter of the memory"
    advice = "docker run --shm-size, or a larger tmpfs: Ray's object store goes to disk where it does not fit"
    return doubtful("shared memory", said, expected, advice)


def _threads(cores: int) -> Check:
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > cores:
        advice = "export OMP_NUM_THREADS=1: workers are processes, and results do not depend on it"
        return doubtful("threads", f"OMP_NUM_THREADS={said}", f"no more than {cores} cores", advice)
    return well("threads", f"OMP_NUM_THREADS={said}" if said else "OMP_NUM_THREADS is not set; workers use one each")


def _room(what: str, folder: str) -> Check:
    there = next(path for path in (Path(folder), *Path(folder).parents) if path.exists())
    free, name = shutil.disk_usage(there).free, f"disk: {what}"
    said = f"{free / _GIB:.1f} GiB at {folder}"
    if free < ROOM_NEEDED:
        return broken(name, said, f"{ROOM_NEEDED / _GIB:.0f} GiB at least", "make room: a full disk ends a run")
    if free < ROOM_WANTED:
        advice = "make room; `joinery plan RECIPE` says how large the sources are, shards are of that order"
        return doubtful(name, said, f"{ROOM_WANTED / _GIB:.0f} GiB", advice)
    return well(name, said)
