"""In words: how a decoding process ended, and whose fault it was."""

import errno
import os
import signal
from collections.abc import Mapping
from typing import Any

from pipeline.errors import JoineryError, SourceError, StoreError
from pipeline.sandbox.confinement import Allowance
from pipeline.sandbox.nursery import Ended
from schemas.recipe_sandbox import GIB

_MIB = 1 << 20
_STORAGE = {errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ETIMEDOUT}
"""What a disk says, and no file."""
_ADVICE = "fetch it again, or leave it out; docs/security.md says what a decoder may do"


class DecoderDiedError(SourceError):
    """An item broke the process that read it, or wanted more than it may have."""


class KilledError(JoineryError):
    """A decoding process was killed from outside: no item's fault, or not surely."""


class ToldError(Exception):
    """An error inside a decoding process, by its name there."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def told_error(item: str, head: Mapping[str, Any], allowance: Allowance) -> Exception:
    """The error a decoder tells of."""
    if "unconfined" in head:
        return StoreError(
            f"run.sandbox.mode: required, and this machine cannot deny everything ({head['unconfined']}); install "
            "libseccomp and run a kernel with Landlock (Linux 5.13), or say `on`"
        )
    name, message = str(head.get("failed"))[:100], str(head.get("message"))
    error: Exception
    if head.get("memory"):
        limit = f"{allowance.memory_bytes / GIB:g} GiB of memory (run.sandbox.memory_gib)"
        error = DecoderDiedError(f"{item}: wants more than {limit}: {message or name}; {_ADVICE}")
    elif head.get("errno") in _STORAGE:
        error = OSError(head["errno"], message)
    elif name == SourceError.__name__:
        error = SourceError(message)
    else:
        error = ToldError(name, message)
    error.add_note("in the decoding process:\n" + str(head.get("traceback", "")))
    return error


def died(item: str, ended: Ended, allowance: Allowance, last_opened: str, wrong: str) -> JoineryError:
    """The error of a process that ended before it was done."""
    used = f"after {ended.wall_s:.1f} s ({ended.cpu_s:.1f} s of CPU time) with {ended.peak_bytes / _MIB:.0f} MiB"
    over = f", last opened {last_opened}" if last_opened else ""
    number = os.WTERMSIG(ended.status) if os.WIFSIGNALED(ended.status) else 0
    if wrong:
        what = f"the decoder misbehaved ({wrong}) and was ended"
    elif ended.why == "wall":
        what = f"exceeded {allowance.wall_s:g} s by the clock (4 × run.sandbox.seconds)"
    elif ended.why == "disk":
        what = f"exceeded {allowance.disk_bytes / GIB:g} GiB of temporary files (run.sandbox.disk_gib)"
    elif number == signal.SIGXCPU or (number == signal.SIGKILL and 0 < allowance.cpu_s <= ended.cpu_s):
        what = f"exceeded {allowance.cpu_s} s of CPU time (run.sandbox.seconds)"
    elif number == signal.SIGKILL:
        return KilledError(f"{item}: the decoder was killed from outside (SIGKILL) {used}{over}; is memory short?")
    elif number:
        what = f"the decoder died with {signal.Signals(number).name}"
    else:
        what = f"the decoder ended with status {os.waitstatus_to_exitcode(ended.status)} before it was done"
    return DecoderDiedError(f"{item}: {what} {used}{over}; {_ADVICE}")
