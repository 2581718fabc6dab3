"""What is freed is given back, whatever was freed before."""

import subprocess
import sys

import pytest

from jobs.heap import give_back_large_blocks

PROGRAM = """
import ctypes
from jobs.heap import give_back_large_blocks

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

c = ctypes.CDLL(None)
c.mallinfo2.restype, c.malloc.restype, c.free.argtypes = Info, ctypes.c_void_p, [ctypes.c_void_p]
c.malloc.argtypes = [ctypes.c_size_t]
if {told}:
    give_back_large_blocks()
c.free(c.malloc(16 << 20))
before = c.mallinfo2().hblkhd
c.malloc(4 << 20)
print(c.mallinfo2().hblkhd - before >= 4 << 20)
"""


@pytest.mark.skipif(not give_back_large_blocks(), reason="not glibc's allocator")
@pytest.mark.parametrize("told", [True, False])
def test_a_large_block_is_the_systems_also_after_a_larger_one_was_freed(told: bool) -> None:
    """False shows what would happen otherwise, and that the test can tell."""
    program = PROGRAM.replace("{told}", str(told))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(told)
