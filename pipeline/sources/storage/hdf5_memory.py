"""A bound on what the HDF5 library may allocate while it reads texts and sequences of any length.

Their lengths stand in the file, up to 4 GiB each, and the library clears a buffer of that size before it looks at the
data; no call tells the length beforehand. So the process's own limit is lowered for the moment of the read, and the
library reports that it has no memory. Elsewhere than on Linux there is no such limit and nothing is bounded.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

_ALLOWANCE_BYTES = 1 << 30
"""Beyond what the process has. Generous, because other threads live under the limit meanwhile."""
_ONE_AT_A_TIME = Lock()


@contextmanager
def bounded_memory() -> Iterator[None]:
    """Inside, the process cannot grow by more than 1 GiB."""
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415  not on Windows

    with _ONE_AT_A_TIME:
        has = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        tighter = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_DATA, (min([has + _ALLOWANCE_BYTES, *tighter]), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
