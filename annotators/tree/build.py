"""From cuts to a valid event tree: Task ⊃ Subtask ⊃ Action ⊃ Segment (events.md, "Levels").

One Task per kept range: a Task that straddled a trimmed hole would claim frames that are not kept, and its clip would
show them. Actions lie between the detectors' cuts; neighbouring actions with one goal and one arm are a Subtask;
an action is divided into Segments at the candidates for motion primitives. Nesting and cover hold by construction,
because every level only drops boundaries of the level below. What people or the source have marked stands as it is
(`annotators.tracks`): detectors divide the rest, and what lies below it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from annotators.tracks.choose import BOUNDED, Choice, Use
from annotators.tracks.inform import informed, recovered, told_cuts, told_primitives, worded
from annotators.tracks.place import Given, Piece, Tiler, given_spans, within
from annotators.tracks.words import verb_of
from annotators.tree.divide import divide_long, on_frames, pieces_between, range_edge, windows_between
from annotators.tree.evidence import Evidence, Goal, Label, Phase
from annotators.tree.place import placed
from annotators.tree.ranges import Fits
from annotators.words.instruction import named_goals
from schemas.array import Floats, Ints
from schemas.episode import Episode
from schemas.event import (
    Boundary,
    Event,
    Level,
    Provenance,
    RecoveryKind,
    ReviewState,
    Verb,
    make_event_id,
)
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock

DOUBTFUL = 0.5
"""Events whose weaker edge is below this want a second look (events.md, "Output per cut")."""
_GUESSED = frozenset({Goal.UNKNOWN, Goal.MOVE, Goal.PUSH})
"""Goals of which the fingers say nothing: what moved, and whether anything did, has to be seen."""
_LEAST_SEGMENT_S = 0.25
"""Motion primitives shorter than this are not cut out voluntarily."""


@dataclass(frozen=True)
class _Node:
    """A piece of one level before it becomes an event."""

    start: Boundary
    end: Boundary
    label: Label
    given: Given | None = None


@dataclass(frozen=True)
class _Action:
    """An action and the stretches between the detectors' cuts in it: itself, unless it was given."""

    node: _Node
    parts: tuple[_Node, ...]


@dataclass(frozen=True, eq=False)
class TreeBuilder:
    """What every level needs to make events of one episode."""

    episode: Episode
    clock: FrameClock
    action_times_ns: Ints | None
    evidence: Evidence
    fits: Fits
    spec: SegmentSpec
    tracks: Sequence[Choice] = ()

    @cached_property
    def tiler(self) -> Tiler:
        return Tiler(self.clock, self.fits, int(self.spec.merge_s * NS_PER_S))

    def tree(self, ranges: Sequence[tuple[int, int]]) -> list[Event]:
        """The events of all ranges, sorted by level and time."""
        ends = self.clock.edge_ns(0), self.clock.end_ns
        told = told_cuts(self.tracks, *ends)
        cuts = on_frames(informed(self.evidence.cuts(), told, self.spec.merge_s), self.clock)
        primitives = [*self.evidence.primitive_cuts(), *told_primitives(self.tracks, *ends)]
        inner = on_frames(primitives, self.clock)
        given = {
            level: given_spans([c for c in self.tracks if c.use is Use.BOUND and c.level is level], self.clock)
            for level in BOUNDED
        }
        unrest = self.evidence.unrest()
        events: list[Event] = []
        for first, last in ranges:
            here = {level: within(spans, first, last) for level, spans in given.items()}
            events += _Range(self, _inside(cuts, first, last), inner, here, unrest).events(first, last)
        events = recovered(worded(events, self.tracks), self.tracks)
        return sorted(events, key=lambda event: (event.level.depth, event.span.frame_start))

    def event(self, level: Level, node: _Node, parent_id: str) -> Event:
        """A piece as an event, in the words it was given with."""
        event, given = self.stretch(level, node.start, node.end, node.label, parent_id), node.given
        if given is None:
            return event
        return replace(
            event,
            caption=given.text,
            objects=tuple(goal.noun for goal in named_goals(given.text)),
            needs_vlm=False,
            boundaries_by=given.by,
            caption_by=given.by,
        )

    def stretch(self, level: Level, start: Boundary, end: Boundary, label: Label, parent_id: str) -> Event:
        """A stretch as an event that nobody has worded, measured from the signals."""
        span = self.clock.span(start.frame, end.frame, self.action_times_ns)
        doubtful = min(start.confidence, end.confidence) < DOUBTFUL
        return Event(
            event_id=make_event_id(self.episode.episode_id, level, span, 0),
            episode_id=self.episode.episode_id,
            level=level,
            parent_id=parent_id,
            span=span,
            start=start,
            end=end,
            verb=label.verb,
            caption="",
            objects=(),
            arm=label.arm,
            recovery=label.recovery,
            static_fraction=self.evidence.static_fraction(start, end),
            motion=self.evidence.motion(label.arm, start, end),
            needs_vlm=doubtful or label.goal in _GUESSED,
            boundaries_by=Provenance(proposer=self.evidence.proposer),
            caption_by=None,
            review=ReviewState.PROPOSED,
            revision=0,
        )


@dataclass(frozen=True, eq=False)
class _Range:
    """One kept range, level by level: what is given stands, detectors divide the rest and what lies below."""

    builder: TreeBuilder
    cuts: Sequence[Boundary]
    primitives: Sequence[Boundary]
    given: Mapping[Level, Sequence[Given]]
    unrest: tuple[Floats, str]

    def events(self, first: int, last: int) -> Iterator[Event]:
        """All events of frames ``[first, last)``, parents before children."""
        clock, event = self.builder.clock, self.builder.event
        for task_piece in self._pieces(Level.TASK, range_edge(first, clock), range_edge(last, clock)):
            subtasks = [
                subtask
                for piece in self._pieces(Level.SUBTASK, task_piece.start, task_piece.end)
                for subtask in self._subtasks(piece)
            ]
            label = task_label([action.node.label for _, actions in subtasks for action in actions])
            task = event(Level.TASK, _Node(task_piece.start, task_piece.end, label, task_piece.given), "")
            yield task
            for node, actions in subtasks:
                subtask = event(Level.SUBTASK, node, task.event_id)
                yield subtask
                for action in actions:
                    made = event(Level.ACTION, action.node, subtask.event_id)
                    yield made
                    yield from (event(Level.SEGMENT, one, made.event_id) for one in self._segments(action))

    def _pieces(self, level: Level, start: Boundary, end: Boundary) -> list[Piece]:
        return self.builder.tiler.pieces(start, end, self.given[level], self.cuts)

    def _subtasks(self, piece: Piece) -> list[tuple[_Node, list[_Action]]]:
        """The subtasks of a piece: itself if it was given, else the object-goals of its actions."""
        actions = [
            action for part in self._pieces(Level.ACTION, piece.start, piece.end) for action in self._actions(part)
        ]
        groups = [actions] if piece.given is not None else _object_goals(actions, self.builder.evidence)
        return [(_joined([action.node for action in group], piece.given), group) for group in groups]

    def _actions(self, piece: Piece) -> list[_Action]:
        """The actions of a piece: itself if it was given, with the detectors' stretches inside it, else those."""
        builder, merge_ns = self.builder, self.builder.tiler.merge_ns
        marks = [
            cut
            for cut in _inside(self.cuts, piece.start.frame, piece.end.frame)
            if not any(_is_given(edge) and abs(cut.t_ns - edge.t_ns) < merge_ns for edge in (piece.start, piece.end))
        ]
        marks = placed(piece.start, piece.end, marks, builder.clock, builder.fits)
        edges = pieces_between(piece.start, piece.end, marks, builder.fits)
        edges = divide_long(edges, builder.spec.max_action_s, self.unrest, builder.clock, builder.fits)
        nodes = [_Node(start, end, builder.evidence.label(start, end)) for start, end in pairwise(edges)]
        if piece.given is None:
            return [_Action(node, (node,)) for node in nodes]
        return [_Action(_joined(nodes, piece.given), tuple(nodes))]

    def _segments(self, action: _Action) -> Iterator[_Node]:
        """The motion primitives of an action, or its windows."""
        builder = self.builder
        for node in action.parts:
            parts = self._parts(node)
            for start, end in pairwise(parts):
                whole = len(parts) == 2
                label = node.label if whole else builder.evidence.segment_label(node.label, start, end)
                yield _Node(start, end, label)

    def _parts(self, node: _Node) -> list[Boundary]:
        builder, spec = self.builder, self.builder.spec
        if spec.window_frames is not None:
            return windows_between(node.start, node.end, spec.window_frames, builder.clock, builder.fits)
        inner = _inside(self.primitives, node.start.frame, node.end.frame)
        parts = pieces_between(node.start, node.end, inner, builder.fits, int(_LEAST_SEGMENT_S * NS_PER_S))
        return divide_long(parts, spec.max_segment_s, self.unrest, builder.clock, builder.fits)


def _is_given(edge: Boundary) -> bool:
    """Whether a person or a source placed it, whatever else it is; their detectors are named ``source:track``."""
    return any(":" in detector for detector in edge.detectors)


def _inside(boundaries: Sequence[Boundary], first: int, last: int) -> Sequence[Boundary]:
    """Those strictly between two frames, of boundaries in time order."""
    low = bisect_right(boundaries, first, key=lambda boundary: boundary.frame)
    return boundaries[low : bisect_left(boundaries, last, key=lambda boundary: boundary.frame)]


def _object_goals(actions: Sequence[_Action], evidence: Evidence) -> list[list[_Action]]:
    """Runs of actions that pursue one object-goal with one arm; of unknown ones the evidence knows the start."""
    groups: list[list[_Action]] = []
    for action in actions:
        if groups and _continues(_last_armed(groups[-1]), action.node, evidence):
            groups[-1].append(action)
        else:
            groups.append([action])
    return groups


def _continues(before: _Node, action: _Node, evidence: Evidence) -> bool:
    goal = action.label.goal
    if before.label.goal is not goal:
        return False
    if goal is Goal.UNKNOWN:
        return not evidence.starts_goal(action.start)
    driven = Phase.DRIVE in {before.label.phase, action.label.phase}
    return goal is Goal.MOVE or driven or before.label.arm is action.label.arm


def _last_armed(group: Sequence[_Action]) -> _Node:
    """The last action of a group that an arm did: driving on with the object in hand ends nothing."""
    nodes = [action.node for action in group]
    return next((node for node in reversed(nodes) if node.label.phase is not Phase.DRIVE), nodes[-1])


def _joined(group: Sequence[_Node], given: Given | None) -> _Node:
    label = subtask_label([node.label for node in group])
    return _Node(group[0].start, group[-1].end, label if given is None else _as_said(label, group, given), given)


def _as_said(label: Label, group: Sequence[_Node], given: Given) -> Label:
    """A given stretch has the verb of its words; without one the signals', if they see a single goal in it."""
    said = verb_of(given.text)
    one_goal = len({node.label.goal for node in group}) == 1
    seen = group[0].label.verb if len(group) == 1 else label.verb
    return replace(label, verb=said or (seen if one_goal else Verb.OTHER))


def task_label(labels: Sequence[Label]) -> Label:
    """Of a task's actions; the task is named by its instruction, not by a verb of ours."""
    arms = {label.arm for label in labels if label.phase is not Phase.DRIVE} or {None}
    goals = {label.goal for label in labels}
    goal = next(iter(goals)) if len(goals) == 1 else Goal.PLACE
    return Label(Verb.OTHER, arms.pop() if len(arms) == 1 else None, Phase.UNSEEN, goal, RecoveryKind.NONE)


def subtask_label(labels: Sequence[Label]) -> Label:
    """What a run of actions with one goal amounts to."""
    phases = [label.phase for label in labels]
    goal = labels[0].goal
    arms = {label.arm for label in labels if label.phase is not Phase.DRIVE} or {None}
    arm = arms.pop() if len(arms) == 1 else None
    return Label(_subtask_verb(goal, phases, labels), arm, phases[-1], goal, _subtask_recovery(labels))


def _subtask_verb(goal: Goal, phases: Sequence[Phase], labels: Sequence[Label]) -> Verb:
    """A pick needs a grasp and a placing needs a release; what lacks it is called what it is."""
    if goal is Goal.PICK:
        if {Phase.GRASP, Phase.LIFT, Phase.TAKE} & set(phases):
            return Verb.PICK_UP
        return Verb.GRASP if Phase.MISS in phases else labels[0].verb
    if goal is Goal.PLACE:
        if {Phase.RELEASE, Phase.PLACE, Phase.RETREAT, Phase.HAND_OVER} & set(phases):
            placing = Verb.HAND_OVER if Phase.HAND_OVER in phases else Verb.PLACE
            return placing if set(phases) - {Phase.RELEASE, Phase.RETREAT} else Verb.RELEASE
        return Verb.MOVE if {Phase.TRANSPORT, Phase.BRING} & set(phases) else labels[0].verb
    if goal is Goal.PUSH:
        return next((label.verb for label in labels if label.phase in (Phase.PUSH, Phase.PULL)), labels[0].verb)
    still = all(label.verb is Verb.HOLD_STILL for label in labels)
    moving = Verb.HOLD_STILL if still else Verb.MOVE
    return moving if goal is Goal.MOVE else Verb.OTHER


def _subtask_recovery(labels: Sequence[Label]) -> RecoveryKind:
    """Losing the object outweighs having fetched it; a miss counts only when nothing was caught after it."""
    found = [label.recovery for label in labels if label.recovery is not RecoveryKind.NONE]
    if labels[-1].recovery is RecoveryKind.SLIP:
        return RecoveryKind.SLIP
    again = [kind for kind in found if kind in (RecoveryKind.RETRY, RecoveryKind.REGRASP)]
    if again:
        return again[0]
    return found[0] if found else RecoveryKind.NONE
