"""The stretches between boundaries: segment F1, over-segmentation, merges, edit score.

Both sides cover exactly the episode's ranges, so the first start and the last end are the same for all ("snapped",
events.md) and only what lies between is scored. Segments have no class here but for the edit score, where a segment is
called by the boundary that opens it: the one name that truth, detector and every baseline have.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from annotators.scores.marks import Mark
from annotators.scores.matching import best_pairs

Range = tuple[int, int]

OPENING = "start"
"""The name of a segment that a range opens with."""
_FINENESS = 1_000_000
"""Overlaps are compared in millionths when several matchings have the same number of pairs."""


def segments(marks: Sequence[Mark], ranges_ns: Sequence[Range]) -> list[Range]:
    """The ranges divided at the marks; marks at the same instant divide once."""
    found = []
    for start, end in ranges_ns:
        edges = [start, *sorted({mark.t_ns for mark in marks if start < mark.t_ns < end}), end]
        found += list(pairwise(edges))
    return found


def names(marks: Sequence[Mark], ranges_ns: Sequence[Range]) -> list[str]:
    """What opens each segment, in the order of `segments`; of marks at the same instant the first kind by name."""
    opened: dict[int, str] = {}
    for mark in sorted(marks, key=lambda mark: (mark.t_ns, mark.kind.value), reverse=True):
        opened[mark.t_ns] = mark.kind.value
    return [
        OPENING if any(start == range_start for range_start, _ in ranges_ns) else opened[start]
        for start, _ in segments(marks, ranges_ns)
    ]


def matched_segments(predicted: Sequence[Range], true: Sequence[Range], least: float) -> int:
    """How many pairs with tIoU ≥ ``least`` there are at most, one to one; ``least`` above 0."""
    reach, first, last = [], 0, 0
    for start, end in predicted:
        while first < len(true) and true[first][1] <= start:
            first += 1
        last = max(first, last)
        while last < len(true) and true[last][0] < end:
            last += 1
        reach.append((first, last))

    def cost(i: int, j: int) -> int | None:
        (a, b), (c, d) = predicted[i], true[j]
        overlap, union = min(b, d) - max(a, c), max(b, d) - min(a, c)
        return None if overlap < least * union else _FINENESS - overlap * _FINENESS // union

    return len(best_pairs(reach, cost, _FINENESS))


def merged(predicted: Sequence[Range], true: Sequence[Range]) -> int:
    """How many true segments lie, for their largest part, in a predicted one that swallows another one so too."""
    hosts, first = [], 0
    for start, end in true:
        while first + 1 < len(predicted) and predicted[first][1] <= start:
            first += 1
        best, most, i = first, -1, first
        while i < len(predicted) and predicted[i][0] < end:
            overlap = min(predicted[i][1], end) - max(predicted[i][0], start)
            best, most = (i, overlap) if overlap > most else (best, most)
            i += 1
        hosts.append(best)
    guests = Counter(hosts)
    return sum(n for n in guests.values() if n > 1)


def edit_score(predicted: Sequence[str], true: Sequence[str]) -> float:
    """1 − Levenshtein distance ÷ length of the longer sequence (Lea et al. 2016); 1 for two empty ones."""
    longest = max(len(predicted), len(true))
    return 1.0 - levenshtein(predicted, true) / longest if longest else 1.0


def levenshtein(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]
