"""What the events of a set are called: vocabulary, its long tail, and how well it agrees with the clusters."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from pipeline.cards.folder import SetFiles
from pipeline.cards.rows import Row, rows
from pipeline.shards.agreement import agreement
from schemas.cluster import NULL_CLUSTER
from schemas.event import Verb

TOP = 10
RARE = 10
"""Fewer events than this are the tail."""


def vocabulary(of: SetFiles, level: str) -> dict[str, Any]:
    """Words of the events samples are made of."""
    where = f"FROM events WHERE level = '{level}'"
    verbs = _counted(of, f"SELECT verb AS word, count(*) AS n {where} GROUP BY ALL ORDER BY n DESC, word")
    objects = _counted(
        of,
        f"SELECT word, count(*) AS n FROM (SELECT unnest(objects) AS word {where}) GROUP BY ALL ORDER BY n DESC, word",
    )
    (captions,) = rows(
        of.query, f"SELECT count(*) AS n, count(DISTINCT caption) AS n_distinct {where} AND caption <> ''"
    )
    return {
        "level": level,
        "verbs": {**_tail(verbs), "never": [str(verb) for verb in Verb if str(verb) not in verbs]},
        "objects": _tail(objects),
        "captions": captions,
    }


def _counted(of: SetFiles, query: str) -> dict[str, int]:
    return {row["word"]: row["n"] for row in rows(of.query, query)}


def _tail(words: dict[str, int]) -> dict[str, Any]:
    """How unevenly so many words are used; ``words`` with the most frequent first."""
    total = sum(words.values())
    return {
        "n_distinct": len(words),
        "n_uses": total,
        "top": [{"word": word, "n": n} for word, n in list(words.items())[:TOP]],
        "top_share": sum(list(words.values())[:TOP]) / total if total else 0.0,
        "gini": gini(sorted(words.values())),
        "n_rare": sum(n < RARE for n in words.values()),
    }


def gini(ascending: list[int]) -> float:
    """0 where all are alike, towards 1 where one has everything."""
    total, n = sum(ascending), len(ascending)
    if total == 0:
        return 0.0
    return sum((2 * rank - n - 1) * count for rank, count in enumerate(ascending, 1)) / (n * total)


def agreements(of: SetFiles) -> list[Row]:
    """Clusters of distinct events held against their verbs, in both spaces."""
    found = []
    for space, where in (("vision_language", "true"), ("action", f"action <> {NULL_CLUSTER}")):
        counts = rows(
            of.query,
            f"SELECT {space} AS cluster, verb, count(DISTINCT event_id) AS n FROM manifest WHERE {where} "
            "GROUP BY ALL ORDER BY ALL",
        )
        measured = agreement(Counter({(row["cluster"], row["verb"]): row["n"] for row in counts}))
        found.append({"space": space, **asdict(measured)})
    return found
