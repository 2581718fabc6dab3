"""Code checks of a draft: does what a model says happened agree with what the signals measured?

A problem found here does not make a draft unusable (`read_tree` has refused those). It is told to the model, which may
answer once more; what remains is repaired where there is only one way to (contacts come back, bad wording is replaced)
and is a doubt, for people, where there is not. A check that lacks its signal says nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

from annotators.tree.divide import pieces_between
from annotators.vlm.answer import MAX_WORDS, TEXT_CHARS
from annotators.vlm.draft import Draft, DraftAction, DraftRow, Fault, Label, Problem
from annotators.vlm.spans import CONTACTS, LETS_GO, TAKES, exact, held_at, kinematic_action, same_frames, sums
from annotators.vlm.window import Piece, Window
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Doubt, Verb

_PICKS = frozenset({Verb.GRASP, Verb.PICK_UP})
_PUTS = frozenset({Verb.PLACE, Verb.RELEASE})
_MOVES = frozenset({Verb.MOVE, Verb.MOVE_BACKWARD, Verb.MOVE_FORWARD, Verb.MOVE_LATERALLY})
_HOLDS = frozenset({Verb.HOLD_STILL})
_CARRIES = frozenset({Verb.LIFT, Verb.LOWER, *_MOVES, *_PICKS, *_PUTS, Verb.HOLD})
_LIFT_M, _MOVE_M, _HOLD_M = 0.01, 0.03, 0.01
"""events.md, "Code checks"."""
_LONGEST_ACTION_S = 12.0
_NOT_IMPERATIVE = frozenset(
    ("the", "a", "an", "robot", "arm", "gripper", "hand", "person", "human", "man", "woman", "he", "she", "it", "they",
     "i", "we", "you", "this", "there", "then", "and")
)  # fmt: skip
_VERBS = frozenset(verb.value.split()[0] for verb in Verb if verb is not Verb.OTHER)
_ING_VERBS = frozenset({"bring", "swing", "wring", "ring", "sling", "string", "fling", "cling", "spring", "ping"})

DOUBT_OF: Mapping[Fault, Doubt] = MappingProxyType(
    {
        Fault.VERB: Doubt.VERB,
        Fault.CONTACT: Doubt.CUT,
        Fault.ARM: Doubt.ARM,
        Fault.OBJECT: Doubt.OBJECT,
        Fault.LENGTH: Doubt.LENGTH,
    }
)


def tree_problems(window: Window, draft: Draft) -> list[Problem]:
    """Everything that speaks against a draft, in time order."""
    problems = list(_dropped_contacts(window, draft))
    for number, action in enumerate(draft.actions()):
        end = _named(window, action.end)
        for fault, text in _action_faults(window, action):
            problems.append(Problem(fault, f"the action that ends at {end}: {text}", number))
    problems += _changed_objects(window, draft)
    return problems


def _named(window: Window, end: Boundary) -> str:
    ids = {piece.end.frame: piece.candidate for piece in window.pieces}
    return ids.get(end.frame, f"F{end.frame}")


def dropped_inside(window: Window, action: DraftAction) -> list[Piece]:
    """Candidates strictly inside an action that end an action of the detector's, in time order."""
    first, last = action.start.frame, action.end.frame
    return [p for p in window.pieces if first < p.end.frame < last and p.ends_action and not p.inside_anchored_action]


def _dropped_contacts(window: Window, draft: Draft) -> Iterator[Problem]:
    """Dropping a grasp or a release needs a reason (events.md)."""
    for number, action in enumerate(draft.actions()):
        for piece in dropped_inside(window, action):
            if piece.end.kind in CONTACTS and piece.candidate not in draft.dropped:
                text = f"{piece.candidate} is a {piece.end.kind.value}; end an action there or say in dropped why not"
                yield Problem(Fault.CONTACT, text, number, piece.candidate)


def _action_faults(window: Window, action: DraftAction) -> Iterator[tuple[Fault, str]]:
    yield from verb_faults(window, action)
    arm = arm_fault(window, action)
    if arm:
        yield Fault.ARM, arm
    if (action.end.t_ns - action.start.t_ns) > _LONGEST_ACTION_S * 1e9 and dropped_inside(window, action):
        yield Fault.LENGTH, f"it lasts more than {_LONGEST_ACTION_S:.0f} s although there are candidates inside"
    for text in dict.fromkeys([action.label.text, *(row.text for row in action.rows)]):
        wording = wording_fault(text)
        if wording:
            yield Fault.WORDING, wording


def verb_faults(window: Window, action: DraftAction) -> Iterator[tuple[Fault, str]]:
    """Whether the motion bears the verb out."""
    verb, arm = action.label.verb, action.label.arm
    measured = same_frames(window, action.start, action.end)
    if measured is not None and measured.verb is verb:
        return  # the detector's own name, such as a move of a base whose arms rest
    if window.sees_fingers and verb in _PICKS and not _touches(window, action, TAKES | {BoundaryKind.MISS}, arm):
        yield Fault.VERB, f"{verb.value} needs a grasp, and the fingers grasp nothing then"
    if window.sees_fingers and verb in _PUTS and not _touches(window, action, LETS_GO, arm):
        yield Fault.VERB, f"{verb.value} needs a release, and the fingers let go of nothing then"
    total = sums(exact(window, action.start, action.end))
    if total is None or (arm is not None and _arm_of(window, action) not in (arm, None)):
        return
    if verb is Verb.LIFT and total.dz_m <= _LIFT_M:
        yield Fault.VERB, f"lift needs a rise of more than 1 cm, measured {total.dz_m * 100:.1f} cm"
    if verb in _MOVES and total.path_m <= _MOVE_M:
        yield Fault.VERB, f"{verb.value} needs more than 3 cm, measured {total.path_m * 100:.1f} cm"
    if verb in _HOLDS and total.distance_m >= _HOLD_M:
        yield Fault.VERB, f"{verb.value} allows less than 1 cm, measured {total.distance_m * 100:.1f} cm"


def _touches(window: Window, action: DraftAction, kinds: frozenset[BoundaryKind], arm: Arm | None) -> bool:
    return window.touching(action.start, action.end, kinds, arm)


def _arm_of(window: Window, action: DraftAction) -> Arm | None:
    arms = {piece.segment.arm for piece in window.inside(action.start, action.end)}
    return arms.pop() if len(arms) == 1 else None


def arm_fault(window: Window, action: DraftAction) -> str:
    """Whether the arm that is named is the one the signals saw; empty when it is, or nobody can tell."""
    measured = kinematic_action(window, action.start, action.end).arm
    if action.label.arm is None or measured is None or action.label.arm is measured:
        return ""
    return f"the {measured.value} arm moves, not the {action.label.arm.value} one"


def wording_fault(text: str) -> str:
    """Whether a caption is an imperative of at most 15 words; empty when it is."""
    words = text.split()
    if not words:
        return f"its text is empty or has {TEXT_CHARS} characters and more"
    if len(words) > MAX_WORDS:
        return f"its text has {len(words)} words, at most {MAX_WORDS} are allowed"
    first = words[0].lower().strip(".,;:!?'\"")
    if first in _VERBS:  # such as "hand over"
        return ""
    if first in _NOT_IMPERATIVE or (first.endswith("ing") and first not in _ING_VERBS):
        return f"its text is no imperative, it begins with {words[0]!r}"
    return ""


def _changed_objects(window: Window, draft: Draft) -> Iterator[Problem]:
    """What a hand grasped is what it lets go of."""
    held: dict[Arm | None, str] = {}
    for number, action in enumerate(draft.actions()):
        arm = _arm_of(window, action)
        name = _plain_name(action.label.object)
        before = held.get(arm, "")
        still = held_at(window, action.start.frame, arm) is not False
        if action.label.verb in _CARRIES and name and before and still and not _same_thing(name, before):
            text = f"the object is called {name}, but {before} was grasped; use one name until it is released"
            yield Problem(Fault.OBJECT, f"the action that ends at {_named(window, action.end)}: {text}", number)
        if action.label.verb in _PICKS and name and window.touching(action.start, action.end, TAKES, arm):
            held[arm] = name
        if window.touching(action.start, action.end, LETS_GO, arm) and action.label.verb in _PUTS:
            held.pop(arm, None)


def _plain_name(text: str) -> str:
    words = [word for word in text.lower().split() if word not in ("the", "a", "an")]
    return " ".join(words)


def _same_thing(a: str, b: str) -> bool:
    """One name, or one name with more said about it: ``cup`` and ``red cup``."""
    return set(a.split()) <= set(b.split()) or set(b.split()) <= set(a.split())


def repaired(window: Window, draft: Draft, problems: list[Problem]) -> Draft:
    """The draft after its last chance: contacts restored, wording replaced, the rest in doubt."""
    changed: dict[int, tuple[DraftAction, ...]] = {}
    for number, action in enumerate(draft.actions()):
        mine = [problem for problem in problems if problem.action == number]
        if not mine:
            continue
        doubts = {DOUBT_OF[problem.fault] for problem in mine if problem.fault in DOUBT_OF}
        better = _reworded(action.doubted(*doubts))
        restored = {problem.candidate for problem in mine if problem.fault is Fault.CONTACT}
        changed[number] = split_at(window, better, restored)
    return draft.with_actions(changed)


def _reworded(action: DraftAction) -> DraftAction:
    label = action.label
    plain = plain_text(label)
    rows = tuple(replace(row, text=plain) if wording_fault(row.text) else row for row in action.rows)
    return replace(action, rows=rows, label=replace(label, text=plain) if wording_fault(label.text) else label)


def plain_text(label: Label) -> str:
    """A caption of verb and object, where a better one is missing."""
    verb = "move" if label.verb is Verb.OTHER else label.verb.value
    name = _plain_name(label.object)
    words = f"{verb} the {name}".split() if name else verb.split()
    text = " ".join(words[:MAX_WORDS])
    return text[:1].upper() + text[1:]


def split_at(window: Window, action: DraftAction, candidates: set[str]) -> tuple[DraftAction, ...]:
    """An action divided at candidates inside it: the part its label fits keeps it, kinematics name the others."""
    cuts = [piece.end for piece in dropped_inside(window, action) if piece.candidate in candidates]
    edges = pieces_between(action.start, action.end, cuts, window.fits)  # too near to an inserted cut: that one stands
    if len(edges) == 2:
        return (action,)
    spans = list(pairwise(edges))
    kinematic = [kinematic_action(window, start, end) for start, end in spans]
    named = [event.verb is action.label.verb for event in kinematic]
    keeps = named.index(True) if any(named) else max(range(len(spans)), key=lambda i: _length(spans[i]))
    parts = []
    for number, (start, end) in enumerate(spans):
        label = action.label
        if number != keeps:
            event = kinematic[number]
            label = replace(label, verb=event.verb, arm=event.arm, origin="", destination="", recovery=event.recovery)
            label = replace(label, text=plain_text(label))
        part = DraftAction(_rows_between(window, action, start, end, label), label, action.doubts)
        parts.append(part)
    return tuple(parts)


def _length(span: tuple[Boundary, Boundary]) -> int:
    return span[1].t_ns - span[0].t_ns


def _rows_between(
    window: Window, action: DraftAction, start: Boundary, end: Boundary, label: Label
) -> tuple[DraftRow, ...]:
    """The action's own row ends between two boundaries; a single row is called what the part is called."""
    inner = [row.end for row in action.rows if start.frame < row.end.frame < end.frame]
    edges = pieces_between(start, end, inner, window.fits)
    return tuple(DraftRow(a, b, label.verb, label.text) for a, b in pairwise(edges))
