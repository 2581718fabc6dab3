"""``facts.json``: every number of a card, counted from the shard set's own files and from nothing else.

The stage that publishes a set and `joinery verify` call the same function on the same files, so a number that was typed
or left behind by an older set does not survive. Counts, nanoseconds and bytes are whole numbers; what follows from them
is worked out where it is shown, but for shares with an interval.
"""

import hashlib
from dataclasses import asdict
from typing import Any

from pipeline.cards.count_words import agreements, vocabulary
from pipeline.cards.folder import SetFiles
from pipeline.cards.interval import rate_of
from pipeline.cards.rows import Row, rows
from pipeline.cards.terms import Holding, strictest
from pipeline.shards.facts import deviations
from pipeline.shards.statistics import COLUMNS
from schemas.arrow import from_row
from schemas.data_card import DataCard
from schemas.event import Level, ReviewState
from schemas.plan import SamplingPlan
from schemas.shard import statistics_group

FORMAT = 1
CARD_VERSION = 2
"""One more whenever the same files and the same card would come out as other texts."""
_LENGTHS = (0.05, 0.25, 0.5, 0.75, 0.95)


def count(of: SetFiles, card: DataCard) -> dict[str, Any]:
    """Everything a card of these files states. Raises KeyError, ValueError or duckdb.Error for broken files."""
    return {
        "format": FORMAT,
        "card_version": CARD_VERSION,
        "content_sha256": content_sha256(of),
        "n_bytes": sum(shard.n_bytes for shard in of.shards) + sum(file.n_bytes for file in of.files),
        "clip": {key: of.recipe["clip"][key] for key in ("short_side", "gop", "crf")},
        "splits": _splits(of),
        "episodes": _one(of, _EPISODES),
        "sources": _rows(of, _SOURCES),
        "licences": _licences(of),
        "embodiments": _embodiments(of),
        "cameras": _rows(of, _CAMERAS),
        "sync": _rows(of, _SYNC),
        "levels": {str(level): _level(of, level) for level in Level},
        "annotation": _annotation(of),
        "vocabulary": vocabulary(of, of.plan["plan"]["level"]),
        "agreement_with_verbs": agreements(of),
        "balance": _balance(of),
        "left_out": _left_out(of),
        "n_taken_out": of.n_taken_out,
        "splits_apart": _one(of, _LEAKAGE),
        "findings": _rows(of, _FINDINGS),
        "personal_data": [
            {
                "subject": str(handling.subject),
                "missed": _rate(handling.n_missed, handling.n_checked),
            }
            for handling in card.people.personal_data
        ],
        "audit": _audit(card),
    }


def content_sha256(of: SetFiles) -> str:
    """One digest of all that is no card, over a ``sha256sum`` list: whatever a card says, this is the data."""
    named = [(f"{shard.shard}.tar", shard.sha256) for shard in of.shards]
    named += [(file.name, file.sha256) for file in of.files]
    return hashlib.sha256("".join(f"{sha256}  {name}\n" for name, sha256 in sorted(named)).encode()).hexdigest()


_EPISODES = """
    SELECT count(*) AS n, CAST(coalesce(sum(duration_ns), 0) AS BIGINT) AS duration_ns,
        CAST(coalesce(sum(kept_ns), 0) AS BIGINT) AS kept_ns,
        (SELECT CAST(coalesce(sum(camera.n_frames), 0) AS BIGINT)
            FROM (SELECT unnest(cameras) AS camera FROM episodes)) AS n_pictures,
        count(*) FILTER (action_kind = 'none') AS n_without_actions,
        count(*) FILTER (action_kind IN ('pseudo', 'retargeted')) AS n_with_estimated_actions
    FROM episodes"""
_SOURCES = """
    SELECT source, sources.kind, dataset, embodiment, action_kind, episodes.licence, episodes.redistribution,
        episodes.consent, count(*) AS n_episodes, CAST(sum(duration_ns) AS BIGINT) AS duration_ns,
        CAST(sum(n_samples) AS BIGINT) AS n_samples
    FROM episodes JOIN sources USING (source) GROUP BY ALL ORDER BY ALL"""
_CAMERAS = """
    SELECT camera.name AS name, camera.role AS role, camera.width AS width, camera.height AS height,
        count(*) AS n_episodes, CAST(sum(camera.n_frames) AS BIGINT) AS n_pictures,
        CAST(sum(camera.duration_ns) AS BIGINT) AS duration_ns, count(*) FILTER (NOT camera.steady) AS n_varying,
        count(*) FILTER (camera.has_intrinsics) AS n_with_intrinsics,
        count(*) FILTER (camera.has_extrinsics) AS n_with_extrinsics
    FROM (SELECT unnest(cameras) AS camera FROM episodes) GROUP BY ALL ORDER BY ALL"""
_SYNC = """
    SELECT sync AS verdict, count(*) AS n_episodes,
        CAST(quantile_disc(abs(offset_ns), 0.5) AS BIGINT) AS median_offset_ns,
        CAST(max(abs(offset_ns)) AS BIGINT) AS largest_offset_ns
    FROM episodes GROUP BY ALL ORDER BY ALL"""
_FINDINGS = 'SELECT stage, "check", verdict, count(*) AS n FROM findings GROUP BY ALL ORDER BY ALL'
_LEAKAGE = """
    WITH sides AS (SELECT DISTINCT episode_id, event_id,
        CASE WHEN split IN ('validation', 'test') THEN split ELSE 'train' END AS side FROM manifest)
    SELECT (SELECT count(*) FROM (SELECT episode_id FROM sides GROUP BY 1 HAVING count(DISTINCT side) > 1))
            AS n_episodes_shared,
        (SELECT count(*) FROM (SELECT event_id FROM sides GROUP BY 1 HAVING count(DISTINCT side) > 1))
            AS n_events_shared"""


def _rows(of: SetFiles, query: str) -> list[Row]:
    return rows(of.query, query)


def _one(of: SetFiles, query: str) -> Row:
    (row,) = rows(of.query, query)
    return row


def _splits(of: SetFiles) -> dict[str, Row]:
    counted = _rows(
        of,
        "SELECT split, count(*) AS n_samples, count(DISTINCT event_id) AS n_events, "
        "count(DISTINCT episode_id) AS n_episodes, CAST(sum(end_ns - start_ns) AS BIGINT) AS duration_ns, "
        "CAST(sum(n_frames) AS BIGINT) AS n_pictures FROM manifest GROUP BY split ORDER BY split",
    )
    found = {}
    for row in counted:
        name = row.pop("split")
        own = [shard for shard in of.shards if shard.split == name]
        found[name] = {**row, "n_shards": len(own), "n_bytes": sum(shard.n_bytes for shard in own)}
    return found


def _licences(of: SetFiles) -> dict[str, Any]:
    holdings = [
        Holding(**row) for row in _rows(of, "SELECT source, licence, redistribution, personal_data FROM sources")
    ]
    by_licence = _rows(
        of,
        "SELECT licence, redistribution, count(*) AS n_episodes, CAST(sum(duration_ns) AS BIGINT) AS duration_ns, "
        "CAST(sum(n_samples) AS BIGINT) AS n_samples FROM episodes GROUP BY ALL ORDER BY ALL",
    )
    return {"by_licence": by_licence, "strictest": [asdict(term) for term in strictest(holdings)]}


def _embodiments(of: SetFiles) -> list[Row]:
    found = _rows(
        of,
        "SELECT embodiment, action_kind, count(DISTINCT episode_id) AS n_episodes, count(*) AS n_samples, "
        "CAST(sum(n_action_rows) AS BIGINT) AS n_action_rows, "
        "CAST(sum(m.end_ns - m.start_ns) AS BIGINT) AS duration_ns "
        "FROM manifest m JOIN episodes USING (episode_id) GROUP BY ALL ORDER BY ALL",
    )
    described = of.statistics["embodiments"]
    for row in found:
        own = described.get(statistics_group(row["embodiment"], row["action_kind"]), {})
        for quantity in ("state", "action_relative"):
            n_rows = own.get(quantity, {}).get("n_rows", [])
            row[f"{quantity}_columns"] = [name for name, n in zip(COLUMNS, n_rows, strict=False) if n]
    return found


def _level(of: SetFiles, level: Level) -> Row:
    row = _one(
        of,
        "SELECT count(*) AS n, CAST(coalesce(sum(end_ns - start_ns), 0) AS BIGINT) AS duration_ns, "
        + "".join(f"count(*) FILTER (review = '{state}') AS n_{state}, " for state in ReviewState)
        + f"quantile_disc(end_ns - start_ns, {list(_LENGTHS)}) AS lengths "
        f"FROM events WHERE level = '{level}'",
    )
    lengths = row.pop("lengths") or []
    return {**row, "length_ns": {f"p{round(100 * q)}": int(ns) for q, ns in zip(_LENGTHS, lengths, strict=False)}}


def _annotation(of: SetFiles) -> dict[str, Any]:
    def counted(column: str) -> dict[str, int]:
        found = _rows(of, f"SELECT {column} AS name, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC, name")
        return {row["name"]: row["n"] for row in found}

    return {
        "captions_by": counted("caption_by"),
        "boundaries_by": counted("boundaries_by"),
        "prompts": [
            row["prompt"] for row in _rows(of, "SELECT DISTINCT prompt FROM events WHERE prompt <> '' ORDER BY 1")
        ],
        **_one(of, "SELECT count(*) AS n_events, count(*) FILTER (needs_vlm) AS n_second_look FROM events"),
    }


def _balance(of: SetFiles) -> dict[str, Any]:
    stated = of.plan["plan"]
    plan = from_row(SamplingPlan, stated)
    drawn = _rows(
        of,
        "SELECT vision_language AS v, action AS a, count(*) AS n FROM manifest WHERE split = 'train' GROUP BY ALL",
    )
    row_off, cell_off = deviations(plan, {(row["v"], row["a"]): row["n"] for row in drawn})
    kept = ("plan_id", "level", "method", "unit", "n_events", "n_draws", "kkt_residual", "effective_sample_size",
            "max_uses", "before", "after", "uses", "limits")  # fmt: skip
    return {
        **{key: stated[key] for key in kept},
        "max_row_deviation": row_off,
        "max_cell_deviation": cell_off,
        "clusterings": of.plan["clusterings"],
        **_one(
            of,
            "SELECT count(DISTINCT (vision_language, action)) AS n_cells, count(DISTINCT vision_language) AS n_looks, "
            "count(DISTINCT action) FILTER (action >= 0) AS n_motions FROM manifest",
        ),
    }


def _left_out(of: SetFiles) -> dict[str, Any]:
    groups = _rows(
        of,
        "SELECT reason, licence, source, count(*) AS n_events, count(DISTINCT episode_id) AS n_episodes "
        "FROM left_out GROUP BY ALL ORDER BY ALL",
    )
    pairs = _one(
        of,
        "SELECT count(DISTINCT episode_id) FILTER (same_recording) AS n_recordings_twice, "
        "count(DISTINCT episode_id) FILTER (source <> kept_source) AS n_across_sources FROM copies",
    )
    n_copies = sum(row["n_events"] for row in groups if row["reason"] == "copy")
    n_events = _one(of, "SELECT count(DISTINCT event_id) AS n FROM manifest")["n"]
    return {"groups": groups, **pairs, "near_duplicates": _rate(n_copies, n_copies + n_events)}


def _audit(card: DataCard) -> dict[str, Any]:
    """Per level the share of events and of episodes with an error; empty where nothing was measured."""
    report = card.annotation.agreement
    levels = report.by_level.levels if report else {}
    return {
        name: {part: _rate(counted.n, counted.of) for part, counted in iter(level.machine)}
        for name, level in levels.items()
    }


def _rate(n: int, of: int) -> Row | None:
    rate = rate_of(n, of)
    return asdict(rate) if rate else None
