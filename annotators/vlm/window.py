"""A window: the stretch of an episode that one conversation is about, and everything code knows about it.

A whole episode when it fits, else parts of even length cut where a subtask ends (an action, if no subtask does). The
pieces of a window are the tree's segments, the finest division there is; a candidate is the end of a piece and is
called C001, C002 … in time order. A model chooses among candidates; it never writes a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from annotators.tracks.untouched import is_placed
from annotators.tree.ranges import Fits, fits_event
from schemas.array import Ints
from schemas.episode import ActionKind, Arm, Episode
from schemas.event import Boundary, BoundaryKind, Event, Level
from schemas.identity import make_id
from schemas.time import NS_PER_S, FrameClock
from schemas.tree import ancestors

LONGEST_S = 90.0
"""events.md: 60–90 s. Longer windows blur into thumbnails, shorter ones pay the prompt more often."""
_SHORTEST_SHARE = 0.5
"""A cut nearer to the window's start than this share of the even length is not worth a call."""


@dataclass(frozen=True)
class Piece:
    """One segment of the tree and what it is part of."""

    candidate: str
    """Id of its end."""
    segment: Event
    action: Event
    subtask: Event
    task: Event
    obligatory: bool
    """Its end must be an end: nothing is kept after it, the window or its task is over, or what is anchored begins or
    ends."""
    anchors: frozenset[str] = frozenset()
    """Ids of those of its events that must stay where they are: a person or the source has spoken in them."""

    @property
    def start(self) -> Boundary:
        return self.segment.start

    @property
    def end(self) -> Boundary:
        return self.segment.end

    def anchored(self, event: Event) -> bool:
        return event.event_id in self.anchors

    def goes_on_in(self, following: "Piece") -> bool:
        """Whether an event may reach from this piece into the next."""
        return self.end.frame == following.start.frame and self.task.event_id == following.task.event_id

    @property
    def inside_anchored_action(self) -> bool:
        """Whether its end lies strictly inside an action that must stay whole."""
        return self.anchored(self.action) and not self.ends_action

    @property
    def ends_action(self) -> bool:
        return self.segment.span.frame_end == self.action.span.frame_end


@dataclass(frozen=True, eq=False)
class Window:
    """What one conversation is about."""

    window_id: str
    episode_id: str
    instruction: str
    clock: FrameClock
    action_kind: ActionKind
    action_times_ns: Ints | None
    pieces: tuple[Piece, ...]
    """In time order, at least one; neighbours touch unless frames between them are not kept."""

    @property
    def start_ns(self) -> int:
        return self.pieces[0].start.t_ns

    @property
    def end_ns(self) -> int:
        return self.pieces[-1].end.t_ns

    @cached_property
    def duration_s(self) -> float:
        """Kept time."""
        return sum(piece.segment.span.duration_s for piece in self.pieces)

    @cached_property
    def by_candidate(self) -> dict[str, Piece]:
        return {piece.candidate: piece for piece in self.pieces}

    @cached_property
    def ranges(self) -> tuple[tuple[Boundary, Boundary], ...]:
        """The kept stretches of the window, in time order, divided where a task ends: no event crosses that."""
        found: list[tuple[Boundary, Boundary]] = []
        before: Piece | None = None
        for piece in self.pieces:
            if before is not None and before.goes_on_in(piece):
                found[-1] = (found[-1][0], piece.end)
            else:
                found.append((piece.start, piece.end))
            before = piece
        return tuple(found)

    @cached_property
    def fits(self) -> Fits:
        return fits_event(self.clock, self.action_times_ns)

    @cached_property
    def arms(self) -> tuple[Arm, ...]:
        """Arms that the signals tell apart."""
        seen = {piece.action.arm for piece in self.pieces} | {piece.end.arm for piece in self.pieces}
        return tuple(arm for arm in Arm if arm in seen)

    @cached_property
    def sees_fingers(self) -> bool:
        """Whether grasping and releasing would show in the signals at all."""
        motions = [piece.segment.motion for piece in self.pieces]
        return any(motion is not None and motion.opening_start is not None for motion in motions)

    @cached_property
    def edges(self) -> tuple[Boundary, ...]:
        """Every boundary of the window once, in time order."""
        by_frame = {piece.start.frame: piece.start for piece in self.pieces}
        by_frame |= {piece.end.frame: piece.end for piece in self.pieces}
        return tuple(edge for _, edge in sorted(by_frame.items()))

    def inside(self, start: Boundary, end: Boundary) -> list[Piece]:
        """The pieces that lie at least partly between two boundaries."""
        return [piece for piece in self.pieces if piece.end.frame > start.frame and piece.start.frame < end.frame]

    def touching(self, start: Boundary, end: Boundary, kinds: frozenset[BoundaryKind], arm: Arm | None) -> bool:
        """Whether a boundary of these kinds, of this arm if one is meant, lies between or on two boundaries."""
        return any(
            edge.kind in kinds and (arm is None or edge.arm in (arm, None))
            for edge in self.edges
            if start.frame <= edge.frame <= end.frame
        )


def windows_of(
    tree: Sequence[Event], episode: Episode, action_times_ns: Ints | None, *, longest_s: float = LONGEST_S
) -> list[Window]:
    """The windows of an episode's tree, in time order; none for an empty tree.

    ``action_times_ns`` are on the video clock, None for an episode without actions. The tree is a valid one.
    """
    by_id = {event.event_id: event for event in tree}
    segments = sorted(
        (event for event in tree if event.level is Level.SEGMENT), key=lambda event: event.span.frame_start
    )
    pieces = []
    anchors: set[str] = set()
    for segment in segments:
        action, subtask, task = ancestors(segment, by_id)
        settled = [is_placed(event) for event in (subtask, action, segment)]
        pieces.append(Piece("", segment, action, subtask, task, obligatory=False))
        for depth, event in enumerate((subtask, action, segment)):
            if any(settled[depth:]):
                anchors.add(event.event_id)
    pieces = [
        replace(p, anchors=frozenset(anchors) & {p.subtask.event_id, p.action.event_id, p.segment.event_id})
        for p in pieces
    ]
    return [_window(part, episode, action_times_ns) for part in _divided(pieces, longest_s)]


def _window(pieces: Sequence[Piece], episode: Episode, action_times_ns: Ints | None) -> Window:
    named = []
    for number, piece in enumerate(pieces, start=1):
        last = number == len(pieces) or not piece.goes_on_in(pieces[number])
        bound = last or piece.anchors != pieces[number].anchors
        named.append(replace(piece, candidate=f"C{number:03d}", obligatory=bound))
    first, end = named[0].segment.span.frame_start, named[-1].segment.span.frame_end
    return Window(
        window_id=make_id("wi", episode.episode_id, f"{first}:{end}"),
        episode_id=episode.episode_id,
        instruction=" ".join(episode.instruction.split()),
        clock=episode.master.clock,
        action_kind=episode.action_kind,
        action_times_ns=action_times_ns,
        pieces=tuple(named),
    )


def _divided(pieces: list[Piece], longest_s: float) -> list[list[Piece]]:
    """Runs of pieces of even length, none longer than asked unless a piece or an anchored subtask is."""
    found = []
    while pieces:
        ends_s = _running_s(pieces)
        count = ceil(ends_s[-1] / longest_s - 1e-9)
        cut = len(pieces) if count <= 1 else _best_cut(pieces, ends_s, ends_s[-1] / count, longest_s)
        found.append(pieces[:cut])
        pieces = pieces[cut:]
    return found


def _running_s(pieces: Sequence[Piece]) -> list[float]:
    total, ends = 0, []
    for piece in pieces:
        total += piece.segment.span.end_ns - piece.segment.span.start_ns
        ends.append(total / NS_PER_S)
    return ends


def _best_cut(pieces: Sequence[Piece], ends_s: Sequence[float], even_s: float, longest_s: float) -> int:
    """How many pieces come first: up to the subtask's end nearest to the even length, else an action's, else any."""
    free = [i for i in range(len(pieces)) if not _splits_anchored(pieces, i)]
    options = [i for i in free if _SHORTEST_SHARE * even_s <= ends_s[i] <= longest_s]
    for ends in (
        [i for i in options if pieces[i].segment.span.frame_end == pieces[i].subtask.span.frame_end],
        [i for i in options if pieces[i].ends_action],
        options,
    ):
        if ends:
            return min(ends, key=lambda i: (abs(ends_s[i] - even_s), i)) + 1
    return next(i for i in free if ends_s[i] > _SHORTEST_SHARE * even_s) + 1


def _splits_anchored(pieces: Sequence[Piece], i: int) -> bool:
    """Whether a cut after a piece would divide a subtask that must stay."""
    piece = pieces[i]
    return i + 1 < len(pieces) and piece.anchored(piece.subtask) and pieces[i + 1].subtask is piece.subtask
