"""Who is at work in a workspace: runs beside each other may be, whoever removes something must be alone.

Whoever begins puts a small file into ``at_work/`` and then looks who else is there. Two that begin at the same moment
both see the other, so at most one goes on, on a local disk and on an object store alike. A file whose process is dead
(SIGKILL) counts for nothing on the machine it was on; from another machine nobody can tell, so a person decides.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from pipeline.blobs import Blobs, in_a_hurry
from pipeline.errors import StoreError, UnreachableError
from pipeline.shards.json_text import pretty

FOLDER = "at_work"


class Deed(StrEnum):
    """What somebody is doing."""

    RUN = "run"
    FORGET = "forget"
    GC = "gc"
    UPGRADE = "upgrade"
    BACKUP = "backup"


BESIDE = {Deed.RUN: {Deed.RUN, Deed.BACKUP}, Deed.BACKUP: {Deed.RUN, Deed.BACKUP}}
"""Whom these may meet: they only add files or read them. All others remove or rewrite, so they meet nobody."""


@contextmanager
def at_work(blobs: Blobs, deed: Deed) -> Iterator[None]:
    """Be at work for as long as the block lasts. Raises StoreError when somebody is whom this must not meet."""
    own = f"{FOLDER}/{deed}-{uuid.uuid4().hex}.json"
    here = {"deed": str(deed), "host": socket.gethostname(), "pid": os.getpid(), "began": _began(os.getpid())}
    blobs.put_bytes(own, pretty(here).encode())
    try:
        if blobs.bucket is not None:
            blobs.bucket.check_conditions(own)
        _check_alone(blobs, deed, own)
        yield
    except UnreachableError:
        with suppress(UnreachableError):
            Blobs(blobs.url, in_a_hurry(blobs.storage)).remove(own)
        raise
    except BaseException:
        blobs.remove(own)
        raise
    blobs.remove(own)


def _check_alone(blobs: Blobs, deed: Deed, own: str) -> None:
    for path in blobs.list(FOLDER):
        if path == own:
            continue
        try:
            other = json.loads(blobs.read(path))
            theirs, host, pid = Deed(other["deed"]), str(other["host"]), int(other["pid"])
        except FileNotFoundError:  # it has just ended
            continue
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{blobs.url}/{path}: does not say who is at work; remove it if nobody is") from error
        here = host == socket.gethostname()
        if here and _began(pid) != other.get("began"):
            blobs.remove(path)
        elif theirs not in BESIDE.get(deed, ()):
            away = "" if here else f", or remove {blobs.url}/{path} if that process is gone"
            raise StoreError(
                f"{blobs.url}: `joinery {theirs}` is at work there (process {pid} on {host}) and `joinery {deed}` must "
                f"not meet it; wait until it has ended{away}"
            )


def _began(pid: int) -> str:
    """When a process of this machine began, in the kernel's words; empty when there is none.

    Numbers of processes are used again, so the number alone would take a stranger for the one that died.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "unknown"
    return "" if Path("/proc/self/stat").exists() else "unknown"
