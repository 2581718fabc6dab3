"""Filling the templates: which line describes an event, and what goes into its slots.

The line follows from the event's verb, what went wrong, and the situation: is something in the hand (carrying), on the
way to it (reaching), or moving off (leaving). Objects are named only when the instruction's goals and the tree's picks
can be paired one to one, or when a person or the source has named the one object of a Subtask; otherwise "the object"
says honestly that the name is not known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from annotators.tracks.untouched import is_settled
from annotators.words.instruction import NamedGoal, named_goals
from annotators.words.template import Templates, render, slots_of
from schemas.episode import Arm, Episode
from schemas.event import BoundaryKind, Event, Level, Motion, Provenance, RecoveryKind, Verb

MAX_WORDS = 15
"""At Action and Segment level (events.md, "Code checks")."""
UNNAMED = NamedGoal("")
_CARRIED = frozenset({Verb.GRASP, Verb.LIFT, Verb.PICK_UP, Verb.PLACE})
_EMPTY = frozenset({Verb.REACH, Verb.RELEASE, Verb.RETREAT})
_LETTING_GO = frozenset({BoundaryKind.SUPPORT, BoundaryKind.RELEASE, BoundaryKind.SLIP})
_PICKING = frozenset({Verb.REACH, Verb.GRASP, Verb.PICK_UP})
_GOAL_VERBS = _PICKING | {Verb.PLACE, Verb.RELEASE, Verb.RETREAT}
_STILL_SHARE = 0.9
_DIRECTION_SHARE = 0.7
_DIRECTION_M = 0.03


@dataclass(frozen=True)
class _Context:
    """What an event's neighbours say about it."""

    goal: NamedGoal = UNNAMED
    situation: str = ""


def template_captions(
    tree: Sequence[Event], episode: Episode, templates: Templates, *, with_duration: bool
) -> list[Event]:
    """The tree with a caption on every event that has none from elsewhere, in the order it came."""
    contexts = _contexts(tree, named_goals(episode.instruction))
    author = Provenance(proposer="template", prompt_hash=templates.digest)
    worded = []
    for event in tree:
        if event.caption_by is not None and event.caption_by.proposer != author.proposer:
            worded.append(event)
            continue
        context = contexts[event.event_id]
        phrase = _phrase(event, context, episode, templates)
        text = _text(event, context, episode, phrase, templates.phrases["duration"] if with_duration else "")
        named = bool(context.goal.noun) and ("object" in slots_of(phrase) or event.level is Level.TASK)
        objects = (context.goal.noun,) if named else ()
        worded.append(replace(event, caption=text, objects=objects, caption_by=author))
    return worded


def _phrase(event: Event, context: _Context, episode: Episode, templates: Templates) -> str:
    """The most specific template there is for an event."""
    if event.level is Level.TASK:
        return templates.find("task.named" if episode.instruction.strip() else "task.unnamed")
    verb = "move" if event.verb.value.startswith("move ") else event.verb.value.replace(" ", "_")
    still = "still" if event.verb is Verb.OTHER and event.static_fraction >= _STILL_SHARE else ""
    endings = [f".{ending}" for ending in (_recovery(event), context.situation, still) if ending]
    levels = [Level.SEGMENT, Level.ACTION] if event.level is Level.SEGMENT else [event.level]
    names = [f"{level}.{verb}{ending}" for ending in (*endings, "") for level in levels]
    return templates.find(*names, *(f"{level}.any" for level in levels))


def _recovery(event: Event) -> str:
    return "" if event.recovery is RecoveryKind.NONE else event.recovery.value


def _text(event: Event, context: _Context, episode: Episode, phrase: str, duration: str) -> str:
    """The filled phrase; below subtask level the fullest version of at most `MAX_WORDS` words."""
    seconds = event.span.duration_s
    slots = {
        "instruction": " ".join(episode.instruction.split()).rstrip(".").rstrip(),
        "object": f"the {context.goal.noun}" if context.goal.noun else "the object",
        "destination": context.goal.destination,
        "arm": "" if event.arm is None else event.arm.value,
        "direction": direction_of(event.motion),
        "verb": event.verb.value,
        "seconds": f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}",
    }
    versions = list(_versions(phrase, slots, duration if event.level is not Level.TASK else ""))
    if event.level in (Level.TASK, Level.SUBTASK):
        return versions[0]
    return next((text for text in versions if len(text.split()) <= MAX_WORDS), versions[-1])


def _versions(phrase: str, slots: dict[str, str], duration: str) -> Iterator[str]:
    """From the fullest wording to the barest; the arm goes last, because captions name the arm."""
    for dropped in ((), ("destination",), ("destination", "direction"), ("destination", "direction", "arm")):
        text = render(phrase, slots | dict.fromkeys(dropped, ""))
        if duration:
            yield render(duration, slots | {"caption": text})
        if not duration or dropped:
            yield text


def direction_of(motion: Motion | None) -> str:
    """Where a displacement of more than 3 cm mostly goes, in words; empty when no axis dominates or none is known."""
    if motion is None or motion.displacement_x_m is None:
        return ""
    return direction_along((motion.displacement_x_m, motion.displacement_y_m or 0.0, motion.displacement_z_m or 0.0))


def direction_along(steps: tuple[float, float, float]) -> str:
    """The same for a displacement in metres, x forward, y left, z up."""
    length = sum(step * step for step in steps) ** 0.5
    names = (("forward", "backward"), ("to the left", "to the right"), ("up", "down"))
    for step, (positive, negative) in zip(steps, names, strict=True):
        if length > _DIRECTION_M and abs(step) >= _DIRECTION_SHARE * length:
            return positive if step > 0 else negative
    return ""


def _contexts(tree: Sequence[Event], goals: list[NamedGoal]) -> dict[str, _Context]:
    """Goal and situation of every event, by id."""
    by_level = {level: _in_time(tree, level) for level in Level}
    goal_of = _paired(by_level[Level.SUBTASK], goals) | _said(by_level[Level.SUBTASK])
    contexts = {task.event_id: _Context(goals[0] if len(goals) == 1 else UNNAMED) for task in by_level[Level.TASK]}
    situation_of = _situations(by_level[Level.ACTION])
    first_action = {action.parent_id: action for action in reversed(by_level[Level.ACTION])}
    for subtask in by_level[Level.SUBTASK]:
        first = first_action.get(subtask.event_id)
        carrying = first is not None and situation_of[first.event_id] == "carrying"
        goal = goal_of.get(subtask.event_id, UNNAMED)
        contexts[subtask.event_id] = _Context(goal, "carrying" if carrying else "")
    for action in by_level[Level.ACTION]:
        contexts[action.event_id] = _Context(contexts[action.parent_id].goal, situation_of[action.event_id])
    for segment in by_level[Level.SEGMENT]:
        context = contexts[segment.parent_id]
        leaving = context.situation in ("leaving", "releasing")
        contexts[segment.event_id] = replace(context, situation=_leaving(segment)) if leaving else context
    return contexts


def _said(subtasks: Sequence[Event]) -> dict[str, NamedGoal]:
    """The one object that the words of a person or the source name; what lies in such a subtask is about it."""
    found = {}
    for subtask in subtasks:
        goals = named_goals(subtask.caption) if is_settled(subtask) else []
        if len(goals) == 1:
            found[subtask.event_id] = goals[0]
    return found


def _in_time(tree: Sequence[Event], level: Level) -> list[Event]:
    return sorted((event for event in tree if event.level is level), key=lambda event: event.span.frame_start)


def _paired(subtasks: list[Event], goals: list[NamedGoal]) -> dict[str, NamedGoal]:
    """The named goal of every subtask about an object, if goals and pick-and-place cycles pair one to one.

    Instructions name things in the order they are to be done; a clause that names an arm speaks of that arm only.
    """
    paired: dict[str, NamedGoal] = {}
    cycles = _cycles(subtasks)
    by_arm = any(goal.arm is not None for goal in goals)
    for arm in [*Arm, None] if by_arm else [None]:
        wanted = [goal for goal in goals if not by_arm or goal.arm is arm]
        found = [cycle for cycle in cycles if not by_arm or cycle[0].arm is arm]
        if len(wanted) == len(found):
            paired |= {sub.event_id: goal for goal, cycle in zip(wanted, found, strict=True) for sub in cycle}
    return paired


def _cycles(subtasks: list[Event]) -> list[list[Event]]:
    """Each arm's subtasks grouped by object: a new pick starts a new object unless it fetches a dropped one."""
    cycles: list[list[Event]] = []
    current: dict[Arm | None, list[Event]] = {}
    for subtask in subtasks:
        carrying = subtask.verb is Verb.MOVE and subtask.arm in current
        if subtask.verb not in _GOAL_VERBS and not carrying:
            continue
        before = current.get(subtask.arm)
        fetching = subtask.recovery is RecoveryKind.REGRASP
        picked_before = before is not None and before[-1].verb in _PICKING
        if before is None or (subtask.verb in _PICKING and not fetching and not picked_before):
            before = current[subtask.arm] = []
            cycles.append(before)
        before.append(subtask)
    return cycles


def _leaving(event: Event) -> str:
    """A retreat that begins with the release (too short to stand alone) is worded as both."""
    both = event.verb is Verb.RETREAT and event.start.kind is BoundaryKind.RELEASE
    return "releasing" if both else "leaving"


def _situations(actions: list[Event]) -> dict[str, str]:
    """Carrying, reaching, leaving, releasing or nothing, for every action in time order."""
    situations: dict[str, str] = {}
    holding: dict[Arm | None, bool] = {}
    for action in actions:
        if action.recovery is RecoveryKind.MISS:
            holding[action.arm] = False
        elif action.verb in _CARRIED or action.end.kind in _LETTING_GO:
            holding[action.arm] = True
        elif action.verb in _EMPTY:
            holding[action.arm] = False
        situation = "carrying" if holding.get(action.arm, False) else ""
        if action.verb in (Verb.RELEASE, Verb.RETREAT):
            situation = _leaving(action)
        elif action.verb is Verb.REACH or action.recovery is RecoveryKind.MISS:
            situation = "reaching"
        situations[action.event_id] = situation
    return situations
