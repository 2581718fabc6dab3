"""From a judged draft to events: the same records the detector makes, with captions at four levels.

An event whose frames stay keeps its id, its edges' provenance and what people said about it. Rows longer than a
segment may be are divided again at the detector's candidates. What is made here is checked against `schemas.tree` by
the conversation before anybody sees it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from annotators.tracks.untouched import is_settled
from annotators.vlm.draft import Draft, DraftAction, DraftRow, DraftSubtask
from annotators.vlm.spans import kinematic_action, motion_between, static_between
from annotators.vlm.tree_checks import wording_fault
from annotators.vlm.window import Window
from schemas.event import (
    Aspects,
    Boundary,
    Doubt,
    Event,
    Level,
    Motion,
    Outcome,
    Provenance,
    RecoveryKind,
    ReviewState,
    Verb,
    make_event_id,
)
from schemas.time import NS_PER_S
from schemas.tree import violations

MAX_SEGMENT_S = 2.0
_SLOW_M_S, _QUICK_M_S = 0.04, 0.25


@dataclass(frozen=True)
class _Words:
    """What one event is to say."""

    verb: Verb
    text: str
    recovery: RecoveryKind = RecoveryKind.NONE
    objects: tuple[str, ...] = ()
    outcome: Outcome = Outcome.UNKNOWN
    doubts: tuple[Doubt, ...] = ()
    origin: str = ""
    destination: str = ""
    doubtful: bool = False


def revised(window: Window, draft: Draft, author: Provenance) -> list[Event]:
    """Subtasks, actions and segments of the window, sorted by level and time. Their parents are of the same list.

    Subtasks carry the id of the task they lie in, as the tree has it.
    """
    writer = _Writer(window, author)
    for subtask in draft.subtasks:
        writer.subtask(subtask)
    return sorted(writer.events, key=lambda event: (event.level.depth, event.span.frame_start))


def unrevised(window: Window) -> list[Event]:
    """The detector's own events of the window; what straddles its edge is cut there."""
    writer = _Writer(window, None)
    for start, end, _, actions in _grouped(window):
        parent = writer.event(Level.SUBTASK, start, end, writer.task_of(start), None)
        for first, last, pieces in actions:
            action = writer.event(Level.ACTION, first, last, parent.event_id, None)
            for a, b in pieces:
                writer.event(Level.SEGMENT, a, b, action.event_id, None)
    return sorted(writer.events, key=lambda event: (event.level.depth, event.span.frame_start))


_Span = tuple[Boundary, Boundary]
_ActionGroup = tuple[Boundary, Boundary, list[_Span]]


def _grouped(window: Window) -> list[tuple[Boundary, Boundary, str, list[_ActionGroup]]]:
    """Subtasks of actions of pieces, as far as they lie in the window."""
    groups: list[tuple[Boundary, Boundary, str, list[_ActionGroup]]] = []
    before = None
    for piece in window.pieces:
        if before is not None and before.action is piece.action:
            start, _, name, actions = groups[-1]
            first, _, pieces = actions[-1]
            actions[-1] = (first, piece.end, [*pieces, (piece.start, piece.end)])
            groups[-1] = (start, piece.end, name, actions)
        elif before is not None and before.subtask is piece.subtask:
            start, _, name, actions = groups[-1]
            groups[-1] = (start, piece.end, name, [*actions, (piece.start, piece.end, [(piece.start, piece.end)])])
        else:
            action = (piece.start, piece.end, [(piece.start, piece.end)])
            groups.append((piece.start, piece.end, piece.subtask.event_id, [action]))
        before = piece
    return groups


class _Writer:
    """Collects the events of one window."""

    def __init__(self, window: Window, author: Provenance | None) -> None:
        self.window = window
        self.author = author
        self.events: list[Event] = []
        self._before = {
            (event.level, event.span.frame_start, event.span.frame_end): event
            for piece in window.pieces
            for event in (piece.subtask, piece.action, piece.segment)
        }

    def task_of(self, start: Boundary) -> str:
        return next(
            piece.task.event_id for piece in self.window.pieces if piece.start.frame <= start.frame < piece.end.frame
        )

    def subtask(self, subtask: DraftSubtask) -> None:
        start, end = subtask.actions[0].start, subtask.actions[-1].end
        names = tuple(dict.fromkeys(action.label.object for action in subtask.actions if action.label.object))
        doubtful = any(action.doubts for action in subtask.actions)
        text = subtask.actions[0].label.text if wording_fault(subtask.text) else subtask.text
        words = _Words(subtask.verb, text, objects=names, doubtful=doubtful)
        words = replace(words, recovery=_recovery_of(subtask.actions, self.window))
        parent = self.event(Level.SUBTASK, start, end, self.task_of(start), words)
        for action in subtask.actions:
            self._action(action, parent.event_id)

    def _action(self, action: DraftAction, parent_id: str) -> None:
        label = action.label
        words = _Words(
            verb=label.verb,
            text=label.text,
            recovery=_recovery(action, self.window),
            objects=(label.object,) if label.object else (),
            outcome=label.outcome,
            doubts=tuple(sorted(action.doubts)),
            origin=label.origin,
            destination=label.destination,
            doubtful=bool(action.doubts),
        )
        parent = self.event(Level.ACTION, action.start, action.end, parent_id, words)
        for row in action.rows:
            said = replace(words, verb=row.verb, text=row.text, doubts=(), outcome=Outcome.UNKNOWN)
            for start, end in _short_enough(self.window, row):
                self.event(Level.SEGMENT, start, end, parent.event_id, said)

    def event(self, level: Level, start: Boundary, end: Boundary, parent_id: str, words: _Words | None) -> Event:
        """One event; without ``words`` it is the detector's, cut to these frames."""
        before = self._before.get((level, start.frame, end.frame))
        event = self._plain(level, start, end, before)
        kept = before is not None and is_settled(before)
        if words is not None and not kept:
            event = self._worded(event, words)
        event = replace(event, parent_id=parent_id)
        self.events.append(event)
        return event

    def _plain(self, level: Level, start: Boundary, end: Boundary, before: Event | None) -> Event:
        if before is not None:
            return before
        window = self.window
        cut_subtask = self.author is None and level is Level.SUBTASK
        like = window.inside(start, end)[0].subtask if cut_subtask else kinematic_action(window, start, end)
        span = window.clock.span(start.frame, end.frame, window.action_times_ns)
        return replace(
            like,
            event_id=make_event_id(window.episode_id, level, span, 0),
            level=level,
            span=span,
            start=start,
            end=end,
            motion=motion_between(window, start, end),
            static_fraction=static_between(window, start, end),
            boundaries_by=like.boundaries_by if self.author is None else self.author,
            review=ReviewState.PROPOSED,
            revision=0,
        )

    def _worded(self, event: Event, words: _Words) -> Event:
        return replace(
            event,
            verb=words.verb,
            caption=words.text,
            objects=words.objects,
            recovery=words.recovery,
            needs_vlm=words.doubtful,
            caption_by=self.author,
            outcome=words.outcome,
            doubts=words.doubts,
            aspects=Aspects(
                origin=words.origin,
                destination=words.destination,
                manner=manner_of(event.motion, event.span.duration_s),
                duration=duration_phrase(event.span.duration_s),
            ),
        )


def _recovery(action: DraftAction, window: Window) -> RecoveryKind:
    """What fingers show outranks what eyes say."""
    measured = kinematic_action(window, action.start, action.end).recovery
    return action.label.recovery if measured is RecoveryKind.NONE else measured


def _recovery_of(actions: Sequence[DraftAction], window: Window) -> RecoveryKind:
    kinds = [_recovery(action, window) for action in actions]
    return next((kind for kind in kinds if kind is not RecoveryKind.NONE), RecoveryKind.NONE)


def _short_enough(window: Window, row: DraftRow) -> Iterable[_Span]:
    """The row, divided at candidates inside it while a part is longer than a segment may be."""
    inner = [piece.end for piece in window.pieces if row.start.frame < piece.end.frame < row.end.frame]
    edges = [row.start]
    for edge, following in pairwise([*inner, row.end]):
        fits = window.fits(edges[-1].frame, edge.frame) and window.fits(edge.frame, row.end.frame)
        if fits and following.t_ns - edges[-1].t_ns > MAX_SEGMENT_S * NS_PER_S:
            edges.append(edge)
    return pairwise([*edges, row.end])


def manner_of(motion: Motion | None, duration_s: float) -> str:
    """Slowly or quickly, by the mean speed of the tool; empty in between or where it was not measured."""
    if motion is None or motion.path_length_m is None or duration_s <= 0:
        return ""
    speed = motion.path_length_m / duration_s
    return "slowly" if speed < _SLOW_M_S else "quickly" if speed > _QUICK_M_S else ""


def duration_phrase(duration_s: float) -> str:
    """``in 1.2 s``, whole seconds from ten on."""
    return f"in {duration_s:.0f} s" if duration_s >= 10 else f"in {duration_s:.1f} s"


def part_violations(window: Window, events: Sequence[Event]) -> list[str]:
    """Every broken invariant of one window's events, as if the window were all there is."""
    tasks = []
    for start, end in window.ranges:
        span = window.clock.span(start.frame, end.frame, window.action_times_ns)
        task = window.pieces[0].task
        name = make_event_id(window.episode_id, Level.TASK, span, 0)
        tasks.append(replace(task, event_id=name, span=span, start=start, end=end, parent_id=""))
    inside = [
        replace(event, parent_id=_task_around(tasks, event)) if event.level is Level.SUBTASK else event
        for event in events
    ]
    ranges = [(start.frame, end.frame) for start, end in window.ranges]
    return violations([*tasks, *inside], window.clock, ranges, window.action_kind)


def _task_around(tasks: Sequence[Event], event: Event) -> str:
    return next((task.event_id for task in tasks if task.span.contains(event.span)), "")
