"""Progress of a run, for whoever is watching: a live table on a terminal, plain lines in a log, JSON for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

REFRESHES_PER_SECOND = 4


@dataclass
class StageProgress:
    """One stage's line. Mutable: it is the state of a display."""

    stage: str
    total: int = 0
    cached: int = 0
    done: int = 0
    quarantined: int = 0
    """Items of this stage in quarantine, from this run or an earlier one."""
    seconds: float = 0.0
    running: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> int:
        return max(0, self.total - self.cached - self.done - self.quarantined)

    @property
    def rate(self) -> float:
        """Items per second in this run."""
        elapsed = time.monotonic() - self.started if self.running else self.seconds
        return self.done / elapsed if elapsed > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        return self.left / self.rate if self.rate > 0 else None


class Reporter(Protocol):
    """Receives every change of a stage's line."""

    def update(self, progress: StageProgress) -> None:
        """A stage started, advanced or finished."""

    def close(self) -> None:
        """The run is over."""


class LiveReporter:
    """One line per stage, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._lines: dict[str, StageProgress] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=REFRESHES_PER_SECOND)
        self._live.start()

    def update(self, progress: StageProgress) -> None:
        self._lines[progress.stage] = progress

    def close(self) -> None:
        self._live.stop()

    def _table(self) -> Table:
        return progress_table(list(self._lines.values()))


class LineReporter:
    """One line when a stage ends: what a log wants."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def update(self, progress: StageProgress) -> None:
        if not progress.running:
            self._write(
                f"{progress.stage:<10} {progress.total:>7} items  {progress.cached:>7} cached  {progress.done:>7} done"
                f"  {progress.quarantined:>4} quarantined  {progress.seconds:>7.1f} s"
            )

    def close(self) -> None:
        """Lines are already written."""


class JsonReporter:
    """One JSON object per change, one per line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, progress: StageProgress) -> None:
        fields = ("stage", "total", "cached", "done", "quarantined", "running")
        line = {name: getattr(progress, name) for name in fields} | {"seconds": round(progress.seconds, 3)}
        self._stream.write(json.dumps({"event": "stage", **line}) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Lines are already written."""


def progress_table(lines: list[StageProgress]) -> Table:
    """The table `LiveReporter` draws and ``joinery status`` prints."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    for name in ("done", "of", "cached", "quarantined", "rate", "time"):
        table.add_column(name, justify="right")
    for line in lines:
        style = "cyan" if line.running else ("yellow" if line.quarantined else None)
        rate = f"{line.rate:.1f}/s" if line.done else "–"
        left = "–" if line.eta_s is None else f"{duration(line.eta_s)} left"
        cells = [line.done + line.cached, line.total, line.cached, line.quarantined]
        table.add_row(line.stage, *map(str, cells), rate, left if line.running else duration(line.seconds), style=style)
    return table


def duration(seconds: float) -> str:
    """``9.3 s``, ``4 m 05 s`` or ``3 h 20 m``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} m"
