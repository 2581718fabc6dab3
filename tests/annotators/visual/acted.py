"""Films in which a box moves, rests, and moves elsewhere, before a camera that may pan: real frames, exact truth."""

import io
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from annotators.scores.marks import Mark
from pipeline.filmstrip import FilmstripMaker
from pipeline.mask_runs import runs_of
from pipeline.video import frames
from schemas.event import BoundaryKind
from schemas.filmstrip import Filmstrip
from schemas.recipe import IngestSpec
from schemas.time import NS_PER_S, FrameClock
from tests.pipeline.films import WHOLE, Picture, film, texture

FPS, HEIGHT, WIDTH, BOX = 20, 96, 128, 28
N_MOVES = 5


@dataclass(frozen=True, eq=False)
class Acted:
    """One film's strip, and when motion began and ended in it."""

    strip: Filmstrip
    clock: FrameClock
    true: tuple[Mark, ...]


def acted(seed: int, *, pan: float) -> Acted:
    """The box goes to random places with minimum-jerk steps and rests between; ``pan`` is pixels to each side."""
    rng = np.random.default_rng(seed)
    places = rng.uniform((0, 0), (HEIGHT - BOX, WIDTH - BOX), (N_MOVES + 1, 2))
    path = []
    for start, end in pairwise(places):
        path += [start] * int(rng.integers(8, 60))
        steps = np.linspace(0, 1, int(rng.integers(14, 30)))
        path += [start + (end - start) * (10 * s**3 - 15 * s**4 + 6 * s**5) for s in steps]
    path += [places[-1]] * 20
    moving = np.any(np.diff(np.rint(path), axis=0) != 0, axis=1)
    edges = [edge for first, last in _joined(runs_of(moving)) for edge in (first + 1, last + 1)]
    swing = pan * np.sin(np.arange(len(path)) * 2 * np.pi / rng.uniform(60, 90))
    pictures = [_picture(place, shift, seed) for place, shift in zip(path, swing, strict=True)]
    maker, end_ns = FilmstripMaker("ep-test", "main", 0, IngestSpec()), 0
    for picture in frames(io.BytesIO(film(pictures, rate=FPS)), WHOLE, "film.mp4"):
        maker.add(picture)
        end_ns = picture.end_ns
    true = tuple(Mark(edge * NS_PER_S // FPS, BoundaryKind.MOTION) for edge in edges)
    return Acted(maker.strip(end_ns), FrameClock(np.array(maker.times_ns, np.int64), end_ns), true)


def _joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs of frames in which the box is drawn elsewhere, those less than four frames apart as one."""
    found: list[tuple[int, int]] = []
    for first, last in runs:
        if found and first - found[-1][1] < 4:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _picture(place: np.ndarray[tuple[int], np.dtype[np.float64]], shift: float, seed: int) -> Picture:
    picture = np.roll(texture(HEIGHT, WIDTH, seed), round(shift), axis=1)
    row, column = (int(v) for v in np.rint(place))
    picture[row : row + BOX, column : column + BOX] = texture(32, 32, seed + 1)[:BOX, :BOX]
    return picture
