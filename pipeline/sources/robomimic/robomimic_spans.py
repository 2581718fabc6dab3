"""What a robomimic demo's flags say: subtasks, success, ends, and which subsets the demo belongs to."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import numpy as np

from pipeline.sources.reference import about_episode
from pipeline.sources.robomimic.robomimic_demo import Demo
from pipeline.sources.spans import flag_runs
from pipeline.sources.storage.hdf5 import Hdf5
from schemas.array import Ints
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding

SIGNALS = "subtask_term_signals"


def spans(demo: Demo, edges_ns: Ints) -> tuple[list[SourceSpan], list[Finding]]:
    """Annotations of one demo, and what is odd about them; ``edges_ns`` int64 [T + 1] of the rows."""
    ref, file, group = demo.ref, demo.file, demo.group
    whole = int(edges_ns[0]), int(edges_ns[-1])
    found = [SourceSpan("mask", *whole, mask, SpanMeaning.OTHER) for mask in demo.part["masks"]]
    findings: list[Finding] = []
    for track, text in (("rewards", "rewarded"), ("dones", "done")):
        flags = _flags(file, f"{group}/{track}", len(edges_ns) - 1)
        if flags is not None:
            found += flag_runs(track, flags, edges_ns, SpanMeaning.OTHER, text)
            if track == "rewards" and not flags.any():
                findings.append(about_episode(ref, "never_rewarded", "no row is rewarded; the task may have failed"))
    if demo.part["success"] is False:
        findings.append(about_episode(ref, "demo_failed", "its attribute success is false", 0.0))
    found += subtasks(_signals(file, group, len(edges_ns) - 1), edges_ns)
    return found, findings


def subtasks(signals: Mapping[str, Any], edges_ns: Ints) -> Iterator[SourceSpan]:
    """A signal rises when its subtask is done: the subtask lasts from the rise before it. The last has no signal."""
    rises = sorted((int(np.argmax(flags)), name) for name, flags in signals.items() if flags.any())
    before = 0
    for row, risen in groupby(rises, key=lambda rise: rise[0]):
        if row > before:
            text = ", ".join(name for _, name in risen)
            yield SourceSpan(SIGNALS, int(edges_ns[before]), int(edges_ns[row]), text, SpanMeaning.SUBTASK)
        before = row


def _signals(file: Hdf5, group: str, n_rows: int) -> dict[str, Any]:
    """Flags [T] by subtask: IsaacLab keeps them below ``obs``, MimicGen beside it."""
    for folder in (f"{group}/obs/datagen_info/{SIGNALS}", f"{group}/datagen_info/{SIGNALS}"):
        found = {name: _flags(file, f"{folder}/{name}", n_rows) for name in file.keys(folder)}
        if found:
            return {name: flags for name, flags in found.items() if flags is not None}
    return {}


def _flags(file: Hdf5, path: str, n_rows: int) -> Any:
    """One flag per row, bool [T]; None when there is no such table or it has other rows."""
    if not file.has(path):
        return None
    values = file.numbers(path)
    return values[:, 0] > 0 if values.shape[0] == n_rows and values.shape[1] == 1 else None
