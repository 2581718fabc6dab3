"""From cuts to a valid event tree: Task ⊃ Subtask ⊃ Action ⊃ Segment (events.md, "Levels").

One Task per kept range: a Task that straddled a trimmed hole would claim frames that are not kept, and its clip would
show them. Actions lie between the detectors' cuts; neighbouring actions with one goal and one arm are a Subtask;
an action is divided into Segments at the candidates for motion primitives. Nesting and cover hold by construction,
because every level only drops boundaries of the level below.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from annotators.tree.divide import divide_long, on_frames, pieces_between, range_edge
from annotators.tree.evidence import Evidence, Goal, Label, Phase
from annotators.tree.ranges import Fits
from schemas.array import Ints
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
_LEAST_SEGMENT_S = 0.25
"""Motion primitives shorter than this are not cut out voluntarily."""


@dataclass(frozen=True)
class _Node:
    """A piece of one level before it becomes an event."""

    start: Boundary
    end: Boundary
    label: Label


@dataclass(frozen=True, eq=False)
class TreeBuilder:
    """What every level needs to make events of one episode."""

    episode: Episode
    clock: FrameClock
    action_times_ns: Ints | None
    evidence: Evidence
    fits: Fits
    spec: SegmentSpec

    def tree(self, ranges: Sequence[tuple[int, int]]) -> list[Event]:
        """The events of all ranges, sorted by level and time."""
        cuts = on_frames(self.evidence.cuts(), self.clock)
        primitives = on_frames(self.evidence.primitive_cuts(), self.clock)
        unrest = self.evidence.unrest()
        events: list[Event] = []
        for first, last in ranges:
            edges = [range_edge(first, self.clock), range_edge(last, self.clock)]
            marks = pieces_between(edges[0], edges[1], _inside(cuts, first, last), self.fits)
            marks = divide_long(marks, self.spec.max_action_s, unrest, self.clock, self.fits)
            actions = [_Node(start, end, self.evidence.label(start, end)) for start, end in pairwise(marks)]
            task = self._event(Level.TASK, _Node(edges[0], edges[1], _whole(actions)), "")
            events.append(task)
            for group in _object_goals(actions, self.evidence):
                subtask = self._event(Level.SUBTASK, _joined(group), task.event_id)
                events.append(subtask)
                for action in group:
                    event = self._event(Level.ACTION, action, subtask.event_id)
                    events.append(event)
                    inner = _inside(primitives, action.start.frame, action.end.frame)
                    least_ns = int(_LEAST_SEGMENT_S * NS_PER_S)
                    parts = pieces_between(action.start, action.end, inner, self.fits, least_ns)
                    parts = divide_long(parts, self.spec.max_segment_s, unrest, self.clock, self.fits)
                    for start, end in pairwise(parts):
                        alone = len(parts) == 2
                        label = action.label if alone else self.evidence.segment_label(action.label, start, end)
                        events.append(self._event(Level.SEGMENT, _Node(start, end, label), event.event_id))
        return sorted(events, key=lambda event: (event.level.depth, event.span.frame_start))

    def _event(self, level: Level, node: _Node, parent_id: str) -> Event:
        span = self.clock.span(node.start.frame, node.end.frame, self.action_times_ns)
        doubtful = min(node.start.confidence, node.end.confidence) < DOUBTFUL
        return Event(
            event_id=make_event_id(self.episode.episode_id, level, span, 0),
            episode_id=self.episode.episode_id,
            level=level,
            parent_id=parent_id,
            span=span,
            start=node.start,
            end=node.end,
            verb=node.label.verb,
            caption="",
            objects=(),
            arm=node.label.arm,
            recovery=node.label.recovery,
            static_fraction=self.evidence.static_fraction(node.start, node.end),
            motion=self.evidence.motion(node.label.arm, node.start, node.end),
            needs_vlm=doubtful or node.label.goal in (Goal.UNKNOWN, Goal.MOVE),
            boundaries_by=Provenance(proposer=self.evidence.proposer),
            caption_by=None,
            review=ReviewState.PROPOSED,
            revision=0,
        )


def _inside(boundaries: Sequence[Boundary], first: int, last: int) -> Sequence[Boundary]:
    """Those strictly between two frames, of boundaries in time order."""
    low = bisect_right(boundaries, first, key=lambda boundary: boundary.frame)
    return boundaries[low : bisect_left(boundaries, last, key=lambda boundary: boundary.frame)]


def _object_goals(actions: Sequence[_Node], evidence: Evidence) -> list[list[_Node]]:
    """Runs of actions that pursue one object-goal with one arm; of unknown ones the evidence knows the start."""
    groups: list[list[_Node]] = []
    for action in actions:
        if groups and _continues(_last_armed(groups[-1]), action, evidence):
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


def _last_armed(group: Sequence[_Node]) -> _Node:
    """The last action of a group that an arm did: driving on with the object in hand ends nothing."""
    return next((action for action in reversed(group) if action.label.phase is not Phase.DRIVE), group[-1])


def _joined(group: Sequence[_Node]) -> _Node:
    return _Node(group[0].start, group[-1].end, subtask_label([node.label for node in group]))


def _whole(actions: Sequence[_Node]) -> Label:
    """A task is named by its instruction, not by a verb of ours."""
    arms = {action.label.arm for action in actions if action.label.phase is not Phase.DRIVE} or {None}
    goals = {action.label.goal for action in actions}
    goal = next(iter(goals)) if len(goals) == 1 else Goal.PLACE
    return Label(Verb.OTHER, arms.pop() if len(arms) == 1 else None, Phase.UNSEEN, goal, RecoveryKind.NONE)


def subtask_label(labels: Sequence[Label]) -> Label:
    """What a run of actions with one goal amounts to."""
    phases = [label.phase for label in labels]
    goal = labels[0].goal
    arms = {label.arm for label in labels if label.phase is not Phase.DRIVE} or {None}
    arm = arms.pop() if len(arms) == 1 else None
    return Label(_subtask_verb(goal, phases, labels), arm, phases[-1], goal, _subtask_recovery(phases, labels))


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
    if goal is Goal.MOVE:
        return Verb.HOLD_STILL if all(label.verb is Verb.HOLD_STILL for label in labels) else Verb.MOVE
    return Verb.OTHER


def _subtask_recovery(phases: Sequence[Phase], labels: Sequence[Label]) -> RecoveryKind:
    """Losing the object outweighs having fetched it; a miss counts only when nothing was caught after it."""
    found = [label.recovery for label in labels if label.recovery is not RecoveryKind.NONE]
    if phases[-1] is Phase.DROP:
        return RecoveryKind.SLIP
    again = [kind for kind in found if kind in (RecoveryKind.RETRY, RecoveryKind.REGRASP)]
    if again:
        return again[0]
    return found[0] if found else RecoveryKind.NONE
