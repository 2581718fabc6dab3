"""Listing a folder on this machine that a stranger made: links, loops, pipes and names that are none.

A link to the folder it lies in makes a tree without end, two of them one that no machine lists; a link to ``/`` lists
the whole machine; a pipe never answers who opens it. So every real folder is listed once, under its own name where it
has one, and what is passed over is told with its reason.
"""

import os
import stat
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

_OUTSIDE = (
    "what it links to lies outside the source's folder; if the link is your own, say `follow_links: true` in the recipe"
)


class Found(NamedTuple):
    """One entry of the tree, below the root."""

    path: str
    size: int
    mtime_ns: int
    passed_over: str | None
    """Why it is not used; None for a file."""


def walk(root: str, folder: str, *, recursive: bool, follow_links: bool) -> Iterator[Found]:
    """The files below ``folder`` of ``root``, real folders before linked ones, and what is no file.

    Nothing where there is no such folder.
    """
    inside = os.path.realpath(root).rstrip("/") + "/"
    seen: set[str] = set()
    waiting, linked = deque([folder]), deque[str]()
    while waiting or linked:
        here = waiting.popleft() if waiting else linked.popleft()
        real = os.path.realpath(os.path.join(root, here))
        if real in seen:
            continue
        seen.add(real)
        entries = _entries(os.path.join(root, here))
        if isinstance(entries, PermissionError):
            yield Found(here, 0, 0, f"it cannot be listed ({entries.strerror}); let this user read it or remove it")
            continue
        for name, entry in entries:
            path = f"{here}/{name}" if here else name
            if not _is_storable(path):
                yield Found(ascii(path), 0, 0, "its name is no UTF-8 and could be stored nowhere; rename it")
                continue
            try:
                about = entry.stat()
            except OSError as error:
                yield Found(path, 0, 0, f"it leads nowhere ({error.strerror}); complete the download or remove it")
                continue
            outside = entry.is_symlink() and not (os.path.realpath(entry.path) + "/").startswith(inside)
            if outside and not follow_links:
                yield Found(path, 0, 0, _OUTSIDE)
            elif stat.S_ISREG(about.st_mode):
                yield Found(path, about.st_size, about.st_mtime_ns, None)
            elif not stat.S_ISDIR(about.st_mode):
                yield Found(path, 0, 0, "it is a pipe, a socket or a device; remove it")
            elif not recursive:
                continue
            elif not entry.is_symlink():
                waiting.append(path)
            else:
                linked.append(path)


def _entries(folder: str) -> 'list[tuple[str, "os.DirEntry[str]"]] | PermissionError':
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        return error


def _is_storable(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
