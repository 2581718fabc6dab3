"""Large blocks of memory go back to the system when they are freed.

glibc starts out so, and then learns from every large block that is freed to keep the next ones of that size: merging
the small files of one table leaves a process 120 MiB larger than it was, of which a quarter is in use, and the larger
a corpus the more such moments a run has (benchmarks/results/memory.txt). Told a size, it learns nothing more.
"""

from __future__ import annotations

import ctypes
import platform

LARGE_BYTES = 1 << 20
"""Pictures and buffers of files are larger; what is allocated a thousand times a second is not."""
M_MMAP_THRESHOLD = -3
"""As `malloc.h` has it."""


def give_back_large_blocks() -> bool:
    """Tell this process's allocator; False where it is not glibc's, which other systems do not need told."""
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES))
