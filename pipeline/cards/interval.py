"""A rate from so many of so many, and how sure it is: Wilson's interval, which holds for few and for none."""

import math
from dataclasses import dataclass

Z = 1.959963984540054
"""For 95 %."""


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval."""

    n: int
    of: int
    rate: float
    low: float
    high: float


def rate_of(n: int, of: int) -> Rate | None:
    """None where nothing was looked at: then nothing is known."""
    if of == 0:
        return None
    share, spread = n / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / of + spread / (4 * of))
    return Rate(n, of, share, 0.0 if n == 0 else middle - half, 1.0 if n == of else middle + half)
