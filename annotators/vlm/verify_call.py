"""VERIFY, the second call: is each event what the first call named it? One request for all events of a window.

Each event is shown by its first, middle and last thumbnail, with three labels in shuffled order: the first call's, the
detector's, and one that is wrong but easily confused with them. The order follows from the event's frames alone, so a
request is the same whenever it is made. Labels are of one form (verb and object), so that wording betrays nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from annotators.vlm.answer import TEXT_CHARS, Part, list_of, one_of, read, record, schema_text, sentence, text_of
from annotators.vlm.draft import Draft, DraftAction, DraftRow, Fault, Label, Problem
from annotators.vlm.request import Answer, Call, Refusal, Request
from annotators.vlm.sheet import NOTHING, Sheets, nearest, paged, seconds
from annotators.vlm.spans import held_at, kinematic_action
from annotators.vlm.tile import Tile, aspect_of, tile_size
from annotators.vlm.tree_checks import dropped_inside, plain_text, split_at, verb_faults, wording_fault
from annotators.vlm.window import Window
from schemas.event import Doubt, Outcome, Verb
from schemas.filmstrip import Thumbnail
from schemas.identity import digest

NONE_IS_RIGHT = "x"
LETTERS = "abc"
_EVENTS_PER_ROW, _ROWS_PER_PAGE = 2, 8
_TOKENS_FIXED, _TOKENS_PER_EVENT = 200, 50
_YES_NO = ("yes", "no", "unclear")
_SURE = 0.5
"""A cut the detector itself doubts needs more than one voice."""

CONFUSED: Mapping[Verb, Verb] = MappingProxyType(
    {
        Verb.REACH: Verb.RETREAT, Verb.RETREAT: Verb.REACH, Verb.GRASP: Verb.RELEASE, Verb.RELEASE: Verb.GRASP,
        Verb.LIFT: Verb.LOWER, Verb.LOWER: Verb.LIFT, Verb.PLACE: Verb.PICK_UP, Verb.PICK_UP: Verb.PLACE,
        Verb.MOVE: Verb.HOLD, Verb.HOLD: Verb.MOVE, Verb.HOLD_STILL: Verb.ADJUST, Verb.ADJUST: Verb.HOLD_STILL,
        Verb.MOVE_FORWARD: Verb.MOVE_BACKWARD, Verb.MOVE_BACKWARD: Verb.MOVE_FORWARD, Verb.PUSH: Verb.PULL,
        Verb.PULL: Verb.PUSH, Verb.OPEN: Verb.CLOSE, Verb.CLOSE: Verb.OPEN, Verb.PRESS: Verb.TAP, Verb.TAP: Verb.PRESS,
        Verb.POUR: Verb.SCOOP, Verb.SCOOP: Verb.POUR, Verb.FOLD: Verb.UNFOLD, Verb.UNFOLD: Verb.FOLD,
        Verb.INSERT: Verb.ALIGN, Verb.ALIGN: Verb.INSERT, Verb.ROTATE: Verb.FLIP, Verb.FLIP: Verb.ROTATE,
    }
)  # fmt: skip
"""The label nearest to wrong: the same motion backwards, or one that looks alike in a still."""
_SPARE = (Verb.MOVE, Verb.REACH, Verb.GRASP, Verb.PLACE, Verb.RETREAT)


@dataclass(frozen=True)
class Option:
    """One label on offer and who offers it."""

    verb: Verb
    by: str
    """``call``, ``kinematic`` or ``distractor``."""


class ItemAnswer(Part):
    """One event."""

    id: str
    pick: str
    held: str
    reached: str
    verb: Verb | None = None
    text: str = ""
    split: tuple[str, ...] = ()


class VerifyAnswer(Part):
    """The whole answer."""

    events: tuple[ItemAnswer, ...]


def event_ids(draft: Draft) -> list[str]:
    """``E01`` … in time order."""
    return [f"E{number:02d}" for number, _ in enumerate(draft.actions(), start=1)]


def open_ids(window: Window, draft: Draft) -> frozenset[str]:
    """The events on which call 1 and the detector are not of one mind already: all that a sparing second call asks."""
    return frozenset(
        name for name, action in zip(event_ids(draft), draft.actions(), strict=True) if _is_open(window, action)
    )


def _is_open(window: Window, action: DraftAction) -> bool:
    agreed = kinematic_action(window, action.start, action.end).verb is action.label.verb
    faulty = any(True for _ in verb_faults(window, action))
    return not agreed or faulty or bool(action.doubts) or any(True for _ in dropped_inside(window, action))


def _asked(draft: Draft, only: Collection[str] | None) -> list[tuple[str, DraftAction]]:
    named = zip(event_ids(draft), draft.actions(), strict=True)
    return [(name, action) for name, action in named if only is None or name in only]


def options(window: Window, action: DraftAction) -> list[Option]:
    """Three different labels, shuffled by the event's own frames."""
    offers = [Option(action.label.verb, "call")]
    measured = kinematic_action(window, action.start, action.end).verb
    if measured not in (action.label.verb, Verb.OTHER):
        offers.append(Option(measured, "kinematic"))
    wrong = [CONFUSED[offer.verb] for offer in offers if offer.verb in CONFUSED]
    for verb in (*wrong, *_SPARE):
        if len(offers) < len(LETTERS) and verb not in {offer.verb for offer in offers}:
            offers.append(Option(verb, "distractor"))
    name = f"{window.window_id}:{action.start.frame}:{action.end.frame}"
    return sorted(offers, key=lambda offer: digest(name, offer.verb.value))


def verify_sheets(
    draft: Draft, thumbnails: Sequence[Thumbnail], *, tile_px: int, only: Collection[str] | None = None
) -> Sheets:
    """Three tiles per event, two events a row; of all events, or of ``only`` some."""
    ordered = sorted(thumbnails, key=lambda thumbnail: thumbnail.t_ns)
    if not ordered:
        return NOTHING
    times = [thumbnail.t_ns for thumbnail in ordered]
    size = tile_size(tile_px, aspect_of(ordered[0].jpeg))
    tiles = []
    for name, action in _asked(draft, only):
        start, end = action.start.t_ns, action.end.t_ns
        for number, t_ns in enumerate((start, (start + end) // 2, end)):
            near = nearest(times, t_ns, 0, len(times))
            assert near is not None
            shown = ordered[near]
            tiles.append(Tile(shown.jpeg, f"{seconds(shown.t_ns)}s", name if number == 0 else ""))
    return paged(tiles, 3 * _EVENTS_PER_ROW, _ROWS_PER_PAGE, size)


def verify_request(
    window: Window,
    draft: Draft,
    images: Sequence[bytes],
    *,
    model: str,
    system: str,
    attempt: int = 0,
    only: Collection[str] | None = None,
) -> Request:
    """The question about all events of a draft, or about ``only`` some."""
    lines = [f"Task: {window.instruction or 'not stated'}"]
    asked = _asked(draft, only)
    for name, action in asked:
        thing = f" {action.label.object}" if action.label.object else ""
        offers = " ".join(
            f"{letter}={offer.verb.value}" for letter, offer in zip(LETTERS, options(window, action), strict=False)
        )
        cuts = ",".join(f"{piece.candidate}@{seconds(piece.end.t_ns)}" for piece in dropped_inside(window, action))
        span = f"{seconds(action.start.t_ns)}-{seconds(action.end.t_ns)}"
        lines.append(f"{name} {span}{thing}: {offers}" + (f" cuts {cuts}" if cuts else ""))
    return Request(
        call=Call.VERIFY,
        subject=window.window_id,
        model=model,
        system=system,
        images=tuple(images),
        text="\n".join(lines),
        schema=verify_schema(window, draft, only),
        max_tokens=_TOKENS_FIXED + _TOKENS_PER_EVENT * len(asked),
        attempt=attempt,
    )


def verify_schema(window: Window, draft: Draft, only: Collection[str] | None = None) -> str:
    """The JSON schema of the answer."""
    names = [name for name, _ in _asked(draft, only)]
    cuts = [piece.candidate for _, action in _asked(draft, only) for piece in dropped_inside(window, action)]
    optional = {"verb": one_of([verb.value for verb in Verb]), "text": text_of(TEXT_CHARS)}
    if cuts:
        optional["split"] = list_of(one_of(cuts), min(8, len(cuts)))
    item = record(
        {
            "id": one_of(names),
            "pick": one_of([*LETTERS, NONE_IS_RIGHT]),
            "held": one_of(_YES_NO),
            "reached": one_of(_YES_NO),
        },
        optional,
    )
    return schema_text(record({"events": list_of(item, len(names), least=1)}))


def read_verify(draft: Draft, reply: Answer | Refusal) -> Mapping[str, ItemAnswer] | Problem:
    """What was said about which event; of two answers to one event the first. Events may be missing."""
    answer = read(VerifyAnswer, reply)
    if isinstance(answer, Problem):
        return answer
    known = set(event_ids(draft))
    said = {item.id: item for item in reversed(answer.events) if item.id in known}
    return said or Problem(Fault.UNREADABLE, "the answer is about none of the events asked about")


def judged(window: Window, draft: Draft, said: Mapping[str, ItemAnswer], only: Collection[str] | None = None) -> Draft:
    """The draft after both calls: what two of three voices say is taken, what no two say is in doubt.

    Events that were not asked about keep their verb, which the detector seconds, and have no outcome.
    """
    changed: dict[int, tuple[DraftAction, ...]] = {}
    for number, (name, action) in enumerate(_asked(draft, None)):
        if only is not None and name not in only:
            changed[number] = (replace(action, label=replace(action.label, outcome=Outcome.UNKNOWN)),)
            continue
        item = said.get(name)
        changed[number] = (action.doubted(Doubt.UNVERIFIED),) if item is None else _judge(window, action, item)
    return draft.with_actions(changed)


def _judge(window: Window, action: DraftAction, item: ItemAnswer) -> tuple[DraftAction, ...]:
    action = _relabelled(window, action, item)
    action = _with_outcome(window, action, item)
    wanted = {name for name in item.split if name in {piece.candidate for piece in dropped_inside(window, action)}}
    sure = {name for name in wanted if window.by_candidate[name].end.confidence >= _SURE}
    if wanted - sure:
        action = action.doubted(Doubt.CUT)
    return split_at(window, action, sure)


def _relabelled(window: Window, action: DraftAction, item: ItemAnswer) -> DraftAction:
    """The verb that two of call 1, call 2 and the kinematics agree on; the kinematic one in doubt when none do."""
    first = action.label.verb
    offers = dict(zip(LETTERS, options(window, action), strict=False))
    picked = offers[item.pick].verb if item.pick in offers else item.verb
    measured = kinematic_action(window, action.start, action.end).verb
    voiced = measured is not Verb.OTHER
    if picked is first:
        doubtful = any(True for _ in verb_faults(window, action))  # a contact that came back is seconded as well
        settled = replace(action, doubts=action.doubts - {Doubt.VERB, Doubt.CUT})
        return settled.doubted(Doubt.VERB) if doubtful else settled
    if picked is not None and voiced and picked is measured:
        return _renamed(action, measured, "")
    if picked is None or (voiced and first is measured):
        return action.doubted(Doubt.VERB)  # nobody seconds the second call
    if not voiced:
        return _renamed(action, picked, item.text).doubted(Doubt.VERB)
    return _renamed(action, measured, "").doubted(Doubt.VERB)


def _renamed(action: DraftAction, verb: Verb, text: str) -> DraftAction:
    """The action by another verb, and so its rows that were called like it."""
    label = replace(action.label, verb=verb)
    said = sentence(text)
    label = replace(label, text=plain_text(label) if wording_fault(said) else said)
    rows = tuple(_renamed_row(row, action.label, label) for row in action.rows)
    return replace(action, label=label, rows=rows, doubts=action.doubts - {Doubt.VERB})


def _renamed_row(row: DraftRow, before: Label, label: Label) -> DraftRow:
    return replace(row, verb=label.verb, text=label.text) if row.verb is before.verb else row


def _with_outcome(window: Window, action: DraftAction, item: ItemAnswer) -> DraftAction:
    """Success or failure only where both calls say so; and whether pictures and fingers agree on what is held."""
    held = held_at(window, action.end.frame, kinematic_action(window, action.start, action.end).arm)
    if held is not None and item.held == ("no" if held else "yes"):
        action = action.doubted(Doubt.HELD)
    seen = {"yes": Outcome.SUCCESS, "no": Outcome.FAILURE}.get(item.reached, Outcome.UNKNOWN)
    outcome = seen if seen is action.label.outcome else Outcome.UNKNOWN
    agreed = replace(action, label=replace(action.label, outcome=outcome))
    opposed = {seen, action.label.outcome} == {Outcome.SUCCESS, Outcome.FAILURE}
    return agreed.doubted(Doubt.OUTCOME) if opposed else agreed
