"""One conversation per window: TREE, checks, at most one retry, VERIFY, verdict. It yields requests, and does no I/O.

A conversation is a generator, so hundreds of windows are in progress at once while `converse` asks for all that are
due together. Whatever a server sends back, a conversation ends in `Accepted` with a part of a tree that breaks no
invariant, or in `Rejected` with reasons. The only exceptions are those of the asker (a service that is down).
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from annotators.vlm.budget import LAYOUTS, TOKENS_PER_MINUTE, Density, ImageRule, Layout, layout_for
from annotators.vlm.draft import Draft, Fault, Problem
from annotators.vlm.insert import refiner
from annotators.vlm.prompt import Prompt, load_prompt
from annotators.vlm.request import Answer, Asker, Call, Refusal, Request
from annotators.vlm.revise import part_violations, revised
from annotators.vlm.sheet import Sheets, contact_sheets
from annotators.vlm.tile import aspect_of
from annotators.vlm.tree_call import read_tree, tree_request
from annotators.vlm.tree_checks import repaired, tree_problems
from annotators.vlm.verify_call import judged, open_ids, read_verify, verify_request, verify_sheets
from annotators.vlm.window import Window
from annotators.vlm.zoom import doubtful, zoom_strips
from pipeline.errors import JoineryError
from schemas.array import Floats
from schemas.event import Event, Provenance
from schemas.filmstrip import Thumbnail
from schemas.identity import digest

MOST_DOUBT = 0.5
"""A window of which more actions than this share stay in doubt is not understood, and is rejected whole."""
RETRY_ABOVE = 0.1
"""Share of actions with a fault from which on the first call is put again: it is the dearest call of all."""
MOST_FAULTS_TOLD = 12
_FEW_ACTIONS = 2


@dataclass(frozen=True)
class Terms:
    """What is the same for every window of a run."""

    model: str
    """Name and revision."""
    tree: Prompt
    verify: Prompt
    image_rule: ImageRule
    tokens_per_minute: float

    @property
    def revision(self) -> str:
        return digest(self.tree.digest, self.verify.digest)


def terms(model: str, image_rule: ImageRule | None = None, tokens_per_minute: float = TOKENS_PER_MINUTE) -> Terms:
    """The terms with the prompts that ship with Joinery."""
    rule = ImageRule() if image_rule is None else image_rule
    return Terms(model, load_prompt(Call.TREE), load_prompt(Call.VERIFY), rule, tokens_per_minute)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a window is shown with."""

    master: tuple[Thumbnail, ...]
    other: tuple[Thumbnail, ...] = ()
    """A second view, shown when the budget has room."""
    score: Floats | None = None
    """Change score per frame of the master view, to refine inserted cuts by."""


@dataclass(frozen=True)
class Accepted:
    """A part of a tree that breaks no invariant."""

    window_id: str
    events: tuple[Event, ...]
    task: str
    """The whole window in one sentence."""
    author: Provenance
    retried: bool
    faults: tuple[str, ...]
    """What the first answer got wrong, for reports."""


@dataclass(frozen=True)
class Rejected:
    """No part of a tree, and why; the detector's own events stay."""

    window_id: str
    reasons: tuple[str, ...]


Verdict = Accepted | Rejected
V = TypeVar("V")
Talk = Generator[Request, Answer | Refusal, V]
"""Asks, is answered, and comes to an end with a result. Canaries and rephrasings are talks as well."""
Conversation = Talk[Verdict]


def conversation(window: Window, pictures: Pictures, how: Terms) -> Conversation:
    """The whole protocol for one window."""
    if not pictures.master:
        return Rejected(window.window_id, ("there is no picture of it",))
    layout = _layout(window, pictures, how)
    images, frames = _shown(window, pictures, layout)
    refine = refiner(window.clock, window.fits, pictures.score)
    request = tree_request(window, images, frames, model=how.model, system=how.tree.text)
    read = _checked(window, read_tree(window, frames, (yield request), refine), request.key)
    faults, retried = _told(read.problems), read.worth_a_retry
    if retried:
        request = tree_request(window, images, frames, model=how.model, system=how.tree.text, faults=faults)
        again = _checked(window, read_tree(window, frames, (yield request), refine), request.key)
        read = again if again.better_than(read) else read
    if read.draft is None:
        return Rejected(window.window_id, _told(read.problems))
    draft = repaired(window, read.draft, read.problems)
    author = Provenance("vlm", how.model, how.revision, read.key)
    only = None if layout.verify_all else open_ids(window, draft)
    if only is not None and not only:
        return _verdict(window, judged(window, draft, {}, only), author, faults, retried=retried)
    pages = verify_sheets(draft, pictures.master, tile_px=layout.verify_px, only=only)
    question = verify_request(window, draft, pages.jpegs, model=how.model, system=how.verify.text, only=only)
    said = read_verify(draft, (yield question))
    if isinstance(said, Problem) and not retried and said.fault is not Fault.REFUSED:  # one retry in all
        faults, retried = (*faults, said.text), True
        question = replace(question, attempt=1)
        said = read_verify(draft, (yield question))
    if isinstance(said, Problem):
        return Rejected(window.window_id, (f"the second call: {said.text}",))
    return _verdict(window, judged(window, draft, said, only), author, faults, retried=retried)


@dataclass(frozen=True)
class _Read:
    """One answer to the first call: a draft, unless it cannot be used, and what speaks against it."""

    draft: Draft | None
    problems: list[Problem]
    key: str

    @property
    def worth_a_retry(self) -> bool:
        """A few faults are repaired, and call 2 looks at them anyway; what was refused once is refused twice."""
        if self.draft is None:
            return self.problems[0].fault is not Fault.REFUSED
        faulty = len({problem.action for problem in self.problems})
        return faulty >= _FEW_ACTIONS and faulty > RETRY_ABOVE * sum(1 for _ in self.draft.actions())

    def better_than(self, other: "_Read") -> bool:
        if self.draft is None or other.draft is None:
            return other.draft is None
        return len(self.problems) <= len(other.problems)


def _checked(window: Window, read: Draft | list[Problem], key: str) -> _Read:
    return _Read(None, read, key) if isinstance(read, list) else _Read(read, tree_problems(window, read), key)


def _told(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(problem.text for problem in problems))[:MOST_FAULTS_TOLD]


def _verdict(window: Window, draft: Draft, author: Provenance, faults: tuple[str, ...], *, retried: bool) -> Verdict:
    """Accepted only if the part is valid and most of it is beyond doubt."""
    actions = list(draft.actions())
    doubted = sum(bool(action.doubts) for action in actions)
    if len(actions) > _FEW_ACTIONS and doubted > MOST_DOUBT * len(actions):
        reason = f"{Fault.DOUBTS.value}: calls and kinematics disagree on {doubted} of {len(actions)} actions"
        return Rejected(window.window_id, (reason,))
    events = revised(window, draft, author)
    broken = part_violations(window, events)
    if broken:
        return Rejected(window.window_id, tuple(broken[:MOST_FAULTS_TOLD]))
    return Accepted(window.window_id, tuple(events), draft.task, author, retried, faults)


def _layout(window: Window, pictures: Pictures, how: Terms) -> Layout:
    """The fullest way to show this window that the budget allows, by what is known of it."""
    aspect = aspect_of(pictures.master[0].jpeg)
    return layout_for(window.duration_s, aspect, how.image_rule, density_of([window]), how.tokens_per_minute)


def density_of(windows: Sequence[Window]) -> Density:
    """How much happens per minute of these windows."""
    minutes = sum(max(window.duration_s, 1.0) for window in windows) / 60
    pieces = [piece for window in windows for piece in window.pieces]
    zooms = sum(len(doubtful(window, LAYOUTS[0].zooms)) for window in windows)
    ends = sum(piece.ends_action or piece.obligatory for piece in pieces)
    return Density(actions=ends / minutes, segments=len(pieces) / minutes, doubtful=zooms / minutes)


def _shown(window: Window, pictures: Pictures, layout: Layout) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """All pictures of the first call, and the frames that can be read off them."""
    sheets: list[Sheets] = [contact_sheets(window, pictures.master, fps=layout.fps, tile_px=layout.tile_px)]
    if layout.other_fps and pictures.other:
        other = contact_sheets(window, pictures.other, fps=layout.other_fps, tile_px=layout.tile_px, master=False)
        sheets.append(other)
    if layout.zooms:
        sheets.append(zoom_strips(window, pictures.master, tile_px=layout.tile_px, most=layout.zooms))
    images = tuple(jpeg for part in sheets for jpeg in part.jpegs)
    return images, tuple(sorted({frame for part in sheets for frame in part.frames}))


def converse(talks: Mapping[str, Talk[V]], asker: Asker) -> dict[str, V]:
    """Runs talks to their ends, all that wait at once; what they come to, by the names they came under.

    Replies are joined by key, so their order does not matter, and a request that two talks share is asked
    once. Raises what the asker and the talks raise, JoineryError for a request that servers failed at, since what
    becomes of an episode must not depend on who crashed when, and ValueError when a request is left without a reply.
    """
    results: dict[str, V] = {}
    waiting: dict[str, Request] = {}
    for name, talk in talks.items():
        _step(name, talk, None, waiting, results)
    while waiting:
        by_key = {request.key: request for request in waiting.values()}
        replies = {reply.key: reply for reply in asker.ask(tuple(by_key.values()))}
        unanswered = [request.subject for key, request in by_key.items() if key not in replies]
        if unanswered:
            raise ValueError(f"{len(unanswered)} requests have no reply, the first is about {unanswered[0]}")
        for key, request in by_key.items():
            reply = replies[key]
            if isinstance(reply, Refusal) and reply.gave_up:
                advice = "see to the server, then run again with --retry-quarantined"
                raise JoineryError(f"{request.subject}: {reply.reason}; {advice}")
        due, waiting = waiting, {}
        for name, request in due.items():
            _step(name, talks[name], replies[request.key], waiting, results)
    return results


def _step(
    name: str,
    talk: Talk[V],
    reply: Answer | Refusal | None,
    waiting: dict[str, Request],
    results: dict[str, V],
) -> None:
    try:
        waiting[name] = next(talk) if reply is None else talk.send(reply)
    except StopIteration as stop:
        results[name] = stop.value
