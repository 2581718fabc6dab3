"""Everything a process gives up before it opens a file it does not trust, in order.

Each step holds without the others: limits on what it may use, no way to regain privileges, no capabilities even for
root, no files but code (Landlock), no network and no other process (seccomp).
"""

import ctypes
import os
import resource
import signal
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.sandbox import landlock, syscalls

_PDEATHSIG, _NO_NEW_PRIVS = 1, 38
_GRACE_CPU_S = 5
"""Between the signal that says what happened and the one that cannot be ignored."""
_OPEN_FILES = 512
_CAPABILITY_VERSION = 0x20080522
FILES, NETWORK = "Landlock (files)", "libseccomp (network, processes)"
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom", "/dev/random", "/dev/zero",
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
)  # fmt: skip


@dataclass(frozen=True)
class Allowance:
    """What one item may use."""

    memory_bytes: int
    cpu_s: int
    """0: as much as it wants; the clock alone ends it."""
    wall_s: float
    disk_bytes: int
    required: bool = False
    """Whether to refuse the item where the kernel cannot deny files and network."""


class UnconfinedError(Exception):
    """The kernel cannot deny what the recipe requires to be denied."""


def missing_here() -> list[str]:
    """What this machine cannot deny."""
    found = [] if landlock.version() else [FILES]
    return found if syscalls.is_here() else [*found, NETWORK]


def dies_with(parent: int) -> None:
    """Have this process killed when its parent is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def confine(allowance: Allowance, folder: str, code: Sequence[str]) -> None:
    """Give it all up, for ever. ``folder`` is where temporary files go, ``code`` what may be read (`readable`).

    Raises UnconfinedError where something is required and the kernel does not have it, and OSError.
    """
    _limit(allowance)
    if sys.platform != "linux":
        if allowance.required:
            raise UnconfinedError(sys.platform)
        return
    if ctypes.CDLL(None).prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise UnconfinedError("no_new_privs")
    _drop_capabilities()
    held = {FILES: landlock.confine(code, (folder, "/dev/null")), NETWORK: syscalls.confine()}
    if allowance.required and not all(held.values()):
        raise UnconfinedError(", ".join(name for name, done in held.items() if not done))


def readable() -> list[str]:
    """Code, and what libraries ask the system about itself. Not the working directory, though it may be on the path."""
    paths = sysconfig.get_paths()
    code = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {f"{sys.base_prefix}/lib"}
    for name, module in list(sys.modules.items()):
        if "." not in name and (file := getattr(module, "__file__", None)):
            code.add(str(Path(file).parent if getattr(module, "__path__", None) else file))
    return [*_SYSTEM, *sorted(code)]


def _limit(allowance: Allowance) -> None:
    _at_most(resource.RLIMIT_CORE, 0)
    _at_most(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _at_most(resource.RLIMIT_FSIZE, allowance.disk_bytes)
    _at_most(resource.RLIMIT_AS, _address_space() + allowance.memory_bytes)
    if allowance.cpu_s:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        later = allowance.cpu_s + _GRACE_CPU_S
        hard = later if hard == resource.RLIM_INFINITY else min(hard, later)
        resource.setrlimit(resource.RLIMIT_CPU, (min(allowance.cpu_s, hard), hard))


def _at_most(kind: int, limit: int) -> None:
    """Lowers a limit, never raises one."""
    _, hard = resource.getrlimit(kind)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _address_space() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _drop_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(header), ctypes.byref(none)) != 0:
        raise OSError(ctypes.get_errno(), "capset")
