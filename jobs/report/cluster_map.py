"""The corpus as a map: events by the two directions in which their vectors differ most, and what each cluster holds.

An event's vector is its points in both spaces side by side, as the frozen clusters see them (`clustering.similar`).
Every embedding model has a block of its own, so a pose is never compared with a joint angle. Principal components need
no seed; of each axis the largest loading is made positive, so the map is not mirrored from one run to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.place import projection_of
from clustering.spherical import one_thread
from jobs.report.tables import Tables
from pipeline.store import stream_rows
from schemas.cluster import NULL_CLUSTER, ClusterModel, Embedding

MOST_POINTS = 5000
ATTEMPTS_AT_ONCE = 64
DECIMALS = 4
"""Of a place on the map: a ten-thousandth of its width."""
TOP = 3
MOST_CLUSTERS = 200

Points = NDArray[np.float64]


@dataclass(frozen=True)
class MapPoint:
    """One event; the place is 0 … 1 from left to right and from bottom to top."""

    event_id: str
    episode_id: str
    frame: int
    x: float
    y: float
    source: str
    verb: str
    cluster: int
    action_cluster: int
    caption: str


@dataclass(frozen=True)
class Stability:
    """How much two fits of one embedding model agree, and with what it was fitted."""

    space: str
    embedding_model: str
    n_clusters: int
    seed_ari: float | None
    """Mean adjusted Rand index between fits of different seeds; None where it was not measured."""
    smallest_cluster: int
    n_fitted: int
    version: int


@dataclass(frozen=True)
class ClusterContent:
    """What one vision-language cluster holds."""

    cluster: int
    n_events: int
    n_tail: int
    verbs: dict[str, int]
    """The most frequent ones."""
    sources: dict[str, int]
    example: tuple[str, str, int]
    """Event, episode and first frame of the event nearest to the centroid."""
    caption: str


@dataclass(frozen=True)
class ClusterMap:
    """All of it."""

    n_events: int
    """Of which ``points`` are a sample, chosen by hash, where there are more."""
    n_tail: int
    explained: tuple[float, float]
    """Share of the variance along each axis."""
    points: tuple[MapPoint, ...]
    stability: tuple[Stability, ...]
    clusters: tuple[ClusterContent, ...]
    n_clusters: int


def cluster_map(tables: Tables) -> ClusterMap | None:
    """None before events have a place among clusters."""
    n_events = tables.number("SELECT count(*) FROM assigned")
    models = sorted(
        tables.ledger.present(ClusterModel, "cluster"), key=lambda model: (model.space, model.embedding_model)
    )
    if not n_events or not models:
        return None
    chosen = tables.rows(
        """SELECT event_id, item, frame_start, source, verb, vision_language, action, caption FROM (
               SELECT * FROM assigned ORDER BY sha256('map|' || event_id) LIMIT ?)
           JOIN event USING (event_id, item) JOIN ref USING (item) ORDER BY event_id""",
        [MOST_POINTS],
    )
    if not chosen:
        return None
    with one_thread():
        vectors = _vectors(tables, [row[0] for row in chosen], {row[1] for row in chosen}, models)
        places, explained = principal_plane(vectors)
    return ClusterMap(
        n_events=n_events,
        n_tail=tables.number("SELECT count(*) FROM assigned WHERE tail"),
        explained=explained,
        points=tuple(_point(row, *place) for row, place in zip(chosen, places.tolist(), strict=True)),
        stability=tuple(_stability(model) for model in models),
        clusters=tuple(_contents(tables)),
        n_clusters=tables.number("SELECT count(DISTINCT vision_language) FROM assigned"),
    )


def _point(row: Sequence[object], x: float, y: float) -> MapPoint:
    event_id, episode, frame, source, verb, look, motion, caption = row
    return MapPoint(
        str(event_id),
        str(episode),
        int(str(frame)),
        x,
        y,
        str(source),
        str(verb),
        int(str(look)),
        int(str(motion)),
        str(caption),
    )


def _vectors(tables: Tables, events: Sequence[str], episodes: set[str], models: Sequence[ClusterModel]) -> Points:
    """Points in all spaces side by side, float64 [n, P]; zeros in the blocks an event has no vector for."""
    row_of = {event_id: row for row, event_id in enumerate(events)}
    ends = np.cumsum([model.n_projected for model in models]).tolist()
    block = {
        (model.space, model.embedding_model): (projection_of(model), end - model.n_projected, end)
        for model, end in zip(models, ends, strict=True)
    }
    found = np.zeros((len(events), ends[-1]))
    for batch in _embeddings(tables, episodes):
        wanted = [item for item in batch if item.event_id in row_of and (item.space, item.model) in block]
        for make in sorted({(item.space, item.model) for item in wanted}):
            items = [item for item in wanted if (item.space, item.model) == make]
            projection, first, end = block[make]
            points = projection.points(np.stack([item.vector for item in items]).astype(np.float32))
            found[[row_of[item.event_id] for item in items], first:end] = points
    return found


def _embeddings(tables: Tables, episodes: set[str]) -> Iterator[list[Embedding]]:
    attempts = [attempt for item, attempt in tables.ledger.done_attempts("embed") if item in episodes]
    chunks = (attempts[i : i + ATTEMPTS_AT_ONCE] for i in range(0, len(attempts), ATTEMPTS_AT_ONCE))
    return stream_rows(tables.workspace, Embedding, chunks)


def principal_plane(vectors: Points) -> tuple[Points, tuple[float, float]]:
    """Places [n, 2] in 0 … 1 on the first two principal axes of [n, P], and each axis' share of the variance.

    Both axes have the scale of the first, so distances on the map mean the same in all directions.
    """
    centred = vectors - vectors.mean(axis=0)
    variance, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    if axes.shape[1] < 2:  # a single dimension has no second direction
        axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
    axes = axes * np.where(axes[np.argmax(np.abs(axes), axis=0), [0, 1]] < 0, -1.0, 1.0)
    total = float(np.sum(np.maximum(variance, 0.0)))
    shares = [float(value) / total if total > 0 else 0.0 for value in np.maximum([*variance[::-1], 0.0], 0.0)[:2]]
    flat = centred @ axes
    low, high = flat.min(axis=0), flat.max(axis=0)
    size = float(np.max(high - low))
    scaled = (flat - (low + high) / 2) / size + 0.5 if size > 1e-9 else np.full_like(flat, 0.5)
    return np.round(scaled, DECIMALS) + 0.0, (round(shares[0], DECIMALS), round(shares[1], DECIMALS))


def _stability(model: ClusterModel) -> Stability:
    measured = model.seed_ari if model.seed_ari >= 0 else None
    return Stability(
        str(model.space),
        model.embedding_model,
        model.n_clusters,
        measured,
        model.smallest_cluster,
        model.n_fitted,
        model.version,
    )


def _contents(tables: Tables) -> Iterator[ClusterContent]:
    rows = tables.rows(
        """SELECT vision_language, count(*), count(*) FILTER (tail) FROM assigned WHERE vision_language != ?
           GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?""",
        [NULL_CLUSTER, MOST_CLUSTERS],
    )
    verbs, sources = (
        _most(tables, side, f"assigned JOIN {of}")
        for side, of in (("verb", "event USING (event_id)"), ("source", "ref USING (item)"))
    )
    nearest = {
        row[0]: row[1:]
        for row in tables.rows(
            """SELECT vision_language, event_id, assigned.item, frame_start, caption
               FROM assigned JOIN event USING (event_id)
               QUALIFY row_number() OVER (PARTITION BY vision_language ORDER BY distance, event_id) = 1"""
        )
    }
    for cluster, n, tail in rows:
        event_id, item, frame, caption = nearest[cluster]
        yield ClusterContent(
            cluster, n, tail, verbs.get(cluster, {}), sources.get(cluster, {}), (event_id, item, frame), caption
        )


def _most(tables: Tables, side: str, among: str) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for cluster, name, n in tables.rows(
        f"""FROM (SELECT vision_language, {side} AS name, count(*) AS n FROM {among} GROUP BY ALL)
            QUALIFY row_number() OVER (PARTITION BY vision_language ORDER BY n DESC, name) <= {TOP}
            ORDER BY vision_language, n DESC, name"""  # noqa: S608 - own words
    ):
        found.setdefault(cluster, {})[name] = n
    return found
