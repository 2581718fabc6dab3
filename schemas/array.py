"""How a record says what an array is: dtype and shape, next to the field, readable by people and code.

Usage: ``position: Annotated[Floats, ArraySpec("float32", "T", 3)]``. A string dimension is free and
names the axis; only the first dimension may be free, so that the flat Arrow list can be reshaped.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Ints: TypeAlias = NDArray[np.integer[Any]]
Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class ArraySpec:
    """dtype and shape of an array field; ``dims`` mixes axis names (free) and fixed sizes."""

    dtype: str
    dims: tuple[str | int, ...]

    def __init__(self, dtype: str, *dims: str | int) -> None:
        if any(isinstance(dim, str) for dim in dims[1:]):
            raise TypeError(f"only the first dimension may be free, found {dims}")
        object.__setattr__(self, "dtype", dtype)
        object.__setattr__(self, "dims", dims)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape with -1 for the free axis, ready for ``reshape``."""
        return tuple(-1 if isinstance(dim, str) else dim for dim in self.dims)

    def check(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """The value as a C-contiguous array of this dtype.

        Raises ValueError naming the field on a wrong shape, and on numbers the dtype cannot hold: a float is never
        taken for an integer and no integer wraps around. Floats may lose precision, as declared.
        """
        given = np.asarray(value)
        expected = self.shape
        fits = given.ndim == len(expected) and all(e in (-1, n) for e, n in zip(expected, given.shape, strict=True))
        if not fits:
            raise ValueError(f"{name}: found shape {given.shape}, expected {self.dims}")
        whole = np.dtype(self.dtype).kind in "iub"
        if whole and given.size and given.dtype.kind not in "iub":
            raise ValueError(f"{name}: found {given.dtype} values, expected {self.dtype}")
        array = np.ascontiguousarray(given, dtype=self.dtype)
        if whole and not np.array_equal(array, given):
            raise ValueError(f"{name}: found values from {given.min()} to {given.max()}, expected {self.dtype}")
        return array
