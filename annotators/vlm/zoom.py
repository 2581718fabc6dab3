"""Zoom strips: five frames around a doubtful cut, nearer in time than the contact sheet shows.

events.md asks for 0.2 s steps; the filmstrip has four thumbnails a second, so they are 0.25 s apart, which no further
decode is worth. Only cuts that the detector itself doubts get one, the most doubtful first, as many as the budget has.
"""

from bisect import bisect_left
from collections.abc import Sequence

from annotators.vlm.sheet import NOTHING, Sheets, nearest, paged, seconds
from annotators.vlm.tile import Tile, aspect_of, tile_size
from annotators.vlm.window import Piece, Window
from schemas.filmstrip import Thumbnail

FRAMES = 5
_PER_PAGE = 4
_DOUBTFUL = 0.5


def doubtful(window: Window, most: int) -> list[Piece]:
    """The pieces whose end ends an action and is doubted, of them the ``most`` doubtful, in time order."""
    open_ends = [piece for piece in window.pieces if piece.ends_action and not piece.obligatory]
    doubted = [piece for piece in open_ends if piece.end.confidence < _DOUBTFUL]
    worst = sorted(doubted, key=lambda piece: (piece.end.confidence, piece.end.frame))[:most]
    return sorted(worst, key=lambda piece: piece.end.frame)


def zoom_strips(
    window: Window, thumbnails: Sequence[Thumbnail], *, tile_px: int, most: int, step_ns: int = 250_000_000
) -> Sheets:
    """One row of five tiles per doubtful cut, four rows a page; the middle tile carries the candidate's name."""
    pieces = doubtful(window, most)
    ordered = sorted(thumbnails, key=lambda thumbnail: thumbnail.t_ns)
    if not pieces or not ordered:
        return NOTHING
    times = [thumbnail.t_ns for thumbnail in ordered]
    size = tile_size(tile_px, aspect_of(ordered[0].jpeg))
    tiles, frames = [], []
    for piece in pieces:
        start, end = next((a, b) for a, b in window.ranges if a.frame <= piece.end.frame <= b.frame)
        first, last = bisect_left(times, start.t_ns), bisect_left(times, end.t_ns)
        for offset in range(-(FRAMES // 2), FRAMES // 2 + 1):
            near = nearest(times, piece.end.t_ns + offset * step_ns, first, last)
            if near is None:
                tiles.append(Tile(None))
                continue
            shown = ordered[near]
            frames.append(shown.frame)
            label = f"{seconds(shown.t_ns)}s F{shown.frame}"
            tiles.append(Tile(shown.jpeg, label, piece.candidate if offset == 0 else ""))
    return paged(tiles, FRAMES, _PER_PAGE, size, sorted(set(frames)))
