"""An episode's tree after its conversations: what was accepted, what stayed as it was, and what the task is called.

A window that was rejected keeps the detector's events with the captions they had (templates, if they were worded
before), so one window that nobody understands costs that window and not the episode.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from annotators.tracks.untouched import is_settled
from annotators.vlm.conversation import Accepted, Verdict
from annotators.vlm.revise import unrevised
from annotators.vlm.window import Window
from schemas.event import Event, Level, Provenance

_MOST_WORDS = 30


def whole_tree(tree: Sequence[Event], windows: Sequence[Window], verdicts: Mapping[str, Verdict]) -> list[Event]:
    """The tree that the windows were made of, revised; sorted by level and time.

    ``verdicts`` are by window id; a window without one stays as it was.
    """
    found: list[Event] = []
    said: dict[str, list[tuple[float, str]]] = {}
    unsettled: set[str] = set()
    author: Provenance | None = None
    for window in windows:
        verdict = verdicts.get(window.window_id)
        seconds: dict[str, float] = {}
        for piece in window.pieces:
            task_id = piece.task.event_id
            seconds[task_id] = seconds.get(task_id, 0.0) + piece.segment.span.duration_s
        if not isinstance(verdict, Accepted):
            found += unrevised(window)
            unsettled |= set(seconds)
            continue
        found += verdict.events
        author = verdict.author
        for task_id, share_s in seconds.items():
            said.setdefault(task_id, []).append((share_s, verdict.task))
    tasks = [event for event in tree if event.level is Level.TASK]
    for task in tasks:
        named = task if author is None else _named(task, said.get(task.event_id, ()), windows[0].instruction, author)
        found.append(replace(named, needs_vlm=named.needs_vlm and task.event_id in unsettled))
    return sorted(found, key=lambda event: (event.level.depth, event.span.frame_start))


def _named(task: Event, said: Sequence[tuple[float, str]], instruction: str, author: Provenance) -> Event:
    """A task is called by its instruction; where there is none, by what the window that saw most of it said."""
    if instruction or not said or is_settled(task):
        return task
    text = max(said, key=lambda pair: pair[0])[1]
    usable = text and len(text.split()) <= _MOST_WORDS
    return replace(task, caption=text, caption_by=author) if usable else task
