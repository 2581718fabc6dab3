"""How a run looks to somebody who watches it from another terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from jobs import show
from jobs.progress import duration, progress_table

if TYPE_CHECKING:
    from jobs.telemetry.watching import Seen

LATE_S = 10.0
"""A record that is older is told to be so."""
STYLES = {"running": "cyan", "succeeded": "green"}


def watch(out: Console, run: Iterator[Seen]) -> Seen:
    """Draw a run in place until it is over; where there is no terminal, a line whenever a stage has ended."""
    if not out.is_terminal:
        return _lines(out.file, run)
    with Live(console=out, auto_refresh=False) as live:
        seen = next(run)
        live.update(page(seen), refresh=True)
        for seen in run:
            live.update(page(seen), refresh=True)
    return seen


def watch_json(run: Iterator[Seen]) -> Seen:
    """One JSON object per look."""
    return _each(run, lambda seen: show.print_json_line(_plain(seen)))


def page(seen: Seen) -> RenderableType:
    """Everything there is to see at one moment."""
    head = Text(f"run {seen.run_id}  {seen.executor}  ")
    head.append(seen.outcome, style=STYLES.get(seen.outcome, "red"))
    head.append(f"  {duration(elapsed(seen))}" if seen.going_on else f"  {seen.message}")
    if seen.going_on and seen.age_s > LATE_S:
        head.append(f"  last heard of {duration(seen.age_s)} ago", style="yellow")
    parts: list[RenderableType] = [head, progress_table(list(seen.stages))]
    if seen.going_on and seen.in_flight:
        parts.append(Text(f"{seen.in_flight:,} items with workers", style="dim"))
    if seen.failures:
        parts.append(Text("last failures", style="bold yellow"))
        parts += [Text(f"  {failure}", overflow="ellipsis", no_wrap=True) for failure in seen.failures]
    return Group(*parts)


def elapsed(seen: Seen) -> float:
    """Seconds since a run began."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(seen.started_at)).total_seconds())


def _lines(stream: IO[str], run: Iterator[Seen]) -> Seen:
    told: set[str] = set()

    def print_one(seen: Seen) -> None:
        for stage in seen.stages:
            if not stage.running and stage.stage not in told:
                told.add(stage.stage)
                counts = f"{stage.total:>7} items  {stage.cached:>7} cached  {stage.done:>7} done"
                stream.write(
                    f"{stage.stage:<10} {counts}  {stage.quarantined:>4} quarantined  {stage.seconds:>7.1f} s\n"
                )
        if not seen.going_on:
            stream.write(f"{seen.outcome}: {seen.message}\n")
        stream.flush()

    return _each(run, print_one)


def _each(run: Iterator[Seen], print_one: Callable[[Seen], None]) -> Seen:
    seen = next(run)
    print_one(seen)
    for seen in run:
        print_one(seen)
    return seen


def _plain(seen: Seen) -> dict[str, object]:
    names = ("stage", "total", "cached", "done", "quarantined", "running", "rate", "eta_s")
    stages = [{name: getattr(stage, name) for name in names} for stage in seen.stages]
    return {"event": "seen", **vars(seen), "stages": stages}
