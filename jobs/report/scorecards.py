"""What is known of every source: how much came in and through, under which licence, and what was found about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jobs.report.tables import Tables
from schemas.sync import SourceClock, SourceLag


@dataclass(frozen=True)
class FindingCount:
    """How often a check has said something about a source."""

    stage: str
    check: str
    verdict: str
    n: int


@dataclass(frozen=True)
class Lag:
    """The lag all episodes of a group agree on."""

    group: str
    evidence: str
    lag_ns: int
    sigma_ns: int
    voters: int


@dataclass(frozen=True)
class Scorecard:
    """One source."""

    source: str
    kind: str
    datasets: tuple[str, ...]
    embodiments: tuple[str, ...]
    licences: tuple[str, ...]
    n_listed: int
    n_ingested: int
    n_kept: int
    n_quarantined: int
    recorded_ns: int
    kept_ns: int
    actions: dict[str, int]
    """Episodes by the kind of their actions."""
    n_events: int
    """Of the balanced level; the counts below too."""
    n_with_actions: int
    captions: dict[str, int]
    reviewed: int
    """Events of which people have said something."""
    sync: dict[str, int]
    """Episodes by verdict on their clocks."""
    lags: tuple[Lag, ...]
    findings: tuple[FindingCount, ...]

    @property
    def share_with_actions(self) -> float:
        """Of the recordings that were read."""
        return 1 - self.actions.get("none", 0) / self.n_ingested if self.n_ingested else 0.0


def scorecards(tables: Tables) -> tuple[Scorecard, ...]:
    """Every source of the recipe, the one with most video first, also those that list nothing."""
    level = str(tables.recipe.balance.level)
    rows = {
        row[0]: row[1:]
        for row in tables.rows(
            """SELECT source, any_value(kind ORDER BY kind), list_sort(list(DISTINCT dataset)),
                   list_sort(list(DISTINCT embodiment)), coalesce(list_sort(list(DISTINCT licence)
                   FILTER (licence IS NOT NULL)), []), count(*),
                   count(episode.item), count(*) FILTER (len(kept) > 0), coalesce(sum(episode.ns), 0)::BIGINT,
                   coalesce(sum(alignment.ns), 0)::BIGINT
               FROM ref LEFT JOIN episode USING (item) LEFT JOIN alignment USING (item)
               GROUP BY source ORDER BY source"""
        )
    }
    listed = tables.n_listed()
    actions = _pairs(tables, "SELECT source, action_kind, count(*) FROM episode JOIN ref USING (item) GROUP BY ALL")
    sync = _pairs(tables, "SELECT source, verdict, count(*) FROM alignment JOIN ref USING (item) GROUP BY ALL")
    events = f"FROM event JOIN ref USING (item) WHERE level = '{level}'"
    captions = _pairs(
        tables, f"SELECT source, coalesce(nullif(captioned_by, ''), 'nobody'), count(*) {events} GROUP BY ALL"
    )
    counted = {
        row[0]: row[1:]
        for row in tables.rows(
            f"""SELECT source, count(*), count(*) FILTER (n_actions > 0), count(*) FILTER (review != 'proposed')
                {events} GROUP BY source ORDER BY source"""
        )
    }
    quarantined = dict(
        tables.rows(
            """SELECT ref.source, count(DISTINCT ref.item) FROM failure JOIN ref ON failure.item IN (ref.item, ref.grp)
               GROUP BY ref.source ORDER BY ref.source"""
        )
    )
    findings, lags = _findings(tables), _lags(tables)
    found = []
    for name in sorted({source.name for source in tables.recipe.sources} | set(rows)):
        kind = next((str(source.kind) for source in tables.recipe.sources if source.name == name), "")
        row = rows.get(name, (kind, [], [], [], 0, 0, 0, 0, 0))
        of_events = counted.get(name, (0, 0, 0))
        found.append(
            Scorecard(
                source=name,
                kind=row[0],
                datasets=tuple(row[1]),
                embodiments=tuple(row[2]),
                licences=tuple(row[3]),
                n_listed=listed.get(name, 0),
                n_ingested=row[5],
                n_kept=row[6],
                n_quarantined=quarantined.get(name, 0),
                recorded_ns=row[7],
                kept_ns=row[8],
                actions=actions.get(name, {}),
                n_events=of_events[0],
                n_with_actions=of_events[1],
                captions=captions.get(name, {}),
                reviewed=of_events[2],
                sync=sync.get(name, {}),
                lags=lags.get(name, ()),
                findings=findings.get(name, ()),
            )
        )
    return tuple(sorted(found, key=lambda card: (-card.recorded_ns, card.source)))


def _pairs(tables: Tables, query: str) -> dict[str, dict[str, int]]:
    """Counts by source and name, the most frequent first."""
    found: dict[str, dict[str, int]] = {}
    for source, name, n in tables.rows(f"{query} ORDER BY 3 DESC, 1, 2"):
        found.setdefault(source, {})[name] = n
    return found


def _findings(tables: Tables) -> Mapping[str, tuple[FindingCount, ...]]:
    found: dict[str, list[FindingCount]] = {}
    for source, *row in tables.rows(
        """FROM (SELECT source, stage, "check", verdict, count(*) AS n FROM finding GROUP BY ALL)
           ORDER BY source, list_position(['drop', 'trim', 'keep'], verdict), n DESC, stage, "check" """
    ):
        found.setdefault(source, []).append(FindingCount(*row))
    return {source: tuple(counts) for source, counts in found.items()}


def _lags(tables: Tables) -> Mapping[str, tuple[Lag, ...]]:
    votes = [vote for vote in tables.ledger.present(SourceLag, "vote") if vote.clock is SourceClock.CONSTANT]
    groups = tables.rows("SELECT DISTINCT source, grp FROM ref ORDER BY ALL")
    found: dict[str, list[Lag]] = {}
    for source, group in groups:
        found.setdefault(source, []).extend(_of_group(votes, group))
    return {source: tuple(lags) for source, lags in found.items() if lags}


def _of_group(votes: Iterable[SourceLag], group: str) -> list[Lag]:
    mine = [vote for vote in votes if vote.group == group]
    return [Lag(group, str(vote.evidence), vote.lag_ns, vote.sigma_ns, vote.voters) for vote in mine]
