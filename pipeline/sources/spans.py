"""From one value per row to spans: how most formats write annotations down."""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import groupby

import numpy as np

from schemas.array import Bools, Ints
from schemas.episode import SourceSpan, SpanMeaning


def says_something(text: str) -> bool:
    """Whether a text has a letter or digit; DROID leaves only the bars between its wordings when they are empty."""
    return any(character.isalnum() for character in text)


def text_runs(
    track: str,
    texts: Sequence[str | None],
    edges_ns: Ints,
    meaning: SpanMeaning | Callable[[str], SpanMeaning],
) -> Iterator[SourceSpan]:
    """One span per run of equal texts; runs without words are left out. ``edges_ns`` int64 [T + 1] of the T rows.

    ``meaning`` may depend on the text.
    """
    first = 0
    for text, run in groupby(texts):
        last = first + sum(1 for _ in run)
        if text is not None and says_something(text):
            means = meaning if isinstance(meaning, SpanMeaning) else meaning(text)
            yield SourceSpan(track, int(edges_ns[first]), int(edges_ns[last]), text, means)
        first = last


def flag_runs(
    track: str, flags: Bools, edges_ns: Ints, meaning: SpanMeaning, text: str = "true"
) -> Iterator[SourceSpan]:
    """One span per run of true flags [T]; ``edges_ns`` int64 [T + 1]."""
    return text_runs(track, [text if flag else None for flag in flags], edges_ns, meaning)


def set_runs(track: str, sets: Sequence[Collection[str]], edges_ns: Ints, meaning: SpanMeaning) -> Iterator[SourceSpan]:
    """One span for as long as a text is among a row's, whatever stands beside it; spans of several may overlap."""
    since: dict[str, int] = {}
    for row, texts in enumerate([*map(frozenset, sets), frozenset()]):
        for text in sorted(since.keys() - texts):
            first = since.pop(text)
            if says_something(text):
                yield SourceSpan(track, int(edges_ns[first]), int(edges_ns[row]), text, meaning)
        for text in texts - since.keys():
            since[text] = row


def nearest_edge(edges_ns: Ints, t_ns: float) -> int:
    """Which of the edges [T + 1] lies nearest to a time, as its index; the earlier of two equally near."""
    after = int(np.clip(np.searchsorted(edges_ns, t_ns), 1, len(edges_ns) - 1))
    return after - 1 if t_ns - edges_ns[after - 1] <= edges_ns[after] - t_ns else after
