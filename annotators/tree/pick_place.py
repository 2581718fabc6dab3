"""Our trees as coarser benchmarks see them: pick, place and other; or one stretch per object.

Benchmarks with robot subtasks know a few labels where we have four levels. This is the one way they are compared: a
function of the Action level alone, so that whoever cut the tree (signals, a person, a source) is read by one rule.
docs/segment.md ("Coarser views") states them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

from annotators.tracks.track import RANK
from schemas.episode import Arm
from schemas.event import BoundaryKind, Event, Level, RecoveryKind, Verb


class Coarse(StrEnum):
    """What a stretch is in a coarser view."""

    PICK = "pick"
    """Reaching for an object, up to the end of its lift."""
    PLACE = "place"
    """Carrying it, up to the end of the retreat."""
    OBJECT = "object"
    """Both, with everything that goes wrong between."""
    OTHER = "other"


class View(StrEnum):
    """The two coarser views."""

    PICK_PLACE = "pick_place"
    OBJECTS = "objects"


@dataclass(frozen=True)
class CoarseSpan:
    """One stretch of a view; the stretches of a view tile what the tree covers."""

    name: Coarse
    arm: Arm | None
    frame_start: int
    frame_end: int
    start_ns: int
    end_ns: int
    actions: tuple[str, ...]
    """Ids of the Action events it is made of."""


_FETCHING = frozenset({Verb.REACH, Verb.GRASP, Verb.PICK_UP, Verb.LIFT})
_PUTTING = frozenset(
    {Verb.PLACE, Verb.RELEASE, Verb.RETREAT, Verb.INSERT, Verb.STACK, Verb.STACK_UP, Verb.HANG, Verb.HAND_OVER}
)
_LETTING_GO = frozenset({BoundaryKind.RELEASE, BoundaryKind.SLIP})
_DIVIDING = frozenset({Coarse.PICK, Coarse.PLACE})


def coarse_view(tree: Sequence[Event], view: View) -> list[CoarseSpan]:
    """The view of one episode's tree, in time order; tasks are never joined."""
    by_id = {event.event_id: event for event in tree}
    actions = sorted((e for e in tree if e.level is Level.ACTION), key=lambda event: event.span.frame_start)
    found: list[CoarseSpan] = []
    for _, group in groupby(actions, key=lambda action: by_id[action.parent_id].parent_id):
        found += _task_view(list(_as_said(list(group), by_id)), view)
    return found


def _as_said(actions: Sequence[Event], by_id: Mapping[str, Event]) -> Iterator[Event]:
    """A task's actions; where signals see neither pick nor place in a given Subtask, they have its verb."""
    for parent_id, group in groupby(actions, key=lambda action: action.parent_id):
        parent, inside = by_id[parent_id], list(group)
        blind = all(action.verb not in _FETCHING | _PUTTING for action in inside)
        if blind and parent.boundaries_by.proposer in RANK and parent.verb in _FETCHING | _PUTTING:
            inside = [replace(action, verb=parent.verb, arm=parent.arm) for action in inside]
        yield from inside


def _task_view(actions: list[Event], view: View) -> list[CoarseSpan]:
    """Each arm is read alone, as if the other were not there; the timeline is theirs together."""
    names: dict[str, tuple[Coarse, int]] = {}
    for arm in [*Arm, None]:
        mine = [action for action in actions if action.arm is arm]
        runs = _runs(mine)
        names |= _numbered(runs if view is View.PICK_PLACE else _objects(runs))
    return [
        _span(name, list(group))
        for (name, _, _), group in groupby(
            actions, key=lambda action: (*names[action.event_id], action.arm if _is_named(names, action) else None)
        )
    ]


def _is_named(names: dict[str, tuple[Coarse, int]], action: Event) -> bool:
    return names[action.event_id][0] is not Coarse.OTHER


Run = tuple[Coarse, list[Event]]


def _runs(actions: Sequence[Event]) -> list[Run]:
    """One arm's actions as picks, places and the rest: a pick needs a grasp in it, a place a release."""
    found: list[Run] = []
    for name, group in groupby(_by_holding(actions), key=lambda named: named[0]):
        run = [action for _, action in group]
        found.append((name if _is_whole(name, run) else Coarse.OTHER, run))
    return found


def _by_holding(actions: Sequence[Event]) -> list[tuple[Coarse, Event]]:
    """What each action is for: its verb says so, or whether something is in the hand."""
    holding, named = False, list[tuple[Coarse, Event]]()
    for action in actions:
        missed = action.recovery is RecoveryKind.MISS
        if action.verb in _FETCHING:
            name = Coarse.PICK
            holding = not missed and (holding or action.verb is not Verb.REACH)
        else:
            name = Coarse.PLACE if holding or action.verb in _PUTTING else Coarse.OTHER
            holding = holding and action.verb not in _PUTTING
        if action.end.kind in _LETTING_GO and action.end.arm is action.arm:
            holding = False
        named.append((name, action))
    return named


def _is_whole(name: Coarse, run: Sequence[Event]) -> bool:
    if name is Coarse.PICK:
        return any(a.verb is not Verb.REACH and a.recovery is not RecoveryKind.MISS for a in run)
    if name is Coarse.PLACE:
        return any(a.verb in _PUTTING - {Verb.RETREAT} and a.recovery is not RecoveryKind.SLIP for a in run)
    return True


def _objects(runs: Sequence[Run]) -> list[Run]:
    """From a pick to the end of the place that follows it, whatever lies between; without one, the pick alone."""
    found: list[Run] = []
    i = 0
    while i < len(runs):
        name, last = runs[i][0], i
        if name is Coarse.PICK:
            places = [j for j in range(i + 1, len(runs)) if runs[j][0] is Coarse.PLACE]
            last = places[0] if places else i
        joined = [action for _, part in runs[i : last + 1] for action in part]
        found.append((Coarse.OBJECT if name in _DIVIDING else name, joined))
        i = last + 1
    return found


def _numbered(runs: Sequence[Run]) -> dict[str, tuple[Coarse, int]]:
    """Name of every action, and a number that keeps one object apart from the next; 0 for other."""
    return {
        action.event_id: (name, 0 if name is Coarse.OTHER else number)
        for number, (name, run) in enumerate(runs, start=1)
        for action in run
    }


def _span(name: Coarse, actions: Sequence[Event]) -> CoarseSpan:
    first, last = actions[0].span, actions[-1].span
    arms = {action.arm for action in actions}
    return CoarseSpan(
        name=name,
        arm=arms.pop() if len(arms) == 1 else None,
        frame_start=first.frame_start,
        frame_end=last.frame_end,
        start_ns=first.start_ns,
        end_ns=last.end_ns,
        actions=tuple(action.event_id for action in actions),
    )
