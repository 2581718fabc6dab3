"""The kinematic table: what the signals say about every candidate, one line each, as few tokens as it can be.

Qwen's tokenizer spends one token on every digit, so numbers are short and candidates that only divide an action are
just named. Columns that say nothing in a whole window (an arm where there is one, a gripper where there is none) go.
"""

from annotators.vlm.sheet import seconds
from annotators.vlm.spans import exact, sums
from annotators.vlm.window import Piece, Window
from schemas.event import Motion
from schemas.time import NS_PER_S


def kinematic_table(window: Window) -> str:
    """A head line and one line per candidate, in time order."""
    head = ["id", "s", "cut"]
    if len(window.arms) > 1:
        head.append("arm")
    measured = any(piece.segment.motion is not None for piece in window.pieces)
    head += ["grip", "dz_cm", "cm/s"] if measured else []
    lines = [",".join([*head, "sure%"])]
    since = 0
    for number, piece in enumerate(window.pieces):
        if piece.ends_action or piece.obligatory:
            lines.append(_full(window, window.pieces[since : number + 1], measured=measured))
            since = number + 1
        else:
            lines.append(f"{piece.candidate},{seconds(piece.end.t_ns)},{piece.end.kind.value}")
    return "\n".join(lines)


def _full(window: Window, pieces: tuple[Piece, ...], *, measured: bool) -> str:
    """The line of an action's end; what moved is what moved since the action before."""
    last = pieces[-1]
    cells = [last.candidate, seconds(last.end.t_ns), "end" if last.obligatory else last.end.kind.value]
    if len(window.arms) > 1:
        arm = last.end.arm or last.action.arm
        cells.append("" if arm is None else arm.value[0].upper())
    if measured:
        motions = [piece.segment.motion for piece in pieces]
        total = sums(exact(window, pieces[0].start, last.end))
        span_s = (last.end.t_ns - pieces[0].start.t_ns) / NS_PER_S
        cells.append(_grip(motions[0], motions[-1]))
        cells.append("" if total is None else f"{round(total.dz_m * 100):+d}")
        cells.append("" if total is None else f"{round(total.path_m * 100 / span_s)}")
    cells.append(f"{round(last.end.confidence * 100)}")
    return ",".join(cells)


def _grip(first: Motion | None, last: Motion | None) -> str:
    """Opening before and after in tenths, ``9>1``."""
    if first is None or last is None or first.opening_start is None or last.opening_end is None:
        return ""
    return f"{_tenths(first.opening_start)}>{_tenths(last.opening_end)}"


def _tenths(opening: float) -> int:
    return round(10 * min(1.0, max(0.0, opening)))
