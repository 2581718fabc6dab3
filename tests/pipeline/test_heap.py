"""What is freed is given back, whatever was freed before."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from pipeline.heap import give_back_large_blocks, large_blocks_kept

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

c = ctypes.CDLL(None)
c.mallinfo2.restype, c.malloc.restype, c.free.argtypes = Info, ctypes.c_void_p, [ctypes.c_void_p]
c.malloc.argtypes = [ctypes.c_size_t]

def is_the_systems_own(mib):  # more than there was before, so that nothing kept will do
    before = c.mallinfo2().hblkhd
    block = c.malloc(mib << 20)
    own = c.mallinfo2().hblkhd - before >= mib << 20
    c.free(block)
    return own

c.free(c.malloc(24 << 20))
print(is_the_systems_own(4))
give_back_large_blocks()
print(is_the_systems_own(8))
with large_blocks_kept():
    print(is_the_systems_own(12))
print(is_the_systems_own(16))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc's allocator")
def test_a_large_block_is_the_systems_own_once_told_and_not_where_it_would_be_asked_for_again() -> None:
    """The first is what glibc does by itself."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "True", "False", "True"]
