"""A file system of a given size, in memory, to be filled and given room. Mounting takes root on Linux.

Elsewhere it is a plain folder, and nobody may fill it.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.faults.cluster import may_have_namespaces


class SmallDisk:
    """A tmpfs at a folder."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.mounted = folder, may_have_namespaces()
        if self.mounted:
            _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))

    def resize(self, size: int) -> None:
        self._must_be_mounted()
        _run("mount", "-o", f"remount,size={size}", str(self.folder))

    def fill(self) -> Path:
        """Write until nothing fits; the file that takes the room."""
        self._must_be_mounted()
        file = self.folder / "filled"
        with file.open("wb", buffering=0) as stream:
            try:
                while True:
                    stream.write(bytes(1 << 20))
            except OSError:
                return file

    def close(self) -> None:
        if self.mounted:
            _run("umount", "--lazy", str(self.folder))

    def _must_be_mounted(self) -> None:
        if not self.mounted:
            raise SystemExit("filling a disk needs root on Linux, so that it is a small one")


def shared_with_namespaces(folder: Path) -> Callable[[], None]:
    """Have nodes in namespaces of their own see what is mounted below the folder later; returns what undoes it.

    A namespace made by `ip netns exec` gets later mounts of those folders alone whose mounts are shared, and on some
    machines none is: a small disk would then be seen by the run and not by the nodes.
    """
    if not may_have_namespaces():
        return lambda: None
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "--bind", str(folder), str(folder))
    _run("mount", "--make-shared", str(folder))
    return lambda: _run("umount", "--lazy", str(folder))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
