"""What is freed is given back, whatever was freed before."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes
from contextlib import nullcontext
from jobs.heap import given_back

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]

c = ctypes.CDLL(None)
c.mallinfo2.restype, c.malloc.restype, c.free.argtypes = Info, ctypes.c_void_p, [ctypes.c_void_p]
c.malloc.argtypes = [ctypes.c_size_t]

def is_the_systems_own():
    before = c.mallinfo2().hblkhd
    block = c.malloc(4 << 20)
    own = c.mallinfo2().hblkhd - before >= 4 << 20
    c.free(block)
    return own

c.free(c.malloc(16 << 20))
with {within}:
    print(is_the_systems_own())
print(is_the_systems_own())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc's allocator")
@pytest.mark.parametrize(("within", "own"), [("given_back()", "True"), ("nullcontext()", "False")])
def test_a_large_block_is_the_systems_own_meanwhile_and_kept_afterwards(within: str, own: str) -> None:
    """The second shows what glibc does by itself, and that the test can tell."""
    program = PROGRAM.replace("{within}", within)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == [own, "False"]
