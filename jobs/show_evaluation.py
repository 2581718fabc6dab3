"""What ``joinery evaluate`` prints: a line per episode, and what they came to."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rich.console import Console

from jobs import show

if TYPE_CHECKING:  # importing the makers would bring torch to every command
    from jobs.evaluate import Evaluated
    from trainer.eval.progress import Episode


class EpisodeLines:
    """A line per episode as it ends."""

    def __init__(self, out: Console, as_json: bool) -> None:
        self._out, self._as_json = out, as_json

    def __call__(self, made: Episode) -> None:
        if not self._as_json:
            events = f"{sum(made.done)}/{len(made.done)} events, {made.seconds:.1f} s"
            told = f"scene {made.seed}: {made.progress:5.1f}  {events}, {made.instruction}"
            self._out.print(told, markup=False, highlight=False, soft_wrap=True)


def evaluated(out: Console, found: Evaluated, as_json: bool) -> None:
    """Task Progress first; then how far tasks got."""
    if as_json:
        show.print_json(dataclasses.asdict(found) | {"out": str(found.out)})
        return
    summary = found.summary
    low, high = summary.progress_95
    said = f"Task Progress {summary.progress:.1f} of 100 (95 % interval {low:.1f} to {high:.1f})"
    out.print(f"{said}, success {100 * summary.success:.0f} % of {summary.episodes}", highlight=False, style="green")
    steps = ", ".join(f"{verb} {100 * share:.0f} %" for verb, share in summary.done_by_verb.items())
    out.print(f"done: {steps}", highlight=False, soft_wrap=True)
    out.print(f"results {found.out}", highlight=False, soft_wrap=True)
