"""The invariants of an event tree, as functions. Checked on every write, whoever made the tree.

Each level covers the kept part of the episode without gap or overlap; children lie inside one parent and
cover it; nothing is shorter than five frames; every edge is a real frame time; a null action span only
where the episode has no actions (architecture.md, "Records").
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from schemas.episode import ActionKind
from schemas.event import Event, Level, ReviewState
from schemas.time import MIN_EVENT_FRAMES, FrameClock


def violations(
    events: Sequence[Event], clock: FrameClock, kept_frames: Sequence[tuple[int, int]], action_kind: ActionKind
) -> list[str]:
    """Every broken invariant of one episode's tree, as sentences; empty for a valid tree.

    ``kept_frames`` are the sorted disjoint frame ranges the tree must cover.
    """
    found = [problem for event in events for problem in event_problems(event, action_kind)]
    found += [problem for event in events for problem in _clock_problems(event, clock)]
    return found + _shape_problems(events, list(kept_frames))


def own_violations(events: Sequence[Event], action_kind: ActionKind | None = None) -> list[str]:
    """What a tree can be held to without its recording: each level covers what the tasks cover, and all of it nests."""
    found = [problem for event in events for problem in event_problems(event, action_kind)]
    return found + _shape_problems(events, _ranges([event for event in events if event.level is Level.TASK]))


def _shape_problems(events: Sequence[Event], covered: list[tuple[int, int]]) -> list[str]:
    by_level: dict[Level, list[Event]] = defaultdict(list)
    for event in events:
        by_level[event.level].append(event)
    found = []
    for level in Level:
        found += _cover_problems(str(level), _ranges(by_level[level]), covered)
    return found + _nesting_problems(events)


def _ranges(events: Sequence[Event]) -> list[tuple[int, int]]:
    return sorted((event.span.frame_start, event.span.frame_end) for event in events)


def event_problems(event: Event, action_kind: ActionKind | None) -> list[str]:
    """What one event can be held to by itself; None for an episode of which nobody says whether it has actions."""
    name = f"{event.level} {event.event_id}"
    span = event.span
    if not 0 <= span.frame_start < span.frame_end or not span.start_ns < span.end_ns:
        return [f"{name}: frames [{span.frame_start}, {span.frame_end}) are no span"]
    problems = []
    if span.n_frames < MIN_EVENT_FRAMES:
        problems.append(f"{name}: {span.n_frames} frames, expected at least {MIN_EVENT_FRAMES}")
    if (event.start.frame, event.end.frame) != (span.frame_start, span.frame_end):
        problems.append(f"{name}: its boundaries are not its span's edges")
    if (event.start.t_ns, event.end.t_ns) != (span.start_ns, span.end_ns):
        problems.append(f"{name}: its boundaries' times are not its span's")
    problems += [
        f"{name}: an edge with confidence {edge.confidence} and σ {edge.sigma_s} s, expected 0 … 1 and at least 0"
        for edge in (event.start, event.end)
        if not 0.0 <= edge.confidence <= 1.0 or not edge.sigma_s >= 0.0
    ]
    if action_kind is not None and action_kind is not ActionKind.NONE and span.n_actions == 0:
        problems.append(f"{name}: no action rows although the episode has {action_kind} actions")
    if action_kind is ActionKind.NONE and span.n_actions:
        problems.append(f"{name}: action rows although the episode has none")
    return problems


def _clock_problems(event: Event, clock: FrameClock) -> list[str]:
    name, span = f"{event.level} {event.event_id}", event.span
    if not 0 <= span.frame_start < span.frame_end <= len(clock):
        return [f"{name}: frames [{span.frame_start}, {span.frame_end}) lie outside the recording of {len(clock)}"]
    if (span.start_ns, span.end_ns) != (clock.edge_ns(span.frame_start), clock.edge_ns(span.frame_end)):
        return [f"{name}: nanoseconds are not the times of its frames"]
    return []


def _cover_problems(name: str, ranges: list[tuple[int, int]], expected: list[tuple[int, int]]) -> list[str]:
    """Whether sorted ``ranges`` tile exactly ``expected``."""
    problems = [f"{name}: [{a}, {b}) and [{c}, {d}) overlap" for (a, b), (c, d) in pairwise(ranges) if c < b]
    if _merge(ranges) != _merge(expected):
        problems.append(f"{name}: covers {_merge(ranges)}, expected {_merge(expected)}")
    return problems


def _merge(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _nesting_problems(events: Sequence[Event]) -> list[str]:
    by_id = {event.event_id: event for event in events}
    problems = [] if len(by_id) == len(events) else ["two events share an id"]
    if len({event.episode_id for event in events}) > 1:
        problems.append("events of several episodes in one tree")
    children: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.level is Level.TASK:
            problems += [f"task {event.event_id}: a task has no parent"] if event.parent_id else []
            continue
        parent = by_id.get(event.parent_id)
        if parent is None or parent.level.depth != event.level.depth - 1:
            problems.append(f"{event.level} {event.event_id}: its parent is not an event one level up")
        else:
            children[parent.event_id].append(event)
    for event in events:
        if event.level is not Level.SEGMENT:
            own = [(event.span.frame_start, event.span.frame_end)]
            problems += _cover_problems(f"children of {event.event_id}", _ranges(children[event.event_id]), own)
    return problems


def ancestors(event: Event, by_id: dict[str, Event]) -> list[Event]:
    """The event's parents, nearest first, up to the task."""
    chain = []
    while event.parent_id:
        event = by_id[event.parent_id]
        chain.append(event)
    return chain


def samples(events: Sequence[Event], level: Level) -> list[Event]:
    """The events of a level that may be trained on, in time order.

    Not what a person has rejected, and nothing inside that: who rejects a task wants none of it seen.
    """
    by_id = {event.event_id: event for event in events}

    def rejected(event: Event | None) -> bool:
        return event is not None and (
            event.review is ReviewState.REJECTED or rejected(by_id.get(event.parent_id) if event.parent_id else None)
        )

    at_level = (event for event in events if event.level is level and not rejected(event))
    return sorted(at_level, key=lambda event: event.span)
