"""Denying files: after `confine` a process reads code and the folders it is given, and writes to one folder alone.

Landlock is part of Linux since 5.13 and asks for no privilege. It also denies TCP (since 6.7) and signals to processes
outside (since 6.12); `pipeline.sandbox.syscalls` denies both on any kernel. The standard library has no binding: three
system calls, whose numbers are the same on every architecture.
"""

import ctypes
import errno
import os
from collections.abc import Iterable

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_O_PATH = getattr(os, "O_PATH", 0)

_READ = 1 << 2 | 1 << 3
"""Files and folders."""
_FILE_ONLY = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
"""What means something for a file: execute, write, read, truncate, ioctl."""
_ALL_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights on files a version of the interface knows."""
_NETWORK_FROM, _SCOPES_FROM = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Of the kernel's interface; 0 where there is none."""
    try:
        found = int(ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))
    except (OSError, AttributeError):
        return 0
    return max(found, 0)


def confine(readable: Iterable[str], writable: Iterable[str]) -> bool:
    """Deny this process, for ever, all files but these and what lies below; paths that are not there are passed over.

    False where the kernel has no Landlock. The process must have given up new privileges before. Raises OSError.
    """
    abi = version()
    if not abi:
        return False
    everything = (1 << _ALL_BY_ABI.get(abi, 16)) - 1
    libc = ctypes.CDLL(None, use_errno=True)
    rules = _Ruleset(everything, 0b11 if abi >= _NETWORK_FROM else 0, 0b11 if abi >= _SCOPES_FROM else 0)
    size = 8 if abi < _NETWORK_FROM else 16 if abi < _SCOPES_FROM else 24
    ruleset = _called(libc, _CREATE, ctypes.byref(rules), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path in readable:
            _allow(libc, ruleset, path, _READ)
        for path in writable:
            _allow(libc, ruleset, path, everything & ~1)
        _called(libc, _RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return True


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, _O_PATH | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES, errno.ENOTDIR):
            return
        raise
    try:
        rule = _Beneath(rights if os.path.isdir(path) else rights & _FILE_ONLY, place)
        _called(libc, _ADD, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(place)


def _called(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    done = int(libc.syscall(ctypes.c_long(number), *arguments))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"landlock system call {number}: {os.strerror(code)}")
    return done
