"""What a reader found beside what our loader reads: counts of what was compared, and of what differs."""

import sys
from collections import Counter

import numpy as np

from pipeline.loader.decode import Pixels
from schemas.array import Floats


class Differences:
    """Counts by name; anything under `wrong` fails the run."""

    def __init__(self, title: str) -> None:
        self._title = title
        self.compared: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.lowest: dict[str, float] = {}
        self.largest: dict[str, float] = {}

    def check(self, name: str, right: bool) -> None:
        """One comparison of a kind."""
        self.compared[name] += 1
        self.wrong[name] += not right

    def numbers(self, name: str, found: Floats, expected: Floats) -> None:
        """Numbers of the same shape, equal to the bit or not; keeps the largest difference."""
        same = found.shape == expected.shape
        self.check(name, same and bool(np.array_equal(found, expected, equal_nan=True)))
        if same and found.size:
            off = float(np.nanmax(np.abs(found.astype(np.float64) - expected.astype(np.float64)), initial=0.0))
            self.largest[name] = max(off, self.largest.get(name, 0.0))

    def at_least(self, name: str, value: float) -> None:
        self.lowest[name] = min(value, self.lowest.get(name, float("inf")))

    def report(self) -> None:
        """One line; exits with 1 when anything differs or nothing was compared."""
        parts = [f"{name} {n - self.wrong[name]}/{n}" for name, n in self.compared.items()]
        parts += [f"{name} ≥ {value:.1f} dB" for name, value in self.lowest.items()]
        parts += [f"{name} off by ≤ {value:.2g}" for name, value in self.largest.items() if value]
        print(f"{self._title}: {'; '.join(parts)}", flush=True)
        if self.wrong.total() or not self.compared:
            print(f"{self._title}: NOT as our loader reads it", flush=True)
            sys.exit(1)


def psnr(found: Pixels, expected: Pixels) -> float:
    """Of two pictures, in dB; 99 when they are the same."""
    if np.array_equal(found, expected):
        return 99.0
    error = float(np.mean((found.astype(np.float32) - expected) ** 2))
    return 10 * float(np.log10(255**2 / error))


def is_the_frame(found: Pixels, frames: Pixels, at: int, own: float) -> bool:
    """Whether no neighbour of frame ``at`` looks more like what was found than the frame itself does (``own`` dB)."""
    near = (i for i in (at - 1, at + 1) if 0 <= i < len(frames))
    return own == 99.0 or all(own >= psnr(found, frames[i]) for i in near)
