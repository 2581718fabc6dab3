"""Flags and texts of a bag as annotations: each holds from its message to the next of its topic."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.sources.ros.ros_clock import Chosen, in_order, times_of
from pipeline.sources.ros.ros_gather import Gathered, Said
from pipeline.sources.spans import says_something, text_runs
from schemas.episode import SourceSpan, SpanMeaning
from schemas.recipe_formats.ros_bag import RosBagSource


def annotations_of(
    spec: RosBagSource, gathered: Gathered, clocks: Mapping[str, Chosen], origin_ns: int, end_ns: int
) -> tuple[str, list[SourceSpan]]:
    """The instruction and the spans, on the episode clock. Before a topic's first message nothing is said.

    One text all through is the instruction; texts that change are subtasks.
    """
    spans: list[SourceSpan] = []
    for topic, meaning in spec.flags.items():
        spans += _spans(topic, gathered.flags[topic], clocks, end_ns, SpanMeaning(meaning))
    instruction = ""
    for topic, said in gathered.texts.items():
        wordings = {text for text in said.values if says_something(text)}
        instruction = wordings.pop() if len(wordings) == 1 else ""
        spans += _spans(topic, said, clocks, end_ns, SpanMeaning.TASK if instruction else SpanMeaning.SUBTASK)
    moved = [replace(s, start_ns=max(s.start_ns - origin_ns, 0), end_ns=s.end_ns - origin_ns) for s in spans]
    return instruction, [span for span in moved if span.end_ns > span.start_ns]


def _spans(topic: str, said: Said, clocks: Mapping[str, Chosen], end_ns: int, meaning: SpanMeaning) -> list[SourceSpan]:
    if not said.values:
        return []
    times_ns = times_of(said.stamps, clocks[topic].clock)
    keep = in_order(times_ns)
    values = [value for value, kept in zip(said.values, keep, strict=True) if kept]
    edges_ns = np.append(times_ns[keep], max(end_ns, int(times_ns[keep][-1])))
    return list(text_runs(topic, values, edges_ns, meaning))
