"""The worst of everything, with pictures: where a person should look first.

Of one recording at most two entries stand in a gallery, so that a single bad one does not fill it; ties go by hash.
Pictures are the filmstrip's, made smaller: nothing is decoded from video again.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from jobs.report.tables import Tables
from pipeline.store import one_of
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.sync import LagCurve
from schemas.time import NS_PER_S

MOST_OF_ONE = 2
STRIP = 5
"""Pictures of a strip."""
HEIGHT, QUALITY = 90, 72
MOST_BYTES = 12_000
"""Of one picture: what is larger is made smaller again."""


@dataclass(frozen=True)
class Picture:
    """One picture of a strip."""

    frame: int
    t_ns: int
    jpeg: str
    """Base64."""


@dataclass(frozen=True)
class Entry:
    """One of the worst."""

    source: str
    locator: str
    episode_id: str
    event_id: str
    """Empty where a whole recording is meant."""
    frame: int
    t_ns: int
    value: float
    said: str
    strip: tuple[Picture, ...] = ()
    curve: tuple[float, ...] = ()
    """Correlation by lag, of clocks in doubt; the middle is no lag."""
    curve_step_ns: int = 0
    cut: int | None = None
    """The first picture of the strip after the boundary; None where the strip shows none."""


@dataclass(frozen=True)
class Gallery:
    """The worst by one measure."""

    name: str
    title: str
    measure: str
    entries: tuple[Entry, ...] = field(default=())
    n_candidates: int = 0


def galleries(tables: Tables, worst: int) -> tuple[Gallery, ...]:
    """All galleries, each with at most ``worst`` entries; empty ones say that there is nothing to see."""
    return (
        _boundaries(tables, worst),
        _sharpness(tables, worst),
        _sync(tables, worst),
        _odd(tables, worst),
    )


def _boundaries(tables: Tables, worst: int) -> Gallery:
    """Cuts of the balanced level: their confidence is what decides whether an event is what it says."""
    inner = "FROM event JOIN ref USING (item) WHERE level = ? AND end_kind NOT IN ('range_edge', 'duration_cap')"
    level = str(tables.recipe.balance.level)
    rows = tables.rows(
        f"""SELECT source, locator, item, event_id, end_frame, end_ns, end_confidence, end_kind, end_sigma_s, caption
            FROM (SELECT *, sha256('worst|' || event_id) AS h {inner})
            QUALIFY row_number() OVER (PARTITION BY item ORDER BY end_confidence, h) <= {MOST_OF_ONE}
            ORDER BY end_confidence, h LIMIT ?""",  # noqa: S608 - own words
        [level, worst],
    )
    entries = []
    for source, locator, item, event_id, frame, t_ns, confidence, kind, sigma, caption in rows:
        said = f"{kind} ± {sigma:.2f} s, ends “{caption}”" if caption else f"{kind} ± {sigma:.2f} s"
        strip = _strip(tables, item, t_ns - 2 * NS_PER_S, t_ns + 2 * NS_PER_S, around=t_ns)
        cut = next((picture.frame for picture in strip[1:] if picture.t_ns >= t_ns), None)
        entries.append(Entry(source, locator, item, event_id, frame, t_ns, confidence, said, strip, cut=cut))
    return Gallery(
        "boundaries",
        "Least confident boundaries",
        "confidence",
        tuple(entries),
        tables.number(f"SELECT count(*) {inner}", [level]),
    )


def _sharpness(tables: Tables, worst: int) -> Gallery:
    """Recordings by the median sharpness of their master view's pictures."""
    tables.replace_names("ingested", [attempt for _, attempt in tables.ledger.done_attempts("ingest")])
    tables.add(
        "sharpness",
        tables.workspace.scan(Filmstrip, columns=["episode_id", "camera", "sharpness", "attempt"]),
        """SELECT episode_id AS item, camera, list_aggregate(sharpness, 'median')::DOUBLE AS sharp
           FROM rows JOIN ingested ON name = attempt WHERE len(sharpness) > 0""",
    )
    of_masters = "FROM sharpness JOIN episode USING (item) JOIN ref USING (item) WHERE camera = master"
    rows = tables.rows(
        f"""SELECT source, locator, item, sharp, episode.ns {of_masters}
            ORDER BY sharp, sha256('worst|' || item) LIMIT ?""",
        [worst],
    )
    n = tables.number(f"SELECT count(*) {of_masters}")
    entries = tuple(
        Entry(source, locator, item, "", 0, 0, sharp, "median over the master view", _strip(tables, item, 0, ns))
        for source, locator, item, sharp, ns in rows
    )
    return Gallery("sharpness", "Lowest sharpness", "variance of the Laplacian", entries, n)


def _sync(tables: Tables, worst: int) -> Gallery:
    """Rejected clocks first, then suspected and unproven ones, each by how far off they may be."""
    rows = tables.rows(
        """SELECT ref.source, locator, item, coalesce(abs(value), 0), f."check", coalesce(value, 0), message, episode.ns
           FROM finding f JOIN ref ON item = subject JOIN episode USING (item)
           WHERE stage = 'align' AND starts_with(f."check", 'sync_')
               AND f."check" NOT IN ('sync_corrected', 'sync_by_source')
           ORDER BY list_position(['sync_rejected', 'sync_offset_suspected', 'sync_unverified'], f."check"), 4 DESC,
               sha256('worst|' || item)"""
    )
    entries = []
    for source, locator, item, _, check, value, message, ns in rows[:worst]:
        said = f"{check}: {message.removeprefix(f'{locator}: ')}"
        curve, step = _curve(tables, item)
        entries.append(Entry(source, locator, item, "", 0, 0, value, said, _strip(tables, item, 0, ns), curve, step))
    return Gallery("sync", "Largest doubts about clocks", "value of the check", tuple(entries), len(rows))


def _odd(tables: Tables, worst: int) -> Gallery:
    """Events farthest from the middle of their own cluster."""
    rows = tables.rows(
        f"""SELECT source, locator, item, event_id, frame_start, start_ns, ns, distance, caption FROM (
                SELECT *, sha256('worst|' || event_id) AS h FROM assigned JOIN event USING (event_id, item))
            JOIN ref USING (item)
            QUALIFY row_number() OVER (PARTITION BY item ORDER BY distance DESC, h) <= {MOST_OF_ONE}
            ORDER BY distance DESC, h LIMIT ?""",  # noqa: S608 - own words
        [worst],
    )
    entries = tuple(
        Entry(source, locator, item, event_id, frame, start, distance, caption, _strip(tables, item, start, start + ns))
        for source, locator, item, event_id, frame, start, ns, distance, caption in rows
    )
    n = tables.number("SELECT count(*) FROM assigned")
    return Gallery("odd", "Events farthest from their cluster", "1 − cosine to the centroid", entries, n)


# -- pictures ----------------------------------------------------------------------------------------------------------


def _strip(tables: Tables, item: str, start_ns: int, end_ns: int, around: int | None = None) -> tuple[Picture, ...]:
    """Pictures of the master view between two times: evenly spread, or the nearest ones before and after a time."""
    attempts = [attempt for of, attempt in tables.ledger.done_attempts("ingest") if of == item]
    ((master,),) = tables.rows("SELECT master FROM episode WHERE item = ?", [item])
    where = f"{one_of('attempt', attempts)} AND {one_of('camera', [master])}"
    where += f" AND t_ns >= {start_ns - NS_PER_S} AND t_ns <= {end_ns}"
    reader = tables.workspace.scan(Thumbnail, columns=["frame", "t_ns"], where=where)
    times = sorted((row["t_ns"], row["frame"]) for row in reader.read_all().to_pylist())
    chosen = _around(times, around) if around is not None else _spread(times)
    if not chosen:
        return ()
    frames = ", ".join(str(frame) for _, frame in chosen)
    table = tables.workspace.scan(
        Thumbnail, columns=["frame", "t_ns", "jpeg"], where=f"{where} AND frame IN ({frames})"
    ).read_all()
    pictures = {row["frame"]: row for row in table.to_pylist()}
    return tuple(
        Picture(frame, t_ns, base64.b64encode(_small(pictures[frame]["jpeg"])).decode()) for t_ns, frame in chosen
    )


def _around(times: Sequence[tuple[int, int]], t_ns: int) -> list[tuple[int, int]]:
    """As many before as after, as far as there are."""
    first = sum(time < t_ns for time, _ in times)
    start = max(0, min(first - (STRIP + 1) // 2, len(times) - STRIP))
    return list(times[start : start + STRIP])


def _spread(times: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(times) <= STRIP:
        return list(times)
    return [times[round(i * (len(times) - 1) / (STRIP - 1))] for i in range(STRIP)]


def _small(jpeg: bytes) -> bytes:
    """The picture at most `HEIGHT` high and `MOST_BYTES` long; one that cannot be read is left out as a grey one."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        picture = np.full((HEIGHT, HEIGHT, 3), 128, np.uint8)
    for height, quality in _sizes():
        scale = min(1.0, height / picture.shape[0])
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(data) <= MOST_BYTES:
            break
    return data


def _sizes() -> Iterator[tuple[int, int]]:
    yield HEIGHT, QUALITY
    yield HEIGHT, QUALITY // 2
    yield HEIGHT // 2, QUALITY // 2


def _curve(tables: Tables, item: str) -> tuple[tuple[float, ...], int]:
    attempts = [attempt for of, attempt in tables.ledger.done_attempts("lag") if of == item]
    curves = [curve for rows in tables.workspace.read(LagCurve, attempts).values() for curve in rows]
    if not curves:
        return (), 0
    return tuple(round(float(value), 3) for value in curves[0].correlation), curves[0].step_ns
