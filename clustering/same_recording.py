"""From recordings that are one to their events: the worse copy's are left out for those of the better one.

The two were cut and named apart from each other, so events are matched by when they happen, not by their names.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from clustering.copies import Copy
from clustering.event_table import EventTable

Rows = NDArray[np.int64]

COVERED = 0.5
"""An event is in both recordings if the other's events cover this share of it."""


def matched(table: EventTable, copies: Sequence[Copy], rank: Rows) -> Iterator[tuple[int, int]]:
    """(row of an event of the worse copy, row of the better copy's event that shows most of it), by episode.

    Every episode follows one better copy of it, the best that follows none itself.
    """
    follows = leaders(table, copies, rank)
    order = np.argsort(table.episode, kind="stable")
    first = np.searchsorted(table.episode[order], np.arange(len(table.episode_ids) + 1))
    for worse, (better, copy) in sorted(follows.items()):
        theirs = order[first[better] : first[better + 1]]
        for row in order[first[worse] : first[worse + 1]].tolist():
            found = _most_shared(table, row, theirs, copy, forward=table.episode_ids[worse].decode() == copy.first)
            if found >= 0 and not table.protected[row]:
                yield row, found


def leaders(table: EventTable, copies: Sequence[Copy], rank: Rows) -> dict[int, tuple[int, Copy]]:
    """Episode → the better episode that is kept whole in its place, and what is known of the two."""
    ends = [table.episodes_of([copy.first, copy.second]).tolist() for copy in copies]
    beside: dict[int, list[tuple[int, Copy]]] = {}
    for (a, b), copy in zip(ends, copies, strict=True):
        if min(a, b) >= 0:
            worse, better = (a, b) if rank[a] > rank[b] else (b, a)
            beside.setdefault(worse, []).append((better, copy))
    found: dict[int, tuple[int, Copy]] = {}
    for worse in sorted(beside, key=lambda episode: int(rank[episode])):
        kept = [(better, copy) for better, copy in beside[worse] if better not in found]
        if kept:
            found[worse] = min(kept, key=lambda pair: int(rank[pair[0]]))
    return found


def _most_shared(table: EventTable, row: int, theirs: Rows, copy: Copy, *, forward: bool) -> int:
    """Of ``theirs`` the event that overlaps most with this one, −1 when all of them together cover too little."""
    start, end = table.start_s[row], table.start_s[row] + table.seconds[row]
    if forward:
        start, end = (copy.rate * t + copy.lag_s for t in (start, end))
    else:
        start, end = ((t - copy.lag_s) / copy.rate for t in (start, end))
    begins = table.start_s[theirs]
    shared = np.minimum(end, begins + table.seconds[theirs]) - np.maximum(start, begins)
    shared = np.maximum(shared, 0.0)
    if len(theirs) == 0 or shared.sum() < COVERED * (end - start):
        return -1
    return int(theirs[np.argmax(shared)])
