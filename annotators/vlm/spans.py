"""What the signals say about any stretch between two boundaries: motion, what is held, which arm, what it is called.

Everything is read off the tree's own segments, so a conversation needs no signals: displacements and path lengths add
up. A stretch that a model cut out of the middle of a segment has no motion of its own, because nobody measured it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from annotators.vlm.window import Piece, Window
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Event, Motion

TAKES = frozenset({BoundaryKind.GRASP})
LETS_GO = frozenset({BoundaryKind.RELEASE, BoundaryKind.SLIP})
CONTACTS = TAKES | LETS_GO | {BoundaryKind.MISS}
"""B1, B5, X1, X2: what must not disappear without a reason."""
_DECIMALS = 4


@dataclass(frozen=True)
class Sums:
    """What adds up over a stretch."""

    dx_m: float
    dy_m: float
    dz_m: float
    path_m: float

    @property
    def distance_m(self) -> float:
        return float((self.dx_m**2 + self.dy_m**2 + self.dz_m**2) ** 0.5)


def exact(window: Window, start: Boundary, end: Boundary) -> list[Piece] | None:
    """The pieces that tile a stretch; None when it begins or ends inside one."""
    pieces = window.inside(start, end)
    whole = pieces and pieces[0].start.frame == start.frame and pieces[-1].end.frame == end.frame
    return pieces if whole else None


def sums(pieces: Sequence[Piece] | None) -> Sums | None:
    """Displacement and path; None where it was not measured, or not of one arm throughout."""
    if not pieces or len({piece.segment.arm for piece in pieces}) != 1:
        return None
    total = [0.0, 0.0, 0.0, 0.0]
    for piece in pieces:
        motion = piece.segment.motion
        if motion is None:
            return None
        parts = (motion.displacement_x_m, motion.displacement_y_m, motion.displacement_z_m, motion.path_length_m)
        for i, part in enumerate(parts):
            if part is None:
                return None
            total[i] += part
    return Sums(*total)


def motion_between(window: Window, start: Boundary, end: Boundary) -> Motion | None:
    """The motion of a stretch, as an event of exactly these frames has it."""
    same = same_frames(window, start, end)
    if same is not None:
        return same.motion
    pieces = exact(window, start, end)
    motions = [piece.segment.motion for piece in pieces or ()]
    known = [motion for motion in motions if motion is not None]
    if not known or len(known) != len(motions) or len({piece.segment.arm for piece in pieces or ()}) != 1:
        return None
    total = sums(pieces)
    rounded = (None,) * 4 if total is None else (total.dx_m, total.dy_m, total.dz_m, total.path_m)
    peaks = [motion.peak_speed for motion in known if motion.peak_speed is not None]
    x, y, z, path = (None if part is None else round(part, _DECIMALS) for part in rounded)
    return Motion(x, y, z, path, known[0].opening_start, known[-1].opening_end, max(peaks, default=None))


def static_between(window: Window, start: Boundary, end: Boundary) -> float:
    """Share of a stretch without motion, from the pieces it overlaps, weighted by how much of each it covers."""
    total = still = 0
    for piece in window.inside(start, end):
        overlap = min(end.t_ns, piece.end.t_ns) - max(start.t_ns, piece.start.t_ns)
        total += overlap
        still += round(overlap * piece.segment.static_fraction)
    return round(still / total, _DECIMALS) if total else 0.0


def same_frames(window: Window, start: Boundary, end: Boundary) -> Event | None:
    """The action, or else the segment, of exactly these frames."""
    for piece in window.pieces:
        for event in (piece.action, piece.segment):
            if (event.span.frame_start, event.span.frame_end) == (start.frame, end.frame):
                return event
    return None


def kinematic_action(window: Window, start: Boundary, end: Boundary) -> Event:
    """The action of the detector that fills most of a stretch; ties: the earlier."""
    overlaps: dict[str, int] = {}
    actions: dict[str, Event] = {}
    for piece in window.inside(start, end):
        overlap = min(end.t_ns, piece.end.t_ns) - max(start.t_ns, piece.start.t_ns)
        overlaps[piece.action.event_id] = overlaps.get(piece.action.event_id, 0) + overlap
        actions[piece.action.event_id] = piece.action
    return actions[max(overlaps, key=lambda name: overlaps[name])]


def held_at(window: Window, frame: int, arm: Arm | None) -> bool | None:
    """Whether the fingers hold something at a frame; None where no contact says so or one happens right then."""
    before = [
        edge
        for edge in window.edges
        if edge.kind in TAKES | LETS_GO and edge.frame <= frame and (arm is None or edge.arm in (arm, None))
    ]
    if not before or before[-1].frame == frame:
        return None
    return before[-1].kind in TAKES
