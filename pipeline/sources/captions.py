"""From the cues of a subtitle file to what is said when.

Captions that a machine wrote roll: each cue shows the line before once more above the new one, so that taken as they
stand every sentence is said two or three times, and a window of time holds words from before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pipeline.sources.spans import says_something
from pipeline.sources.storage.subtitles import Cue

_ROLLING = 0.3
"""Share of cues that begin with the lines before from which on a file rolls; people hardly ever repeat a line."""
_TOUCHING_NS = 100_000_000
_MOST_LINES = 8
"""As many as stand on a screen."""


class Said(NamedTuple):
    """Words, and when they are on the screen for the first time."""

    start_ns: int
    end_ns: int
    text: str


@dataclass(frozen=True)
class Speech:
    """A track of subtitles; ``repeated`` cues began with lines that stood there already, and were collapsed."""

    said: tuple[Said, ...]
    repeated: int


def speech_of(cues: Sequence[Cue]) -> Speech:
    """Cues in order of time as spans; lines that a rolling file repeats are said once."""
    carried = [0, *(_carried(before, cue) for before, cue in pairwise(cues))] if cues else []
    repeated = sum(count > 0 for count in carried)
    rolls = any(0 < count < len(cue.lines) for count, cue in zip(carried, cues, strict=True))
    if not rolls or repeated <= _ROLLING * len(cues):
        return Speech(tuple(Said(c.start_ns, c.end_ns, t) for c in cues if says_something(t := " ".join(c.lines))), 0)
    said: list[Said] = []
    for cue, count in zip(cues, carried, strict=True):
        text = " ".join(cue.lines[count:])
        if says_something(text):
            said.append(Said(cue.start_ns, cue.end_ns, text))
        elif not text and said and said[-1].end_ns <= cue.start_ns + _TOUCHING_NS and cue.end_ns > said[-1].end_ns:
            said[-1] = said[-1]._replace(end_ns=cue.end_ns)
    return Speech(tuple(said), repeated)


def _carried(before: Cue, cue: Cue) -> int:
    """How many lines at the top of a cue are the last ones of the cue before, still on the screen."""
    if cue.start_ns > before.end_ns + _TOUCHING_NS:
        return 0
    most = min(len(before.lines), len(cue.lines), _MOST_LINES)
    return next((count for count in range(most, 0, -1) if cue.lines[:count] == before.lines[-count:]), 0)
