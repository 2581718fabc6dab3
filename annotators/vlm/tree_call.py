"""TREE, the first call: what is asked about a window, and how its rows become a draft that nests by construction.

Rows end at ids, ids stand in time order, and groups are runs of rows that share ``l1`` and ``l2``: whatever a model
answers, what is read is a cover of the window in nested levels, or a list of what prevents it.
"""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import Any

from pydantic import Field

from annotators.vlm.answer import (
    MAX_OBSERVATIONS,
    NAME_CHARS,
    OBSERVATION_CHARS,
    REASON_CHARS,
    TEXT_CHARS,
    Part,
    clean,
    list_of,
    number_to,
    one_of,
    read,
    record,
    schema_text,
    sentence,
    text_of,
)
from annotators.vlm.draft import Draft, DraftAction, DraftRow, DraftSubtask, Fault, Label, Problem
from annotators.vlm.insert import inserted_boundary
from annotators.vlm.request import Answer, Call, Refusal, Request
from annotators.vlm.table import kinematic_table
from annotators.vlm.window import Window
from schemas.episode import Arm
from schemas.event import Boundary, Outcome, RecoveryKind, Verb

MAX_INSERTED = 8
MAX_DROPPED = 32
_TOKENS_FIXED, _TOKENS_PER_ROW = 700, 60
"""Room for an answer; half as many again as the longest real one."""
_ARMS = {"left": Arm.LEFT, "right": Arm.RIGHT, "both": None, "none": None}
_OUTCOMES = {
    "success": (Outcome.SUCCESS, RecoveryKind.NONE),
    "failure": (Outcome.FAILURE, RecoveryKind.NONE),
    "retry": (Outcome.SUCCESS, RecoveryKind.RETRY),
    "correction": (Outcome.SUCCESS, RecoveryKind.CORRECTION),
    "unclear": (Outcome.UNKNOWN, RecoveryKind.NONE),
}

Refine = Callable[[int, int, int], int | None]
"""A visible frame and the frames of the edges around it → the frame to cut at, None where no cut fits."""


class RowAnswer(Part):
    """One row."""

    end: str
    l2: int
    l1: int
    verb: Verb
    text: str
    object: str = ""
    origin: str = Field(default="", alias="from")
    destination: str = Field(default="", alias="to")
    arm: str | None = None
    outcome: str = "success"


class SubtaskAnswer(Part):
    """Words of one ``l2``."""

    l2: int
    verb: Verb
    text: str


class ReasonAnswer(Part):
    """Why a cut is not used, or a frame is."""

    id: str
    why: str


class TreeAnswer(Part):
    """The whole answer."""

    observations: tuple[str, ...]
    rows: tuple[RowAnswer, ...]
    subtasks: tuple[SubtaskAnswer, ...]
    task: str
    dropped: tuple[ReasonAnswer, ...] = ()
    inserted: tuple[ReasonAnswer, ...] = ()


def tree_schema(window: Window, frames: Sequence[int]) -> str:
    """The JSON schema for this window's answer."""
    candidates = list(window.by_candidate)
    visible = list(frame_ids(window, frames))
    most = len(candidates) + min(MAX_INSERTED, len(visible))
    optional: dict[str, Any] = {
        "object": text_of(NAME_CHARS),
        "from": text_of(NAME_CHARS),
        "to": text_of(NAME_CHARS),
        "arm": one_of(list(_ARMS)),
        "outcome": one_of(list(_OUTCOMES)),
    }
    row = record(
        {
            "end": one_of([*candidates, *visible]),
            "l2": number_to(most),
            "l1": number_to(most),
            "verb": one_of([verb.value for verb in Verb]),
            "text": text_of(TEXT_CHARS, least=1),
        },
        optional,
    )
    words = {"l2": number_to(most), "verb": one_of([verb.value for verb in Verb]), "text": text_of(TEXT_CHARS, least=1)}
    why = text_of(REASON_CHARS, least=1)
    dropped = record({"id": one_of(candidates), "why": why})
    parts = {
        "observations": list_of(text_of(OBSERVATION_CHARS, least=1), MAX_OBSERVATIONS, least=1),
        "rows": list_of(row, most, least=1),
        "subtasks": list_of(record(words), most, least=1),
        "task": text_of(TEXT_CHARS, least=1),
        "dropped": list_of(dropped, min(MAX_DROPPED, len(candidates))),
    }
    if not visible:
        return schema_text(record(parts))
    inserted = record({"id": one_of(visible), "why": why})
    return schema_text(record(parts, {"inserted": list_of(inserted, min(MAX_INSERTED, len(visible)))}))


def tree_request(
    window: Window,
    images: Sequence[bytes],
    frames: Sequence[int],
    *,
    model: str,
    system: str,
    faults: Sequence[str] = (),
) -> Request:
    """The question; with ``faults`` it is put again, and says what was wrong with the answer before."""
    task = window.instruction or "not stated"
    lines = [
        f"Task: {task}",
        "Candidates:",
        kinematic_table(window),
        f"The last row ends at {window.pieces[-1].candidate}.",
    ]
    if faults:
        lines += [
            "Your answer before had these faults; answer again without them:",
            *(f"- {fault}" for fault in faults),
        ]
    return Request(
        call=Call.TREE,
        subject=window.window_id,
        model=model,
        system=system,
        images=tuple(images),
        text="\n".join(lines),
        schema=tree_schema(window, frames),
        max_tokens=_TOKENS_FIXED + _TOKENS_PER_ROW * len(window.pieces),
        attempt=1 if faults else 0,
    )


def frame_ids(window: Window, frames: Sequence[int]) -> dict[str, int]:
    """Frames that were shown and could be ends: strictly inside a kept stretch, and no candidate's own frame."""
    taken = {edge.frame for edge in window.edges}
    for piece in window.pieces:
        if piece.anchored(piece.segment):
            taken |= set(range(piece.start.frame, piece.end.frame))
    inside = (
        frame
        for frame in frames
        if frame not in taken and any(start.frame < frame < end.frame for start, end in window.ranges)
    )
    return {f"F{frame}": frame for frame in sorted(set(inside))}


def read_tree(window: Window, frames: Sequence[int], reply: Answer | Refusal, refine: Refine) -> Draft | list[Problem]:
    """The draft an answer describes, or everything that prevents one."""
    answer = read(TreeAnswer, reply)
    if isinstance(answer, Problem):
        return [answer]
    visible = frame_ids(window, frames)
    problems = _form_problems(window, answer, visible)
    if problems:
        return problems
    ends = _boundaries(window, answer, visible, refine)
    if isinstance(ends, Problem):
        return [ends]
    return _draft(window, answer, ends)


def _form_problems(window: Window, answer: TreeAnswer, visible: dict[str, int]) -> list[Problem]:
    problems = []
    named = {reason.id for reason in answer.inserted if clean(reason.why, REASON_CHARS)}
    for number, row in enumerate(answer.rows, start=1):
        where = f"row {number} ({clean(row.end, 12)})"
        if row.end not in window.by_candidate and row.end not in visible:
            problems.append(Problem(Fault.UNKNOWN_END, f"{where}: it ends at neither a candidate nor a visible frame"))
        elif row.end in visible and row.end not in named:
            problems.append(Problem(Fault.INSERT, f"{where}: a frame used as an end needs a reason in inserted"))
        if row.arm is not None and row.arm not in _ARMS:
            problems.append(Problem(Fault.UNREADABLE, f"{where}: arm is none of {', '.join(_ARMS)}"))
        if row.outcome not in _OUTCOMES:
            problems.append(Problem(Fault.UNREADABLE, f"{where}: outcome is none of {', '.join(_OUTCOMES)}"))
    for (number, before), row in zip(enumerate(answer.rows, start=2), answer.rows[1:], strict=False):
        if row.l1 < before.l1 or row.l2 < before.l2:
            problems.append(Problem(Fault.ORDER, f"row {number}: l1 and l2 never go down"))
    if problems:
        return problems
    frames = [_frame_of(window, visible, row.end) for row in answer.rows]
    if any(b <= a for a, b in pairwise(frames)):
        problems.append(Problem(Fault.ORDER, "rows: every row must end later than the row before"))
    used = {row.end for row in answer.rows}
    missing = [piece.candidate for piece in window.pieces if piece.obligatory and piece.candidate not in used]
    problems += [Problem(Fault.COVER, f"rows: {name} must be the end of a row") for name in missing]
    return problems


def _frame_of(window: Window, visible: dict[str, int], name: str) -> int:
    return visible[name] if name in visible else window.by_candidate[name].end.frame


def _boundaries(
    window: Window, answer: TreeAnswer, visible: dict[str, int], refine: Refine
) -> list[Boundary] | Problem:
    """The boundary at the end of every row, inserted ones moved to where the pictures change most."""
    fixed = {window.by_candidate[row.end].end.frame for row in answer.rows if row.end in window.by_candidate}
    fixed |= {start.frame for start, _ in window.ranges}
    ends: list[Boundary] = []
    for row in answer.rows:
        if row.end in window.by_candidate:
            ends.append(window.by_candidate[row.end].end)
            continue
        frame = visible[row.end]
        before = max([edge for edge in fixed if edge < frame] + [end.frame for end in ends])
        after = min(edge for edge in fixed if edge > frame)
        best = refine(frame, before, after)
        if best is None:
            return Problem(Fault.INSERT, f"{row.end}: a cut there would leave a piece too short; use a candidate")
        known = next((edge for edge in window.edges if edge.frame == best), None)
        ends.append(inserted_boundary(window.clock, best) if known is None else known)
    return ends


def _draft(window: Window, answer: TreeAnswer, ends: Sequence[Boundary]) -> Draft:
    openings = {end.frame: start for (start, end) in window.ranges}
    range_starts = [start for start, _ in window.ranges]
    spans: list[tuple[Boundary, Boundary]] = []
    at = range_starts[0]
    for end in ends:
        spans.append((at, end))
        at = next((start for start in range_starts if start.frame >= end.frame), end) if end.frame in openings else end
    rows = list(zip(answer.rows, spans, strict=True))
    words = {subtask.l2: subtask for subtask in reversed(answer.subtasks)}
    subtasks = []
    for (_, _, l2), group in groupby(rows, key=lambda row: _subtask_key(window, *row)):
        parts = (list(part) for _, part in groupby(group, key=lambda row: _action_key(window, *row)))
        actions = tuple(_action(part) for part in parts)
        said = words.get(l2)
        verb = subtask_verb(actions) if said is None else said.verb
        subtasks.append(DraftSubtask(actions, verb, actions[0].label.text if said is None else sentence(said.text)))
    dropped = {reason.id: clean(reason.why, REASON_CHARS) for reason in answer.dropped}
    return Draft(tuple(subtasks), sentence(answer.task), {name: why for name, why in dropped.items() if why})


_Span = tuple[Boundary, Boundary]


def _subtask_key(window: Window, row: RowAnswer, span: _Span) -> tuple[int, str, int]:
    """Rows of one subtask: of one kept stretch and ``l2``, or of one that must stay, whatever ``l2`` says."""
    piece = window.inside(*span)[0]
    anchor = piece.subtask.event_id if piece.anchored(piece.subtask) else ""
    return _range_of(window, span[0]), anchor, 0 if anchor else row.l2


def _action_key(window: Window, row: RowAnswer, span: _Span) -> tuple[str, int]:
    """The same for actions."""
    piece = window.inside(*span)[0]
    return (piece.action.event_id, 0) if piece.anchored(piece.action) else ("", row.l1)


def _range_of(window: Window, start: Boundary) -> int:
    return next(i for i, (first, last) in enumerate(window.ranges) if first.frame <= start.frame < last.frame)


def _action(rows: Sequence[tuple[RowAnswer, tuple[Boundary, Boundary]]]) -> DraftAction:
    """One action; it is called what its longest row is called."""
    answer = max(rows, key=lambda row: row[1][1].t_ns - row[1][0].t_ns)[0]
    outcome, recovery = _OUTCOMES[answer.outcome]
    label = Label(
        verb=answer.verb,
        text=sentence(answer.text),
        object=clean(answer.object, NAME_CHARS),
        origin=clean(answer.origin, NAME_CHARS),
        destination=clean(answer.destination, NAME_CHARS),
        arm=None if answer.arm is None else _ARMS[answer.arm],
        outcome=outcome,
        recovery=recovery,
    )
    return DraftAction(tuple(DraftRow(start, end, row.verb, sentence(row.text)) for row, (start, end) in rows), label)


def subtask_verb(actions: Sequence[DraftAction]) -> Verb:
    """What actions amount to: a pick holds a grasp, a placing a release; else the longest of them names the whole."""
    verbs = {action.label.verb for action in actions}
    if verbs & {Verb.PLACE, Verb.RELEASE}:
        return Verb.PLACE
    if verbs & {Verb.GRASP, Verb.PICK_UP, Verb.LIFT}:
        return Verb.PICK_UP
    return max(actions, key=lambda action: action.end.t_ns - action.start.t_ns).label.verb
