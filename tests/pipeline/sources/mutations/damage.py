"""What was done to a source, and what hostile things a spoilt file may point at.

Changes are functions from a path (or its bytes) and a seeded generator. They look at the environment's
``FUZZ_CANARY``: a folder beside the source, full of files of every kind that no reader has any business opening.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NUMBERS: tuple[Any, ...] = (
    -1,
    0,
    1,
    2**31,
    -(2**31),
    2**63 - 1,
    2**64,
    2**70,
    10**400,
    1e308,
    -1e308,
    5e-324,
    0.5,
    float("nan"),
    float("inf"),
)
HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
FILLED = "canary-7341"
"""Text that every canary holds."""

FileChange = Callable[[Path, random.Random], str | None]
"""Spoils a file in place. Returns what within the file is concerned, such as ``/data/demo_0``; None when all of it."""
ByteChange = Callable[[bytes, random.Random], bytes]


@dataclass(frozen=True)
class Damage:
    """One change."""

    how: str
    file: str | None
    """Below the source's root; None when all files are as they were and something was put beside them."""
    inside: str | None = None


class Marker:
    """Unpickling it leaves a file behind."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


def canary(name: str = "") -> Path:
    """A file outside every source, or the folder of all of them."""
    return Path(os.environ["FUZZ_CANARY"]) / name


def names(rng: random.Random) -> str:
    """A name that leads out of the folder, or is none."""
    return rng.choice(
        (
            "../../../../etc/passwd",
            "/etc/passwd",
            str(canary("a.mp4")),
            "../canary/a.mp4",
            "..",
            ".",
            "",
            "a" * 5000,
            "\x00",
            "a\nb",
            "\udcff",
            "/dev/zero",
            "file:///etc/passwd",
            "s3://bucket/key",
            "http://127.0.0.1:9/x",
            "%s%n",
            "{0.__class__}",
        )
    )
