"""Folders for what decoding writes meanwhile, removed also when nobody was left to remove them.

A worker that is killed takes its nursery along, and the folder of the item stays, with whatever an archive was
unpacked to in it. So every folder is locked by whoever uses it; the kernel opens the lock when those processes end,
however they end; and the next nursery on the machine removes what is not locked. Process ids would not do:
containers that share a folder for temporary files do not see each other's.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "joinery-decoding-"
"""Folders of versions that locked none were called otherwise."""


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A new folder, removed at the end."""
    folder, lock = _locked()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_left() -> int:
    """Remove this user's folders that nobody uses any more, and say how many there were."""
    n = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # gone meanwhile, or another user's
            continue
        try:
            if os.fstat(lock).st_uid == os.getuid() and _free(lock):
                shutil.rmtree(folder, ignore_errors=True)
                n += 1
        finally:
            os.close(lock)
    return n


def _locked() -> tuple[str, int]:
    while True:
        folder = tempfile.mkdtemp(prefix=PREFIX)
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # somebody removed it before it was locked
            continue
        with suppress(OSError):  # a file system that locks nothing; nobody gets a lock there, so nobody removes it
            fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(folder):
            return folder, lock
        os.close(lock)


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
