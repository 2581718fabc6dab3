"""A control group with a limit of memory, for the nodes of a cluster and a stranger who takes what they have.

Version 1, as root on Linux; elsewhere there is none, and nobody is limited.
"""

import contextlib
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

HIERARCHY = Path("/sys/fs/cgroup/memory")


class MemoryGroup:
    """Below the group this process is in."""

    def __init__(self, name: str, n_bytes: int) -> None:
        self._group = None
        with contextlib.suppress(OSError, StopIteration):
            lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
            own = next(path for _, kind, path in (line.split(":", 2) for line in lines) if kind == "memory")
            group = HIERARCHY / own.lstrip("/") / name
            group.mkdir()
            self._group = group
            (group / "memory.limit_in_bytes").write_text(str(n_bytes))

    @property
    def exists(self) -> bool:
        return self._group is not None

    @property
    def entering(self) -> tuple[str, ...]:
        """Words before a command that has to be in the group."""
        if self._group is None:
            return ()
        return ("sh", "-c", f'echo $$ > {self._group}/cgroup.procs && exec "$@"', "sh")

    @property
    def kills(self) -> int:
        """How many processes the kernel has killed for memory in it."""
        assert self._group is not None
        lines = (self._group / "memory.oom_control").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def close(self) -> None:
        """Whoever is left in it is ended."""
        for _ in range(100 if self._group else 0):
            assert self._group is not None
            for number in (self._group / "cgroup.procs").read_text().split():
                with contextlib.suppress(psutil.NoSuchProcess):
                    psutil.Process(int(number)).kill()
            with contextlib.suppress(OSError):
                self._group.rmdir()
                return
            time.sleep(0.1)
