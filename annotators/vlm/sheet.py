"""Contact sheets: a window as pictures a model can read, 5 × 4 thumbnails each, in reading order.

Each tile says its time in seconds and its frame (``12.5s F375``); where candidates fall nearer to this tile than to
any other, it names them in yellow (``C014``). What is said there and nothing else can be chosen as an end.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from annotators.vlm.tile import Tile, TileSize, aspect_of, encoded, grid, tile_size
from annotators.vlm.window import Window
from schemas.filmstrip import Thumbnail
from schemas.time import NS_PER_S

COLUMNS, ROWS = 5, 4
_NAMED = 2
"""More candidates than this at one tile are written as a run, ``C014-17``."""


@dataclass(frozen=True, eq=False)
class Sheets:
    """The sheets of one view and which frames can be read off them."""

    jpegs: tuple[bytes, ...]
    sizes: tuple[tuple[int, int], ...]
    """Width and height of each, pixels."""
    frames: tuple[int, ...]
    """Frames of the master view that are shown; empty for another view, whose frames have other numbers."""


NOTHING = Sheets((), (), ())


def contact_sheets(
    window: Window, thumbnails: Sequence[Thumbnail], *, fps: float, tile_px: int, master: bool = True
) -> Sheets:
    """One view of a window. ``thumbnails`` are all of this view's; none inside the window: no sheets."""
    chosen = sampled(window, thumbnails, fps)
    if not chosen:
        return NOTHING
    size = tile_size(tile_px, aspect_of(chosen[0].jpeg))
    names = _names(window, [thumbnail.t_ns for thumbnail in chosen])
    tiles = [
        Tile(thumbnail.jpeg, _bar(thumbnail, master=master), _short(names[i])) for i, thumbnail in enumerate(chosen)
    ]
    return paged(tiles, COLUMNS, ROWS, size, [thumbnail.frame for thumbnail in chosen] if master else ())


def paged(tiles: Sequence[Tile], columns: int, rows: int, size: TileSize, frames: Sequence[int] = ()) -> Sheets:
    """Tiles in reading order on as many sheets as they fill; ``frames`` can be read off them."""
    starts = range(0, len(tiles), columns * rows)
    drawn = [grid(tiles[first : first + columns * rows], columns, size) for first in starts]
    sizes = tuple((page.shape[1], page.shape[0]) for page in drawn)
    return Sheets(tuple(encoded(page) for page in drawn), sizes, tuple(frames))


def sampled(window: Window, thumbnails: Sequence[Thumbnail], fps: float) -> list[Thumbnail]:
    """The thumbnails nearest to every 1/fps of each kept stretch, each once, in time order."""
    ordered = sorted(thumbnails, key=lambda thumbnail: thumbnail.t_ns)
    times = [thumbnail.t_ns for thumbnail in ordered]
    chosen: dict[int, Thumbnail] = {}
    step_ns = round(NS_PER_S / fps)
    for start, end in window.ranges:
        first, last = bisect_left(times, start.t_ns), bisect_left(times, end.t_ns)
        for t_ns in range(start.t_ns, end.t_ns, step_ns):
            near = nearest(times, t_ns, first, last)
            if near is not None:
                chosen[near] = ordered[near]
    return [chosen[i] for i in sorted(chosen)]


def nearest(times: Sequence[int], t_ns: int, first: int, last: int) -> int | None:
    """Index of the nearest of sorted ``times[first:last]`` (ties: the earlier), or None when there is none."""
    if first >= last:
        return None
    after = bisect_left(times, t_ns, first, last)
    options = [i for i in (after - 1, after) if first <= i < last]
    return min(options, key=lambda i: (abs(times[i] - t_ns), i))


def seconds(t_ns: int) -> str:
    """As it is written on tiles and in tables, to a tenth."""
    return f"{t_ns / NS_PER_S:.1f}"


def _bar(thumbnail: Thumbnail, *, master: bool) -> str:
    time = f"{seconds(thumbnail.t_ns)}s"
    return f"{time} F{thumbnail.frame}" if master else time


def _names(window: Window, times: Sequence[int]) -> list[list[str]]:
    """Candidates by the tile they are nearest to."""
    names: list[list[str]] = [[] for _ in times]
    for piece in window.pieces:
        near = nearest(times, piece.end.t_ns, 0, len(times))
        if near is not None:
            names[near].append(piece.candidate)
    return names


def _short(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return " ".join(names)
    return f"{names[0]}-{names[-1].removeprefix('C')}"
