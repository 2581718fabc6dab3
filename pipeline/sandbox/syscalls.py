"""Denying system calls: sockets, other processes, and what changes files without opening them.

libseccomp writes the filter, which lies on nearly every Linux (package managers and systemd need it) and knows the
numbers of calls on every architecture. What is denied answers EPERM, so that a library that asks for too much fails
with an error it may handle, and not by a signal. It is a list of what is denied, not of what is allowed: decoders are
many and change; the kernel's other attack surface remains (docs/security.md).
"""

import ctypes
import os
from functools import cache

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EPERM, _ENOSYS = 1, 38
_NE, _MASKED_EQ = 1, 7
_CLONE_THREAD = 0x00010000

SOCKETS = ("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmmsg")
OTHERS = (
    "fork", "vfork", "execve", "execveat", "kill", "tkill", "ptrace", "process_vm_readv", "process_vm_writev",
    "process_madvise", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    "kcmp", "setpriority", "sched_setaffinity",
)  # fmt: skip
"""To start other processes, or to reach those there are."""
METADATA = (
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes",
    "utimensat", "futimesat", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
)  # fmt: skip
"""What Landlock lets pass."""
KERNEL = (
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd", "keyctl",
    "add_key", "request_key", "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsmount", "pivot_root",
    "chroot", "unshare", "setns", "init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon",
    "swapoff", "sethostname", "setdomainname", "settimeofday", "clock_settime", "adjtimex", "iopl", "ioperm",
    "quotactl", "acct", "syslog", "open_by_handle_at", "personality", "mbind", "migrate_pages", "move_pages",
)  # fmt: skip
"""No decoder needs them, and each has been a way out."""


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


@cache
def _library() -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_init.argtypes = (ctypes.c_uint32,)
    found.seccomp_release.argtypes = (ctypes.c_void_p,)
    found.seccomp_load.argtypes = (ctypes.c_void_p,)
    found.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    add = found.seccomp_rule_add_array
    add.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Compare))
    return found


def is_here() -> bool:
    """Whether libseccomp is on this machine."""
    return _library() is not None


def confine() -> bool:
    """Deny this process and its threads the calls above, for ever; threads are all it may start.

    False without libseccomp. The process must have given up new privileges before. Raises OSError.
    """
    library = _library()
    if library is None:
        return False
    filtered = library.seccomp_init(_ALLOW)
    if not filtered:
        raise OSError("libseccomp: no memory for a filter")
    try:
        for name in (*SOCKETS, *OTHERS, *METADATA, *KERNEL):
            _deny(library, filtered, name, _EPERM)
        _deny(library, filtered, "clone", _EPERM, _Compare(0, _MASKED_EQ, _CLONE_THREAD, 0))
        _deny(library, filtered, "clone3", _ENOSYS)  # its flags cannot be looked at; callers fall back to clone
        _deny(library, filtered, "tgkill", _EPERM, _Compare(0, _NE, os.getpid(), 0))  # abort() is a signal to oneself
        _deny(library, filtered, "prlimit64", _EPERM, _Compare(0, _NE, 0, 0))
        if (failed := library.seccomp_load(filtered)) != 0:
            raise OSError(-failed, f"libseccomp: the filter is not taken: {os.strerror(-failed)}")
    finally:
        library.seccomp_release(filtered)
    return True


def _deny(library: ctypes.CDLL, filtered: int, name: str, answer: int, *where: _Compare) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # not on this architecture, or younger than the library
    conditions = (_Compare * len(where))(*where) if where else None
    failed = library.seccomp_rule_add_array(filtered, _ERRNO | answer, number, len(where), conditions)
    if failed != 0:
        raise OSError(-failed, f"libseccomp: no rule for {name}: {os.strerror(-failed)}")
