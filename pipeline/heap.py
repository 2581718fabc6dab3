"""Large blocks of memory go back to the system when they are freed, but for work that would ask for them at once again.

glibc learns from every large block that is freed to keep the next ones of that size. So merging the small files of one
table leaves a process 120 MiB larger than it was, of which a quarter is in use, and the larger a corpus the more such
moments a run has (benchmarks/results/memory.txt). Once told a size it learns nothing. What comes and goes a thousand
times is better kept: OpenCLIP on a processor takes a fifth longer without, decoding a tenth.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As `malloc.h` has them."""
GIVEN_BACK = (128 << 10, 1 << 20)
"""Free bytes at the end of the heap that are too many, and the size from which a block is the system's own."""
KEPT = (64 << 20, 32 << 20)
"""The most that glibc ever learns."""


def give_back_large_blocks() -> None:
    """From now on, in this process; nothing happens where the allocator is not glibc's."""
    _tell(GIVEN_BACK)


def keep_large_blocks() -> None:
    """From now on, in this process and those it forks: for one that asks for pictures again and again and soon ends."""
    _tell(KEPT)


@contextmanager
def large_blocks_kept() -> Iterator[None]:
    """Meanwhile; afterwards they are given back."""
    keep_large_blocks()
    try:
        yield
    finally:
        _tell(GIVEN_BACK)
        if _is_glibc():
            _libc().malloc_trim(ctypes.c_size_t(0))


def _tell(thresholds: tuple[int, int]) -> None:
    if _is_glibc():
        for what, n_bytes in zip((M_TRIM_THRESHOLD, M_MMAP_THRESHOLD), thresholds, strict=True):
            _libc().mallopt(what, n_bytes)


def _is_glibc() -> bool:
    return hasattr(_libc(), "mallopt")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)
