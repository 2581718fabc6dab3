"""What workers make of windows in tests: they import this module, as a user's workers import theirs."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.loader.window import Window


def ids(window: Window) -> tuple[int, str, int]:
    """Which window, and a number that no other pictures have."""
    return window.draw, window.event.event_id, int(sum(int(pixels.sum()) for pixels in window.pixels.values()))


def place(window: Window) -> tuple[int, int, int]:
    """Which draw, of which cell and length."""
    return window.draw, window.cell, window.n_tokens


def _first_time(folder: str, name: str) -> bool:
    try:
        (Path(folder) / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@dataclass(frozen=True)
class Sleepy:
    """The first worker that gets a certain draw sleeps over it and leaves its process id."""

    folder: str
    draw: int
    seconds: float

    def __call__(self, window: Window) -> tuple[int, str, int]:
        if window.draw == self.draw and _first_time(self.folder, "slept"):
            (Path(self.folder) / "pid").write_text(str(os.getpid()))
            time.sleep(self.seconds)
            (Path(self.folder) / "woke").touch()
        return ids(window)


WHOLE, WRONG, UNSENDABLE, DEADLY_ONCE, DEADLY = 1, 2, 3, 4, 5
"""Draws a `Moody` transform treats differently."""


@dataclass(frozen=True)
class Moody:
    """Does another thing for every draw."""

    folder: str

    def __call__(self, window: Window) -> Any:
        if window.draw == WHOLE:
            return window
        if window.draw == WRONG:
            raise ZeroDivisionError("a bug in the transform")
        if window.draw == UNSENDABLE:
            return lambda: window
        if window.draw == DEADLY or (window.draw == DEADLY_ONCE and _first_time(self.folder, "died")):
            os.kill(os.getpid(), 9)
        return ids(window)
