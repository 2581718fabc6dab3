"""What checks found: how well the two clocks agree, what cleaning said, and what is there more than once."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.report.tables import Tables
from schemas.duplicate import DuplicateEpisodes

SHOWN_PAIRS = 50


@dataclass(frozen=True)
class CheckCount:
    """One check, over all sources."""

    stage: str
    check: str
    verdict: str
    n: int
    n_subjects: int
    by_source: dict[str, int]


@dataclass(frozen=True)
class Sync:
    """The clocks of one source's episodes."""

    source: str
    verdicts: dict[str, int]
    moved_ns: tuple[int, int, int] | None
    """Least, median and most offset of those that were moved; None where none was."""


@dataclass(frozen=True)
class Copies:
    """What is there more than once, and whether it leaks from training into what is held out."""

    n_same_bytes: int
    n_same_recording: int
    n_across_sources: int
    n_left_out: int
    n_events: int
    n_groups: int
    """Groups of near duplicates."""
    pairs: tuple[DuplicateEpisodes, ...]
    """The first `SHOWN_PAIRS`."""
    n_pairs: int
    episodes_by_split: dict[str, int]
    episodes_on_two_sides: int
    groups_on_two_sides: int
    pairs_on_two_sides: int

    @property
    def leaks(self) -> int:
        """What a model would see in training and be tested on; 0 is the promise."""
        return self.episodes_on_two_sides + self.groups_on_two_sides + self.pairs_on_two_sides


@dataclass(frozen=True)
class Quality:
    """All of it."""

    checks: tuple[CheckCount, ...]
    sync: tuple[Sync, ...]
    copies: Copies | None
    """None before duplicates were looked for."""


def quality(tables: Tables) -> Quality:
    """Everything checks have said under the present recipe."""
    return Quality(_checks(tables), _sync(tables), _copies(tables) if tables.is_done("dedup") else None)


def _checks(tables: Tables) -> tuple[CheckCount, ...]:
    by_source: dict[tuple[str, str, str], dict[str, int]] = {}
    for stage, check, verdict, source, n in tables.rows(
        'SELECT stage, "check", verdict, source, count(*) FROM finding GROUP BY ALL ORDER BY 5 DESC, 4'
    ):
        by_source.setdefault((stage, check, verdict), {})[source] = n
    rows = tables.rows(
        """FROM (SELECT stage, "check", verdict, count(*) AS n, count(DISTINCT subject) FROM finding GROUP BY ALL)
           ORDER BY list_position(['drop', 'trim', 'keep'], verdict), n DESC, stage, "check" """
    )
    return tuple(
        CheckCount(stage, check, verdict, n, n_subjects, by_source[stage, check, verdict])
        for stage, check, verdict, n, n_subjects in rows
    )


def _sync(tables: Tables) -> tuple[Sync, ...]:
    verdicts: dict[str, dict[str, int]] = {}
    for source, verdict, n in tables.rows(
        "SELECT source, verdict, count(*) FROM alignment JOIN ref USING (item) GROUP BY ALL ORDER BY 1, 3 DESC, 2"
    ):
        verdicts.setdefault(source, {})[verdict] = n
    moved = {
        row[0]: (row[1], row[2], row[3])
        for row in tables.rows(
            """SELECT source, min(offset_ns), quantile_disc(offset_ns, 0.5), max(offset_ns) FROM alignment
               JOIN ref USING (item) WHERE offset_ns != 0 GROUP BY source ORDER BY source"""
        )
    }
    return tuple(Sync(source, counts, moved.get(source)) for source, counts in verdicts.items())


def _copies(tables: Tables) -> Copies:
    """As `jobs.duplicates` tells it, with its counts of events made in the tables: there are too many to hold."""
    pairs = sorted(
        tables.ledger.present(DuplicateEpisodes, "dedup"),
        key=lambda pair: (not pair.crosses_sources, pair.source, pair.locator, pair.kept_source, pair.kept_locator),
    )
    side = dict(tables.rows("SELECT item, min(split) FROM member GROUP BY item ORDER BY item"))
    sides = [(side.get(pair.episode_id), side.get(pair.kept_id)) for pair in pairs]
    splits = "count(DISTINCT split) > 1"
    return Copies(
        n_same_bytes=len(tables.ledger.duplicates()),
        n_same_recording=len({pair.episode_id for pair in pairs if pair.same_recording}),
        n_across_sources=len({pair.episode_id for pair in pairs if pair.crosses_sources}),
        n_left_out=tables.number("SELECT count(*) FROM member WHERE duplicate_of != ''"),
        n_events=tables.number("SELECT count(*) FROM member"),
        n_groups=tables.number("SELECT count(DISTINCT duplicate_group) FROM member WHERE duplicate_group != ''"),
        pairs=tuple(pairs[:SHOWN_PAIRS]),
        n_pairs=len(pairs),
        episodes_by_split=dict(
            tables.rows("SELECT split, count(DISTINCT item) FROM member GROUP BY split ORDER BY split")
        ),
        episodes_on_two_sides=tables.number(
            f"""WITH sides AS (SELECT item, CASE split WHEN 'reserve' THEN 'train' ELSE split END AS split FROM sample
                    UNION ALL SELECT item, split FROM member)
                SELECT count(*) FROM (SELECT item FROM sides GROUP BY item HAVING {splits})"""  # noqa: S608
        ),
        groups_on_two_sides=tables.number(
            f"""SELECT count(*) FROM (SELECT duplicate_group FROM member WHERE duplicate_group != ''
                GROUP BY duplicate_group HAVING {splits})"""  # noqa: S608 - own words
        ),
        pairs_on_two_sides=sum(None not in pair and len({*pair}) > 1 for pair in sides),
    )
