"""Whole recordings that are copies of each other under other names, found by their outlines alone.

Two conversions of one dataset differ in file format, picture size, compression, frame rate, names of views, captions,
cuts, and often in a few frames at either end. What stays is what was filmed when, and where the tool was. Candidates
are the nearest films; each is then checked moment by moment. Outlines wait on disk: memory holds half a kilobyte of a
film.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import keys_of
from clustering.faiss_here import faiss
from clustering.spherical import one_thread
from schemas.array import Floats, Ints
from schemas.filmstrip import DESCRIPTOR_SIZE
from schemas.outline import N_MOMENTS, Outline

Film = NDArray[np.float64]

N_PARTS = 8
"""A film is looked up by its mean grey pictures over this many equal parts."""
NEIGHBOURS = 8
"""Nearest films of other episodes that are checked, of each film."""
EXACT_BELOW = 50_000
"""With more films than this the look-up goes through an inverted file, as comparing all with all would take hours."""
PROBES = 16
MIN_CHANGE = 2.0
"""Levels by which a cell of the picture must change, root mean square, to be looked at: less is the encoder's noise."""
MIN_SCENE = 0.9
"""Correlation of what two films show on average."""
MIN_FILM, MIN_FILM_ALONE = 0.9, 0.99
"""Correlation of how two films change; with tool paths that agree, and where nothing is known of one."""
MAX_PATH_M, MAX_PATH_SHARE = 0.002, 0.1
"""Root-mean-square distance of the tools' paths, each about its own middle, where both are known: in metres, and in
shares of what they move."""
MIN_PATH_M = 0.005
"""A tool that stays within this of its middle says nothing."""
MAX_TRIMMED = 0.2
"""Share of the longer film that the shorter one may lack."""
COARSE, FINE_STEPS = 4, 16
"""Trims are tried every so many moments, then every moment, then every such part of one."""
_MIDDLES = (np.arange(N_MOMENTS) + 0.5) / N_MOMENTS
_ROUNDING = 1e-3
"""Of single precision, amply."""
MIN_COARSE, MIN_FINE = 0.5, 0.85
"""Correlation below which a candidate is not looked at more finely."""


@dataclass(frozen=True)
class Copy:
    """Two episodes that are one recording: ``second`` shows at ``rate · t + lag_s`` what ``first`` shows at t."""

    first: str
    second: str
    film: float
    """Correlation of the best pair of views."""
    path_m: float | None
    """How far apart the tools are; None where either is unknown."""
    rate: float
    lag_s: float


class _Clock(NamedTuple):
    """From one episode's time to another's."""

    a_s: float
    b_s: float
    rate: float
    lag: float

    def shared(self) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which of a's moments b shows too, and where among b's moments (a fraction) those are."""
        times = (np.arange(N_MOMENTS) + 0.5) * self.a_s / N_MOMENTS
        place = (self.rate * times + self.lag) / self.b_s * N_MOMENTS - 0.5
        inside = (place >= -0.5) & (place <= N_MOMENTS - 0.5)
        return inside, np.clip(place[inside], 0.0, N_MOMENTS - 1.0)

    def around(self) -> "Iterator[_Clock]":
        """Clocks within half a moment of this one."""
        step = self.a_s / N_MOMENTS / FINE_STEPS
        yield self
        for n in range(1, FINE_STEPS // 2 + 1):
            yield from (_Clock(self.a_s, self.b_s, self.rate, self.lag + sign * n * step) for sign in (-1, 1))


def find_copies(batches: Iterable[list[Outline]], folder: Path) -> list[Copy]:
    """All copies among episodes, each pair once with ``first < second``, in order. ``folder`` holds temporary files."""
    films = _Films(folder)
    for batch in batches:
        for outline in batch:
            films.add(outline)
    films.close()
    pairs = sorted({(min(a, b), max(a, b)) for a, b in _candidates(films)}, key=lambda pair: films.names(*pair))
    return [copy for a, b in pairs if (copy := compare(films.outline(a), films.outline(b))) is not None]


class _Films:
    """The outlines of a corpus on disk, and what films are looked up by in memory."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "outlines").open("w+b")
        self._places: list[tuple[int, int]] = []
        """Per episode: where it starts in the file, and how many views it has."""
        self._ids: list[str] = []
        self._seconds: list[float] = []
        self.keys: list[NDArray[np.float32]] = []
        self.owner: list[int] = []
        """Episode of each key."""

    def add(self, outline: Outline) -> None:
        films = [view.film for view in outline.views]
        self._places.append((self._file.tell(), len(films)))
        self._file.write(outline.path.astype("<f4").tobytes() + b"".join(film.astype("u1").tobytes() for film in films))
        self._ids.append(outline.episode_id)
        self._seconds.append(outline.duration_s)
        for film in films:
            if changes(film):
                self.keys.append(_key(film))
                self.owner.append(len(self._ids) - 1)

    def close(self) -> None:
        self._file.flush()

    def names(self, a: int, b: int) -> tuple[str, str]:
        first, second = sorted((self._ids[a], self._ids[b]))
        return first, second

    def outline(self, episode: int) -> "Shown":
        """One episode, read back."""
        start, n_views = self._places[episode]
        self._file.seek(start)
        path = np.frombuffer(self._file.read(N_MOMENTS * 6 * 4), "<f4").reshape(N_MOMENTS, 6)
        size = N_MOMENTS * DESCRIPTOR_SIZE
        films = [np.frombuffer(self._file.read(size), "u1").reshape(N_MOMENTS, -1) for _ in range(n_views)]
        return Shown(self._ids[episode], self._seconds[episode], tuple(filter(changes, films)), path)


@dataclass(frozen=True, eq=False)
class Shown:
    """What is compared of an episode: the films in which something happens, and the tools' path."""

    episode_id: str
    duration_s: float
    films: Sequence[Ints]
    path: Floats


def changes(film: Ints) -> bool:
    """Whether anything happens in a film [N_MOMENTS, 48]."""
    return bool((film.std(axis=0) >= MIN_CHANGE).any())


def _key(film: Ints) -> NDArray[np.float32]:
    """What a film is looked up by, [128]; brightness and contrast, which encoders differ in, taken out."""
    grey = film.astype(np.float64).reshape(N_PARTS, N_MOMENTS // N_PARTS, -1, 3).mean(axis=(1, 3))
    grey = grey - grey.mean()
    key: NDArray[np.float32] = (grey / max(float(grey.std()), 1.0)).astype(np.float32).reshape(-1)
    return key


def _candidates(films: _Films) -> Iterator[tuple[int, int]]:
    """Pairs of episodes with films near each other."""
    if len(films.keys) < 2:
        return
    keys, owner = np.stack(films.keys), np.array(films.owner)
    names = [f"{films.names(i, i)[0]}/{n}" for n, i in enumerate(films.owner)]
    most_views = int(np.bincount(owner).max())
    with one_thread():
        index = _index(keys, names)
        _, found = index.search(keys, min(len(keys), NEIGHBOURS + most_views))
    rows = np.repeat(owner, found.shape[1])
    others = np.where(found < 0, rows.reshape(found.shape), owner[found]).reshape(-1)
    apart = rows != others
    yield from np.unique(np.stack([rows[apart], others[apart]], axis=1), axis=0).tolist()


def _index(keys: NDArray[np.float32], names: list[str]) -> faiss.Index:
    if len(keys) <= EXACT_BELOW:
        exact = faiss.IndexFlatL2(keys.shape[1])
        exact.add(keys)
        return exact
    n_lists = int(np.sqrt(len(keys)))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(keys.shape[1]), keys.shape[1], n_lists)
    index.nprobe = PROBES
    order = np.argsort(keys_of("film-lists", names), kind="stable")
    index.train(keys[order[: 64 * n_lists]])
    index.add(keys)
    return index


def compare(a: Shown, b: Shown) -> Copy | None:
    """How two episodes are one recording, or None when they are not."""
    if a.episode_id > b.episode_id:
        a, b = b, a
    whole = _Clock(a.duration_s, b.duration_s, b.duration_s / a.duration_s, 0.0)
    lags = _lags(a.duration_s, b.duration_s)
    coarse = [whole, *lags[::COARSE]]
    best: tuple[float, _Clock, Film, Film] | None = None
    for whole_a, whole_b in product(a.films, b.films):
        if _correlation(whole_a.mean(axis=0), whole_b.mean(axis=0)) >= MIN_SCENE:
            film_a, film_b = _changing(whole_a, whole_b)
            if _most_alike(film_a, film_b, [whole, *lags]) < MIN_FINE - _ROUNDING:
                continue  # whatever a closer look would find
            found, clock = _best(film_a, film_b, coarse)
            if found >= MIN_COARSE and clock is not whole:
                at = lags.index(clock)
                found, clock = _best(film_a, film_b, lags[max(0, at - COARSE + 1) : at + COARSE])
            if best is None or found > best[0]:
                best = found, clock, film_a, film_b
    if best is None or best[0] < MIN_FINE:
        return None
    _, near, film_a, film_b = best
    paths = [(distance, clock) for clock in near.around() if (distance := _path_distance(a, b, clock)) is not None]
    if paths:
        path_m, clock = min(paths, key=lambda pair: pair[0])
        film, wanted = _alike(film_a, film_b, clock), MIN_FILM
        if path_m > MAX_PATH_M:
            return None
    else:
        film, clock = _best(film_a, film_b, near.around())
        path_m, wanted = None, MIN_FILM_ALONE
    if film < wanted:
        return None
    rounded = None if path_m is None else round(path_m, 5)
    return Copy(a.episode_id, b.episode_id, round(film, 4), rounded, clock.rate, clock.lag)


def _changing(film_a: Ints, film_b: Ints) -> tuple[Film, Film]:
    """The cells of two films that change in either."""
    cells = (film_a.std(axis=0) >= MIN_CHANGE) | (film_b.std(axis=0) >= MIN_CHANGE)
    return film_a[:, cells].astype(np.float64), film_b[:, cells].astype(np.float64)


def _best(film_a: Film, film_b: Film, clocks: Iterable[_Clock]) -> tuple[float, _Clock]:
    return max(((_alike(film_a, film_b, clock), clock) for clock in clocks), key=lambda pair: pair[0])


def _lags(a_s: float, b_s: float) -> list[_Clock]:
    """What may lead from a's clock to b's where either is trimmed, a moment apart each."""
    needed = (1.0 - MAX_TRIMMED) * max(a_s, b_s)
    step = a_s / N_MOMENTS
    most = int(MAX_TRIMMED * max(a_s, b_s) / step)
    steps = (n * step for n in range(-most, most + 1))
    return [_Clock(a_s, b_s, 1.0, lag) for lag in steps if min(a_s, b_s - lag) - max(0.0, -lag) >= needed]


def _at(rows: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows [N_MOMENTS, D] between moments, linearly; what is between a number and NaN is NaN."""
    low = np.minimum(place.astype(np.int64), N_MOMENTS - 2)
    part = (place - low)[:, None]
    above = np.where(part > 0, rows[low + 1], rows[low])
    between: NDArray[np.float64] = rows[low] * (1.0 - part) + above * part
    return between


def _alike(film_a: Film, film_b: Film, clock: _Clock) -> float:
    inside, place = clock.shared()
    ours, theirs = film_a[inside], _at(film_b, place)
    return _correlation(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0))


def _most_alike(film_a: Film, film_b: Film, clocks: Sequence[_Clock]) -> float:
    """The largest `_alike` of these clocks, but for rounding: all of them at once, as most pairs go no further."""
    a_s, b_s, rates, lags = (np.array(values)[:, None] for values in zip(*clocks, strict=True))
    places = (rates * (_MIDDLES * a_s) + lags) / b_s * N_MOMENTS - 0.5
    counted = ((places >= -0.5) & (places <= N_MOMENTS - 0.5)).astype(np.float32)
    places = np.clip(places, 0.0, N_MOMENTS - 1.0)
    low = np.minimum(places.astype(np.int64), N_MOMENTS - 2)
    part = (places - low).astype(np.float32)[:, :, None]
    ours, centred = (np.asarray(film - film.mean(axis=0), np.float32) for film in (film_a, film_b))
    steps = np.diff(centred, axis=0)
    theirs = np.take(steps, low, axis=0)
    theirs *= part
    theirs += np.take(centred, low, axis=0)
    theirs *= counted[:, :, None]
    flat, n = theirs.reshape(len(clocks), -1), counted.sum(axis=1)
    sum_a, sum_b = counted @ ours, theirs.sum(axis=1)
    both = flat @ ours.reshape(-1) - (sum_a * sum_b).sum(axis=1) / n
    a = counted @ (ours * ours).sum(axis=1) - (sum_a * sum_a).sum(axis=1) / n
    b = np.einsum("ci,ci->c", flat, flat) - (sum_b * sum_b).sum(axis=1) / n
    length = np.sqrt(np.maximum(a, 0.0) * np.maximum(b, 0.0))
    return float(np.max(np.divide(both, length, out=np.zeros(len(n), np.float32), where=length > 0)))


def _path_distance(a: Shown, b: Shown, clock: _Clock) -> float | None:
    """Root-mean-square distance of the paths of the arms that both know, metres; frames may differ by a shift."""
    inside, place = clock.shared()
    ours, theirs = a.path[inside].astype(np.float64), _at(b.path.astype(np.float64), place)
    distances = []
    for arm in (slice(0, 3), slice(3, 6)):
        known = np.isfinite(ours[:, arm] - theirs[:, arm]).all(axis=1)
        one, other = ours[known, arm], theirs[known, arm]
        if known.sum() >= N_MOMENTS // 2 and max(_spread(one), _spread(other)) >= MIN_PATH_M:
            apart, moved = _spread(one - other), min(_spread(one), _spread(other))
            distances.append(apart if apart <= MAX_PATH_SHARE * moved else max(apart, 2 * MAX_PATH_M))
    return max(distances, default=None)


def _spread(path: NDArray[np.float64]) -> float:
    """Root-mean-square distance from its own middle."""
    return float(np.sqrt(np.mean(np.sum((path - path.mean(axis=0)) ** 2, axis=1))))


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    length = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b)) / length if length > 0 else 0.0
