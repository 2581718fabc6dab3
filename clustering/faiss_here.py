"""faiss with kernels for the machine it runs on. Import it from here: ``from clustering.faiss_here import faiss``.

The OpenBLAS in faiss's wheels is of 2021 and takes a CPU that it does not know for one of 2004, without AVX (OpenBLAS
issue 4267): k-means is three to four times slower then. NumPy's is newer and knows what is here, so faiss's is told.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np  # noqa: F401 - loads the OpenBLAS that is asked
from threadpoolctl import threadpool_info

_VARIABLE = "OPENBLAS_CORETYPE"
_NEAREST = {
    "Haswell": "Haswell",
    "Zen": "Zen",
    "SkylakeX": "SkylakeX",
    "Cooperlake": "SkylakeX",
    "SapphireRapids": "SkylakeX",
}
"""The newest set of kernels that the old OpenBLAS has for what the new one finds; others it finds by itself."""


@contextmanager
def _told() -> Iterator[None]:
    """OpenBLAS reads the variable when it is loaded, and there is no other way to tell it. Nobody inherits it."""
    found = [_NEAREST.get(library.get("architecture", "")) for library in threadpool_info()]
    kernels = next(filter(None, found), None)
    if kernels is None or _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = kernels
    try:
        yield
    finally:
        del os.environ[_VARIABLE]


with _told():
    import faiss

__all__ = ["faiss"]
