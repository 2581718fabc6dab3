"""What is there, what is left to do, and under which work keys: relational, in DuckDB, never in Python lists.

A stage's items and their work keys follow from the episode listing and from what upstream stages have committed.
Both are tables, so "left to do" is an anti-join and a group's key is an aggregate; DuckDB spills to disk, and a
corpus of any size fits. `schemas.identity.work_key` states the same key in Python, and a test holds them equal.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import pyarrow as pa

from pipeline.history import History, chain_end, history_of
from pipeline.input_listing import write_listing
from pipeline.revision import dump_review, load_review, reviews_in
from pipeline.sql import in_memory
from pipeline.stage import Match, Scope, Stage
from pipeline.store import Workspace, stream_rows
from pipeline.work_item import WorkItem
from schemas.calibration import calibration_group
from schemas.finding import Failure
from schemas.plan import Draw
from schemas.recipe import Recipe
from schemas.recipe_section import section_digest
from schemas.review import Review
from schemas.run import WorkDone
from schemas.source import EpisodeRef

R = TypeVar("R")
CORPUS_ITEM = "corpus"
CHUNK_ITEMS = 1024
DRAWS_AT_ONCE = 1_000_000
"""What shards' keys are made of at a time: DuckDB holds the rows of an ordered aggregate in memory and never spills
them."""


DRAW_COLUMNS = ("plan_id", "shard", "split", "position", "event_id", "episode_id", "repeat", "t", "vision_language",
                "action", "attempt")  # fmt: skip


@dataclass(frozen=True)
class StageState:
    """How far one stage is under the present recipe and listing."""

    stage: str
    total: int
    """Items that can be named now; later stages may gain items as earlier ones finish."""
    done: int
    quarantined: int
    left: int
    waiting: int
    """Episodes or shards whose upstream is not done."""


class Ledger:
    """The state of a workspace under one recipe and one listing."""

    def __init__(
        self, workspace: Workspace, recipe: Recipe, stages: Sequence[Stage], listing: int | None = None
    ) -> None:
        """``listing`` is the version of the episode listing to go by; without one the latest there is now."""
        self._workspace = workspace
        self._listing = workspace.version(EpisodeRef) if listing is None else listing
        self._recipe = recipe
        self._stages = {stage.name: stage.under(recipe) for stage in stages}
        self._sql = in_memory()
        self._history: dict[str, History] = {}
        self._token = uuid.uuid4().hex
        """Listings of inputs are this ledger's own: a run beside it removes its own ones."""
        self._load_refs()
        self._load_reviews()

    # -- questions ---------------------------------------------------------------------------------------------------

    def state(self, name: str) -> StageState:
        """Counts for one stage; call `refresh` for it and its upstream first."""
        total, done, quarantined = self._row(
            f"""SELECT count(*), count(k.attempt), count(q.work_key) FROM key_{name} k
                LEFT JOIN quarantine q ON q.work_key = k.work_key AND k.attempt IS NULL"""
        )
        match self._stages[name].scope:
            case Scope.EPISODE:
                (listed,) = self._row("SELECT count(*) FROM refs")
            case Scope.SHARD:
                (listed,) = self._row("SELECT count(DISTINCT shard) FROM drawn")
            case _:
                listed = total
        return StageState(name, total, done, quarantined, total - done - quarantined, listed - total)

    def left(self, name: str, retry_quarantined: bool = False) -> Iterator[WorkItem]:
        """The work of a stage that is neither done nor (unless asked for) quarantined, in order of item."""
        stage = self._stages[name]
        skip = "" if retry_quarantined else "AND work_key NOT IN (SELECT work_key FROM quarantine)"
        pending = f"SELECT item, work_key FROM key_{name} WHERE attempt IS NULL {skip}"
        wide = stage.scope in (Scope.GROUP, Scope.CORPUS)
        query = pending if wide else self._with_attempts(stage, pending)
        for batch in self._sql.cursor().sql(f"{query} ORDER BY item").to_arrow_reader(CHUNK_ITEMS):
            rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            if wide:
                history = self._history.get(name, History())
                for item, key in rows:
                    listing = self._write_listing(stage, item, key)
                    yield WorkItem(item, key, {}, listing, None, None, history.continues, history.previous)
                continue
            items = [item for item, *_ in rows]
            refs = self._refs(items) if stage.reads_source else {}
            reviews = self._reviews(items) if stage.reviewed(self._recipe) else {}
            for item, key, *lists in rows:
                attempts = {of: tuple(found or ()) for of, found in zip(stage.upstream, lists, strict=True)}
                yield WorkItem(item, key, attempts, "", refs.get(item), reviews.get(item))

    def done_attempts(self, name: str) -> list[tuple[str, str]]:
        """(item, attempt) of everything a stage has done under the present recipe, in order of item."""
        return self.rows(f"SELECT item, attempt FROM done_{name} ORDER BY item")

    def present(self, record: type[R], name: str, attempts_at_once: int = 64) -> Iterator[R]:
        """What a stage has written under the present recipe, in order of item, a few attempts in memory at a time."""
        attempts = [attempt for _, attempt in self.done_attempts(name)]
        chunks = (attempts[i : i + attempts_at_once] for i in range(0, len(attempts), attempts_at_once))
        for rows in stream_rows(self._workspace, record, chunks):
            yield from rows

    def decided_last(self, record: type[R], name: str) -> list[R]:
        """What a stage that keeps has written last, though its inputs may have changed since."""
        end = chain_end(self._workspace.rows(WorkDone, f"stage = '{name}'"))
        return self._workspace.read(record, [end])[end] if end else []

    def quarantined_keys(self, name: str) -> list[str]:
        """Work keys of a stage that are in quarantine and not done, under the present recipe."""
        query = f"SELECT work_key FROM key_{name} JOIN quarantine USING (work_key) WHERE attempt IS NULL"
        return [key for (key,) in self.rows(query)]

    def quarantined_share(self) -> tuple[int, int]:
        """Episodes that a stage failed on, alone or with their group, and episodes listed."""
        failed = []
        for name, stage in self._stages.items():
            if stage.scope in (Scope.EPISODE, Scope.GROUP):
                member = "item" if stage.scope is Scope.EPISODE else "grp"
                failed.append(
                    f"""SELECT refs.item FROM key_{name} k JOIN quarantine USING (work_key)
                        JOIN refs ON refs.{member} = k.item WHERE k.attempt IS NULL"""
                )
        return self._row(f"SELECT (SELECT count(*) FROM ({' UNION '.join(failed)})), (SELECT count(*) FROM refs)")

    def duplicates(self) -> list[tuple[str, str, str, str, str]]:
        """(episode_id, source, locator, kept source, kept locator) of listed episodes whose content is listed twice."""
        return self.rows(
            """SELECT l.episode_id, l.source, l.locator, r.source, r.locator FROM listed l JOIN refs r
               ON r.item = l.episode_id WHERE (l.source, l.locator) != (r.source, r.locator) ORDER BY ALL"""
        )

    # -- keeping up ----------------------------------------------------------------------------------------------------

    def refresh(self, name: str) -> None:
        """Recompute one stage's keys and what of it is done; its upstream must have been refreshed before."""
        stage = self._stages[name]
        self._load_quarantine()
        keys = self._keys_sql(stage)
        if stage.keeps:
            keys = self._continued(stage, keys)
        columns = ["work_key", "attempt", "output_key"]
        done = self._workspace.scan(WorkDone, columns=columns, where=f"stage = '{name}'")
        self._sql.register("committed", done)
        # One row per item, and no text twice: the output key of most stages is their work key.
        self._define(
            f"key_{name}",
            f"""SELECT k.item, k.work_key, c.attempt, nullif(c.output_key, k.work_key) AS other_key FROM ({keys}) k
                LEFT JOIN (SELECT work_key, min(attempt) AS attempt, arg_min(output_key, attempt) AS output_key
                    FROM committed GROUP BY work_key) c USING (work_key)""",
        )
        self._sql.unregister("committed")
        self._sql.execute(
            f"""CREATE OR REPLACE VIEW done_{name} AS SELECT item, attempt, coalesce(other_key, work_key) AS output_key
                FROM key_{name} WHERE attempt IS NOT NULL"""
        )

    def refresh_all(self) -> None:
        """Recompute every stage, in order."""
        for name in self._stages:
            self.refresh(name)

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _keys_sql(self, stage: Stage) -> str:
        """A query for (item, work_key) of everything the stage should do."""
        spec = stage.recipe_slice(self._recipe)
        parts = (stage.name, stage.version, section_digest(spec), stage.revision(spec))
        constant = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
        match stage.scope:
            case Scope.EPISODE:
                members, inputs = "SELECT item, grp, fingerprint FROM refs", self._episode_inputs(stage)
            case Scope.GROUP:
                members, inputs = "SELECT DISTINCT grp AS item, grp FROM refs", self._aggregate_inputs(stage, "grp")
            case Scope.CORPUS:
                members, inputs = f"SELECT '{CORPUS_ITEM}' AS item, '' AS grp", self._aggregate_inputs(stage, "''")
            case Scope.SHARD:
                return self._shard_keys_sql(stage, constant)
        if stage.reviewed(self._recipe):  # NULL for an episode without a review, which concat_ws passes over
            inputs = [*inputs, ("LEFT JOIN reviews ON reviews.item = m.item", "reviews.sha256")]
        joins = " ".join(
            [join for join, _ in inputs] + [f"JOIN done_{n} ON done_{n}.item = m.item" for n in stage.after]
        )
        keys = ", ".join(key for _, key in inputs) or "m.fingerprint"
        return f"SELECT m.item, sha256(concat_ws('|', {constant}, {keys})) AS work_key FROM ({members}) m {joins}"

    def _episode_inputs(self, stage: Stage) -> list[tuple[str, str]]:
        return [self._shared_or_own(name, "m.item", "m.grp") for name in stage.upstream]

    def _shared_or_own(self, name: str, item: str, group: str) -> tuple[str, str]:
        """Join and key expression of an upstream that has one row for this item."""
        match self._stages[name].scope:
            case Scope.EPISODE:
                return f"JOIN done_{name} ON done_{name}.item = {item}", f"done_{name}.output_key"
            case Scope.GROUP:
                return f"JOIN done_{name} ON done_{name}.item = {group}", f"done_{name}.output_key"
            case _:
                return f"CROSS JOIN done_{name}", f"done_{name}.output_key"

    def _aggregate_inputs(self, stage: Stage, group: str) -> list[tuple[str, str]]:
        """Joins and keys of upstreams for a group or the corpus: many narrower rows become one digest."""
        inputs = []
        for name in stage.upstream:
            if self._stages[name].scope is stage.scope:
                inputs.append(self._shared_or_own(name, "m.item", "m.grp"))
                continue
            done = f"done_{name} JOIN refs USING (item)" if stage.scope is Scope.GROUP else f"done_{name}"
            inputs.append(
                (
                    f"""JOIN (SELECT {group} AS g, {_digest_of("output_key", "output_key")} AS output_key
                        FROM {done} GROUP BY g) agg_{name} ON agg_{name}.g = m.grp""",
                    f"agg_{name}.output_key",
                )
            )
        return inputs

    def _shard_keys_sql(self, stage: Stage, constant: str) -> str:
        """Shards are named by the current schedule's draws; a shard's key covers its draws and its episodes' keys."""
        schedule = next(read.stage for read in stage.reads if read.match is Match.SHARD)
        attempts = [attempt for _, attempt in self.done_attempts(schedule)]
        self._load_draws(attempts)
        query = self._keys_of_slice(stage, schedule, constant)
        make = "CREATE OR REPLACE TABLE shard_keys AS"
        for first, last in self._slices_of_draws():
            self._sql.execute(
                f"CREATE OR REPLACE VIEW slice AS SELECT * FROM drawn WHERE shard BETWEEN '{first}' AND '{last}'"
            )
            self._sql.execute(f"{make} {query}")
            make = "INSERT INTO shard_keys"
        return "SELECT item, work_key FROM shard_keys"

    def _keys_of_slice(self, stage: Stage, schedule: str, constant: str) -> str:
        """A query for (item, work_key) of the shards in ``slice``."""
        joins, keys = [], ["s.draws"]
        for name in stage.upstream:
            if name == schedule:
                continue
            if self._stages[name].scope is Scope.CORPUS:
                joins.append(f"CROSS JOIN done_{name}")
                keys.append(f"done_{name}.output_key")
                continue
            member = "grp" if self._stages[name].scope is Scope.GROUP else "episode_id"
            joins.append(
                f"""JOIN (SELECT shard, {_digest_of("output_key", "output_key")} AS output_key
                    FROM (SELECT DISTINCT shard, {member} AS item FROM slice) JOIN done_{name} USING (item)
                    GROUP BY shard) agg_{name} ON agg_{name}.shard = s.item"""
            )
            keys.append(f"agg_{name}.output_key")
        row = "concat_ws(':', plan_id, shard, split, event_id, repeat, t, vision_language, action)"
        return f"""SELECT s.item, sha256(concat_ws('|', {constant}, {", ".join(keys)})) AS work_key
            FROM (SELECT shard AS item, {_digest_of(row, "position")} AS draws FROM slice GROUP BY shard) s
            {" ".join(joins)}"""

    def _slices_of_draws(self) -> list[tuple[str, str]]:
        """The first and the last shard of each slice; a single empty one where nothing is drawn."""
        slices = self.rows(
            f"""SELECT min(shard), max(shard) FROM (
                    SELECT shard, (sum(n) OVER (ORDER BY shard) - n) // {DRAWS_AT_ONCE} AS slice
                    FROM (SELECT shard, count(*) AS n FROM drawn GROUP BY shard))
                GROUP BY slice ORDER BY slice"""
        )
        return [(first, last) for first, last in slices] or [("", "")]

    def _continued(self, stage: Stage, keys: str) -> str:
        """The same query for a stage that keeps, whose key names its predecessor too."""
        name = stage.name
        rows = self._workspace.rows(WorkDone, f"stage = '{name}'")
        self._define("continued", keys)
        for (key,) in self.rows("SELECT work_key FROM continued"):
            self._history[name] = history_of(rows, key, stage.anew(stage.recipe_slice(self._recipe)))
            self._sql.execute("UPDATE continued SET work_key = ?", [self._history[name].key])
        return "SELECT item, work_key FROM continued"

    # -- attempts ------------------------------------------------------------------------------------------------------

    def _with_attempts(self, stage: Stage, pending: str) -> str:
        """A query for (item, work_key, attempts of every upstream) of the ``pending`` items, in one pass over each."""
        lists = [
            f"""LEFT JOIN (SELECT m.item, list(u.attempt ORDER BY u.item) AS attempts
                    FROM ({self._members_sql(stage, name)}) m JOIN done_{name} u ON u.item = m.member
                    WHERE m.item IN (SELECT item FROM pending) GROUP BY m.item) of_{name} USING (item)"""
            for name in stage.upstream
        ]
        columns = ", ".join(["item", "work_key", *(f"of_{name}.attempts" for name in stage.upstream)])
        return f"WITH pending AS MATERIALIZED ({pending}) SELECT {columns} FROM pending {' '.join(lists)}"

    def _write_listing(self, stage: Stage, item: str, key: str) -> str:
        """Blobs ``<upstream>.parquet`` with one row (item, attempt) per member, in order."""
        folder = self.listing_of(key)
        for name in stage.upstream:
            query = f"""SELECT u.item, u.attempt FROM ({self._members_sql(stage, name)}) m
                JOIN done_{name} u ON u.item = m.member WHERE m.item = ? ORDER BY u.item"""
            reader = self._sql.cursor().sql(query, params=[item]).to_arrow_reader(CHUNK_ITEMS)
            write_listing(self._workspace, folder, name, reader)
        return folder

    def listing_of(self, key: str) -> str:
        """The folder of blobs that lists the inputs of a wide stage's item, until that is committed."""
        return f"inputs/{key}-{self._token}"

    def _members_sql(self, stage: Stage, upstream: str) -> str:
        """(item, member): which items of the upstream belong to an item of the stage."""
        wide = self._stages[upstream].scope
        if wide is Scope.SHARD:
            return f"SELECT '{CORPUS_ITEM}' AS item, item AS member FROM key_{upstream}"
        if wide is Scope.CORPUS:
            return f"SELECT item, '{CORPUS_ITEM}' AS member FROM key_{stage.name}"
        member = "grp" if wide is Scope.GROUP else "item"
        match stage.scope:
            case Scope.EPISODE:
                return f"SELECT item, {member} AS member FROM refs"
            case Scope.GROUP:
                return "SELECT grp AS item, item AS member FROM refs"
            case Scope.CORPUS:
                return f"SELECT DISTINCT '{CORPUS_ITEM}' AS item, {member} AS member FROM refs"
            case Scope.SHARD:
                drawn = "grp" if wide is Scope.GROUP else "episode_id"
                return f"SELECT DISTINCT shard AS item, {drawn} AS member FROM drawn"

    def _refs(self, items: Sequence[str]) -> dict[str, EpisodeRef]:
        """The listing's entry of each episode; of several with the same content the one `refs` kept."""
        self._sql.register("wanted", pa.table({"item": list(items)}))
        places = [place for (place,) in self.rows("SELECT place FROM refs JOIN wanted USING (item) ORDER BY place")]
        self._sql.unregister("wanted")
        return {ref.episode_id: ref for ref in self._workspace.take(EpisodeRef, places, self._listing)}

    def _reviews(self, items: Sequence[str]) -> dict[str, Review]:
        """What people said about each of these episodes."""
        self._sql.register("wanted", pa.table({"item": list(items)}))
        rows = self.rows("SELECT item, record FROM reviews JOIN wanted USING (item)")
        self._sql.unregister("wanted")
        return {item: load_review(record) for item, record in rows}

    # -- tables --------------------------------------------------------------------------------------------------------

    def _load_refs(self) -> None:
        columns = ["episode_id", "source", "locator", "dataset", "embodiment", "fingerprint"]
        self._sql.create_function("calibration_group", calibration_group)
        listing = self._workspace.scan(EpisodeRef, columns=columns, version=self._listing)
        self._sql.register("listing", _numbered(listing))
        self._define("rows_listed", "SELECT * FROM listing")
        self._sql.unregister("listing")
        self._define(  # a function of ours costs microseconds a call: once per group, not once per episode
            "listed",
            """SELECT rows_listed.*, grp FROM rows_listed JOIN (
                   SELECT dataset, embodiment, calibration_group(dataset, embodiment) AS grp
                   FROM (SELECT DISTINCT dataset, embodiment FROM rows_listed)) USING (dataset, embodiment)""",
        )
        self._sql.execute("DROP TABLE rows_listed")
        self._define(
            "refs",
            """SELECT episode_id AS item, source, locator, grp, fingerprint, place FROM listed
               QUALIFY row_number() OVER (PARTITION BY episode_id ORDER BY source, locator) = 1""",
        )

    def _load_reviews(self) -> None:
        """The revision as it is now; what somebody exports during a run is the next run's."""
        self._sql.execute("CREATE OR REPLACE TABLE reviews (item VARCHAR, sha256 VARCHAR, record VARCHAR)")
        reviews = reviews_in(self._workspace.blobs)
        while chunk := list(islice(reviews, CHUNK_ITEMS)):
            rows = [(review.episode_id, review.sha256, dump_review(review)) for review in chunk]
            names = ("item", "sha256", "record")
            self._sql.register("new_reviews", pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))))
            self._sql.execute("INSERT INTO reviews SELECT item, sha256, record FROM new_reviews")
            self._sql.unregister("new_reviews")

    def _load_quarantine(self) -> None:
        self._sql.register("failures", self._workspace.scan(Failure, columns=["work_key"]))
        self._define("quarantine", "SELECT DISTINCT work_key FROM failures")
        self._sql.unregister("failures")

    def _load_draws(self, attempts: Sequence[str]) -> None:
        columns = [
            "plan_id",
            "shard",
            "split",
            "position",
            "event_id",
            "episode_id",
            "repeat",
            "t",
            "vision_language",
            "action",
            "attempt",
        ]
        where = f"attempt = '{attempts[0]}'" if attempts else "false"
        self._sql.register("draw_rows", self._workspace.scan(Draw, columns=columns, where=where))
        self._define("drawn", "SELECT d.*, refs.grp FROM draw_rows d JOIN refs ON refs.item = d.episode_id")
        self._sql.unregister("draw_rows")

    def _define(self, table: str, query: str) -> None:
        self._sql.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a query of this ledger's own tables gives: ``refs``, ``quarantine``, ``key_STAGE`` and so on."""
        rows: list[tuple[Any, ...]] = self._sql.execute(query).fetchall()
        return rows

    def _row(self, query: str) -> tuple[Any, ...]:
        (row,) = self.rows(query)
        return row


def _numbered(rows: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """The rows with their place in the table, by which each is found again without looking at all others."""
    schema = rows.schema.append(pa.field("place", pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in rows:
            places = pa.array(range(start, start + batch.num_rows), pa.int64())
            yield pa.RecordBatch.from_arrays([*batch.columns, places], schema=schema)
            start += batch.num_rows

    return pa.RecordBatchReader.from_batches(schema, batches())


def _digest_of(expression: str, order: str) -> str:
    """One digest of many rows, whatever order they come in."""
    return f"sha256(string_agg({expression}, ',' ORDER BY {order}))"
