"""What a moment needs much memory for is given back after it.

glibc learns from every large block that is freed to keep the next ones of that size. So merging the small files of one
table leaves a process 120 MiB larger than it was, of which a quarter is in use, and the larger a corpus the more such
moments a run has (benchmarks/results/memory.txt). For as long as it is told a size it learns nothing. Not for good, for
blocks that come and go a thousand times are better kept: OpenCLIP on a processor takes a fifth longer without.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As `malloc.h` has them."""
GIVEN_BACK = (128 << 10, 1 << 20)
"""Free bytes at the end of the heap that are too many, and the size from which a block is the system's own."""
KEPT = (64 << 20, 32 << 20)
"""The most that glibc ever learns."""


@contextmanager
def given_back() -> Iterator[None]:
    """Large blocks that are allocated and freed meanwhile are the system's again; nothing happens without glibc."""
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    allocator = ctypes.CDLL(None)
    _tell(allocator, GIVEN_BACK)
    try:
        yield
    finally:
        _tell(allocator, KEPT)
        allocator.malloc_trim(ctypes.c_size_t(0))


def _tell(allocator: ctypes.CDLL, thresholds: tuple[int, int]) -> None:
    for what, n_bytes in zip((M_TRIM_THRESHOLD, M_MMAP_THRESHOLD), thresholds, strict=True):
        allocator.mallopt(what, n_bytes)
