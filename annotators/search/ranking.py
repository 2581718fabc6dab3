"""Events ranked by how well their words fit a query: BM25 over a table, without an index to keep.

An event's text is its caption, verb and objects, and what it recovers from and how it ended; its *facts* are doubts,
the kinds of its edges, its arm, and what made a recovery needed: near it rather than what it is. Events with more of
the query's terms come first; among these a term in the text counts once, in the facts half; rare terms count more,
long captions less (Robertson & Zaragoza 2009, with term frequency 1: captions are one sentence). The table is scanned
column by column, so a million events take seconds and nothing has to be brought up to date.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import pyarrow as pa

from annotators.search.terms import Term, terms_of
from pipeline.sql import in_memory
from schemas.event import Level, Outcome, RecoveryKind, ReviewState, Verb

COLUMNS = (
    "event_id", "episode_id", "level", "verb", "caption", "objects", "arm", "recovery", "outcome", "doubts", "review",
    "needs_vlm", "span", "start", "end", "attempt",
)  # fmt: skip
"""Of the events' table; all that is read."""
_K1, _B = 1.2, 0.75
_FACT_WEIGHT = 0.5
_CLOSED_UP = "regexp_replace(lower({0}), '[-''’]', '', 'g')"
_SPELT = rf"' ' || trim(regexp_replace({_CLOSED_UP}, '[^\p{{{{L}}}}\p{{{{N}}}}]+', ' ', 'g')) || ' '"
"""`annotators.search.terms.spelt` in SQL; a hyphen between words closes up too, which only compounds notice."""


@dataclass(frozen=True)
class Filters:
    """What an event must be, besides fitting the words; None does not ask."""

    level: Level | None = None
    source: str | None = None
    verb: Verb | None = None
    recovery: RecoveryKind | None = None
    outcome: Outcome | None = None
    review: ReviewState | None = None
    doubtful: bool | None = None
    """Some doubt is noted, or it waits for a second look."""
    min_s: float | None = None
    max_s: float | None = None

    @property
    def asks(self) -> bool:
        """Whether it leaves anything out."""
        return any(getattr(self, each.name) is not None for each in fields(self))


@dataclass(frozen=True)
class Hit:
    """An event that was found."""

    event_id: str
    episode_id: str
    source: str
    locator: str
    level: str
    verb: str
    caption: str
    start_s: float
    end_s: float
    score: float
    """BM25 of the words; 0 without words."""


class EventTable:
    """Events as they are now, ready to be asked: scanned once, columns only."""

    def __init__(self, events: pa.RecordBatchReader, attempts: Iterable[str], episodes: pa.Table) -> None:
        """``events`` with `COLUMNS`; those of other ``attempts`` are not current and left out.

        ``episodes`` has the columns episode_id, source, locator.
        """
        self._sql = in_memory()
        self._sql.execute("SET threads TO 2")
        self._sql.register("current", pa.table({"attempt": pa.array(sorted(set(attempts)), pa.string())}))
        self._sql.register("listed", episodes)
        # An episode that two sources list goes by the first of them, as in `pipeline.ledger`.
        self._sql.execute(
            "CREATE TEMP TABLE episodes AS SELECT * FROM listed "
            "QUALIFY row_number() OVER (PARTITION BY episode_id ORDER BY source, locator) = 1"
        )
        self._sql.register("scanned", events)
        text = _SPELT.format(
            "concat_ws(' ', caption, verb, array_to_string(objects, ' '), "
            "CASE WHEN recovery = 'none' THEN '' ELSE recovery END, "
            "CASE WHEN outcome = 'unknown' THEN '' ELSE outcome END)"
        )
        facts = _SPELT.format(
            "concat_ws(' ', array_to_string(doubts, ' '), start.kind, \"end\".kind, arm, "
            "CASE recovery WHEN 'regrasp' THEN 'slip' WHEN 'retry' THEN 'miss' ELSE '' END)"
        )
        self._sql.execute(
            f"""CREATE TEMP TABLE event AS
            SELECT event_id, episode_id, source, locator, level, verb, caption, recovery, outcome, review,
                needs_vlm OR len(doubts) > 0 AS doubtful, span.start_ns / 1e9 AS start_s, span.end_ns / 1e9 AS end_s,
                {text} AS words, {facts} AS facts
            FROM scanned JOIN current USING (attempt) JOIN episodes USING (episode_id)"""  # noqa: S608 - constants only
        )
        self._sql.unregister("scanned")

    def search(self, query: str, filters: Filters, limit: int | None) -> list[Hit]:
        """Events that fit, best first, then by id; all that pass the filters, by id, for a query without words."""
        terms = terms_of(query)
        where, values = _where(filters)
        if not terms:
            everything = f"SELECT *, 0.0 AS score FROM event {where} ORDER BY event_id {_limit(limit)}"  # noqa: S608
            return self._hits(everything, values)
        weights = self._weights(terms)
        parts = [
            f"{weight!r} * greatest(contains(words, ?)::INT, {_FACT_WEIGHT} * contains(facts, ?)::INT)"
            for weight in weights
        ]
        wanted = [value for term in terms for value in (_within(term), _within(term))]
        length = "(SELECT avg(length(words)) FROM event)"
        norm = f"(1 + {_K1} * (1 - {_B} + {_B} * length(words) / {length}))"
        score = f"round(({' + '.join(parts)}) * {_K1 + 1} / {norm}, 6)"
        matched = " + ".join("(contains(words, ?) OR contains(facts, ?))::INT" for _ in terms)
        ranked = f"SELECT *, {score} AS score, {matched} AS matched FROM event {where}"  # noqa: S608 - constants only
        best = f"WHERE matched > 0 ORDER BY matched DESC, score DESC, event_id {_limit(limit)}"
        return self._hits(f"SELECT * FROM ({ranked}) {best}", [*wanted, *wanted, *values])  # noqa: S608

    def count(self, query: str, filters: Filters) -> int:
        """How many events fit: what `search` without a limit would find."""
        where, values = _where(filters)
        terms = terms_of(query)
        if terms:
            fits = " OR ".join("contains(words, ?) OR contains(facts, ?)" for _ in terms)
            where = f"{where} {'AND' if where else 'WHERE'} ({fits})"
            values = [*values, *(value for term in terms for value in (_within(term), _within(term)))]
        row = self._sql.execute(f"SELECT count(*) FROM event {where}", values).fetchone()  # noqa: S608
        assert row is not None
        return int(row[0])

    def _weights(self, terms: Sequence[Term]) -> list[float]:
        """Inverse document frequency of every term; always positive."""
        counts = ", ".join("count(*) FILTER (contains(words, ?) OR contains(facts, ?))" for _ in terms)
        wanted = [value for term in terms for value in (_within(term), _within(term))]
        row = self._sql.execute(f"SELECT count(*), {counts} FROM event", wanted).fetchone()  # noqa: S608
        assert row is not None
        n_events, *frequencies = row
        return [math.log(1 + (n_events - n + 0.5) / (n + 0.5)) for n in frequencies]

    def _hits(self, query: str, values: Sequence[object]) -> list[Hit]:
        columns = ", ".join(each.name for each in fields(Hit))
        rows = self._sql.execute(f"SELECT {columns} FROM ({query})", values).fetchall()  # noqa: S608
        return [Hit(*row) for row in rows]


def _within(term: Term) -> str:
    return f" {term.stem} " if term.whole else f" {term.stem}"


def _limit(limit: int | None) -> str:
    return "" if limit is None else f"LIMIT {int(limit)}"


def _where(filters: Filters) -> tuple[str, list[object]]:
    """The condition and its values."""
    conditions, values = [], list[object]()
    for each in fields(filters):
        value = getattr(filters, each.name)
        if value is None:
            continue
        bound = {"min_s": "end_s - start_s >= ?", "max_s": "end_s - start_s <= ?"}
        conditions.append(bound.get(each.name, f"{each.name} = ?"))
        values.append(value if isinstance(value, bool | float) else str(value))
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values
