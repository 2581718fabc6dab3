"""What the events are: how long, how densely cut, what they are called, and what is done to what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clustering.spread import gini
from jobs.report.tables import Tables
from schemas.event import Level, Verb

BINS_PER_DECADE = 8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RARE = 20
"""A class with fewer events is rare: too few to learn from, and too few for a cluster (`cluster.min_cluster`)."""
TOP = (1, 5, 10, 20)
LISTED = 200
"""Names a table of the vocabulary shows; the rest is counted."""
SIDE = 20
"""Verbs and objects the map of pairs shows."""
NO_OBJECT = "(no object)"


@dataclass(frozen=True)
class Durations:
    """How long the events of one level last."""

    level: str
    n_events: int
    bins: tuple[int, ...]
    """Events per bin; bin i of the report's first bin f lasts from 10^((f + i)/8) s."""
    quantiles_ns: tuple[int, ...]
    shortest_ns: int
    longest_ns: int


@dataclass(frozen=True)
class Density:
    """How often a source's video is cut."""

    source: str
    kept_ns: int
    covered_ns: int
    """Of it, by events: what rests between is told apart by `segment`."""
    cuts: dict[str, int]
    """Inner boundaries by level, edges of kept ranges left out."""


@dataclass(frozen=True)
class BoundaryKindCount:
    """What the cuts of the finest level are."""

    kind: str
    n: int
    mean_confidence: float
    mean_sigma_s: float


@dataclass(frozen=True)
class Vocabulary:
    """How often names are used, the most frequent first."""

    what: str
    n_events: int
    counts: dict[str, int]
    """At most `LISTED`; the ranks beyond are in ``ranks`` alone."""
    ranks: tuple[tuple[int, int], ...]
    """(rank, events): the first hundred, then some, the last included."""
    n_names: int
    top_shares: dict[str, float]
    gini: float
    n_rare: int
    n_rare_events: int
    never: tuple[str, ...]
    """Names of a closed vocabulary that no event has."""


@dataclass(frozen=True)
class Pairs:
    """Which verbs meet which objects."""

    verbs: tuple[str, ...]
    objects: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """One row per verb; an event with several objects counts for each."""
    n_verbs: int
    n_objects: int
    """Of all, shown or not."""
    n_filled: int
    """Pairs that occur, of ``n_verbs`` · ``n_objects``."""
    n_shown: int
    n_all: int
    """Pairings shown and all there are."""


@dataclass(frozen=True)
class Events:
    """All of it."""

    level: str
    first_bin: int
    durations: tuple[Durations, ...]
    densities: tuple[Density, ...]
    kinds: tuple[BoundaryKindCount, ...]
    vocabularies: tuple[Vocabulary, ...]
    pairs: Pairs


def events(tables: Tables) -> Events | None:
    """None before anything is captioned."""
    if not tables.number("SELECT count(*) FROM event"):
        return None
    level = str(tables.recipe.balance.level)
    tables.make(
        "named",
        """SELECT event_id, verb, unnest(CASE WHEN len(names) = 0 THEN [?] ELSE names END) AS object FROM (
               SELECT event_id, verb, list_distinct(list_filter([lower(trim(o)) for o in objects],
                   lambda o: o != '')) AS names FROM event WHERE level = ?)""",
        [NO_OBJECT, level],
    )
    binned = tables.rows(
        f"""SELECT level, floor(log10(greatest(ns, 1) / 1e9) * {BINS_PER_DECADE})::INTEGER AS bin, count(*) FROM event
            GROUP BY ALL ORDER BY ALL"""  # noqa: S608 - own words
    )
    first, last = min(row[1] for row in binned), max(row[1] for row in binned)
    counts = {(of, bin_): n for of, bin_, n in binned}
    return Events(
        level,
        first,
        tuple(
            _durations(tables, each, [counts.get((str(each), i), 0) for i in range(first, last + 1)]) for each in Level
        ),
        _densities(tables),
        _kinds(tables),
        (_verbs(tables, level), _objects(tables)),
        _pairs(tables),
    )


def _durations(tables: Tables, level: Level, bins: Sequence[int]) -> Durations:
    asked = ", ".join(f"quantile_disc(ns, {q})" for q in QUANTILES)
    ((n, shortest, longest, *quantiles),) = tables.rows(
        f"SELECT count(*), min(ns), max(ns), {asked} FROM event WHERE level = ?",  # noqa: S608 - own words
        [str(level)],
    )
    return Durations(str(level), n, tuple(bins), tuple(int(q or 0) for q in quantiles), shortest or 0, longest or 0)


def _densities(tables: Tables) -> tuple[Density, ...]:
    cuts: dict[str, dict[str, int]] = {}
    for source, level, n in tables.rows(
        """SELECT source, level, count(*) FILTER (end_kind != 'range_edge') FROM event JOIN ref USING (item)
           GROUP BY ALL ORDER BY ALL"""
    ):
        cuts.setdefault(source, {})[level] = n
    rows = tables.rows(
        """SELECT source, sum(alignment.ns)::BIGINT, coalesce(sum(covered.ns), 0)::BIGINT
           FROM alignment JOIN ref USING (item)
           LEFT JOIN (SELECT item, sum(ns) AS ns FROM event WHERE level = 'task' GROUP BY item) covered USING (item)
           GROUP BY source HAVING sum(alignment.ns) > 0 ORDER BY 2 DESC, 1"""
    )
    return tuple(
        Density(source, kept, covered, {str(level): cuts.get(source, {}).get(str(level), 0) for level in Level})
        for source, kept, covered in rows
    )


def _kinds(tables: Tables) -> tuple[BoundaryKindCount, ...]:
    """Sums of millionths: they are the same in whatever order they are added."""
    rows = tables.rows(
        """SELECT end_kind, count(*), sum(round(end_confidence * 1e6)::BIGINT)::BIGINT,
               sum(round(end_sigma_s * 1e6)::BIGINT)::BIGINT
           FROM event WHERE level = 'segment' GROUP BY end_kind ORDER BY count(*) DESC, end_kind"""
    )
    return tuple(BoundaryKindCount(kind, n, sure / n / 1e6, wide / n / 1e6) for kind, n, sure, wide in rows)


def _verbs(tables: Tables, level: str) -> Vocabulary:
    rows = tables.rows(
        "SELECT verb, count(*) FROM event WHERE level = ? GROUP BY verb ORDER BY count(*) DESC, verb", [level]
    )
    seen = {verb for verb, _ in rows}
    return vocabulary("verbs", rows, tuple(str(verb) for verb in Verb if verb not in seen))


def _objects(tables: Tables) -> Vocabulary:
    rows = tables.rows(
        "SELECT object, count(*) FROM named WHERE object != ? GROUP BY object ORDER BY count(*) DESC, object",
        [NO_OBJECT],
    )
    return vocabulary("objects", rows, ())


def vocabulary(what: str, rows: Sequence[tuple[str, int]], never: tuple[str, ...]) -> Vocabulary:
    """Of (name, events), the most frequent first."""
    counts = np.array([n for _, n in rows], np.float64)
    total = sum(n for _, n in rows)
    ranks = [rank for rank in range(1, len(rows) + 1) if _is_shown(rank, len(rows))]
    return Vocabulary(
        what=what,
        n_events=total,
        counts=dict(rows[:LISTED]),
        ranks=tuple((rank, rows[rank - 1][1]) for rank in ranks),
        n_names=len(rows),
        top_shares={str(k): sum(n for _, n in rows[:k]) / total if total else 0.0 for k in TOP},
        gini=max(gini(counts), 0.0) if total else 0.0,
        n_rare=sum(n < RARE for _, n in rows),
        n_rare_events=sum(n for _, n in rows if n < RARE),
        never=never,
    )


def _is_shown(rank: int, n: int) -> bool:
    """The first hundred ranks, then every one with two digits of its own, and the last."""
    return rank <= 100 or rank == n or str(rank)[2:].strip("0") == ""


def _pairs(tables: Tables) -> Pairs:
    n_verbs, n_objects, n_all = tables.rows("SELECT count(DISTINCT verb), count(DISTINCT object), count(*) FROM named")[
        0
    ]
    verbs, objects = (
        [
            row[0]
            for row in tables.rows(
                f"SELECT {side}, count(*) FROM named GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SIDE}"  # noqa: S608 - own words
            )
        ]
        for side in ("verb", "object")
    )
    rows = tables.rows("SELECT verb, object, count(*) FROM named GROUP BY ALL")
    counts = {(verb, thing): n for verb, thing, n in rows}
    table = tuple(tuple(counts.get((verb, thing), 0) for thing in objects) for verb in verbs)
    return Pairs(tuple(verbs), tuple(objects), table, n_verbs, n_objects, len(counts), sum(map(sum, table)), n_all)
