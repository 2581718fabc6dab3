"""The present results of a workspace as tables to count in: columns only, in DuckDB, which spills to disk.

A report looks at everything at once, and a corpus has more events than memory. Every figure is therefore a query.
Only what the ledger calls done under the present recipe is loaded, and all that is summed are integers, so the answers
do not depend on the order rows were read in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pyarrow as pa

from jobs.past_runs import newest_of
from jobs.river import RIVER
from pipeline.ledger import Ledger
from pipeline.sql import in_memory
from pipeline.stage import Scope
from pipeline.store import Workspace
from schemas.calibration import calibration_group
from schemas.cluster import Assignment, Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Alignment, Episode
from schemas.event import Event
from schemas.finding import Failure, Finding
from schemas.recipe import Recipe
from schemas.run import WorkDone
from schemas.shard import ShardEntry
from schemas.source import EpisodeRef

DISCOVER = "discover"
FORGOTTEN = """stage = 'discover' AND "check" = 'forgotten'"""
"""Findings of which each is a recording that a source lists and the takedown list keeps out."""
MEMORY = "2GB"
"""Beyond it tables go to disk."""


@dataclass(frozen=True)
class _Load:
    """One table: columns of a record as a stage wrote them, and what is made of them."""

    name: str
    record: type
    stage: str
    columns: tuple[str, ...]
    select: str


_LOADS = (
    _Load(
        "episode", Episode, "ingest",
        ("episode_id", "licence", "action_kind", "protocol", "cameras"),
        """episode_id AS item, licence, action_kind, protocol, len(cameras) AS n_views,
           CASE WHEN len(cameras) > 0 THEN cameras[1].end_ns - cameras[1].times_ns[1] ELSE 0 END AS ns,
           CASE WHEN len(cameras) > 0 THEN cameras[1].times_ns[1] ELSE 0 END AS start_ns,
           CASE WHEN len(cameras) > 0 THEN cameras[1].end_ns ELSE 0 END AS end_ns,
           CASE WHEN len(cameras) > 0 THEN len(cameras[1].times_ns) ELSE 0 END AS n_frames,
           CASE WHEN len(cameras) > 0 THEN cameras[1].name ELSE '' END AS master""",
    ),
    _Load(
        "alignment", Alignment, "align",
        ("episode_id", "verdict", "offset_ns", "correlation", "margin", "kept"),
        """episode_id AS item, verdict, offset_ns, correlation, margin, kept,
           coalesce(list_sum([k.end_ns - k.start_ns for k in kept]), 0)::BIGINT AS ns""",
    ),
    _Load(
        "event", Event, "caption",
        ("event_id", "episode_id", "level", "span", "start", "end", "verb", "caption", "objects", "recovery",
         "needs_vlm", "boundaries_by", "caption_by", "review", "outcome", "doubts", "static_fraction"),
        """event_id, episode_id AS item, level, span.start_ns AS start_ns, span.end_ns - span.start_ns AS ns,
           "start".kind AS start_kind, span.frame_start AS frame_start, span.frame_end AS frame_end,
           span.action_end - span.action_start AS n_actions,
           verb, caption, objects, recovery, needs_vlm, review, outcome, len(doubts) AS n_doubts, static_fraction,
           boundaries_by.proposer AS placed_by,
           trim(concat_ws(' ', caption_by.proposer, caption_by.model)) AS captioned_by,
           "end".kind AS end_kind, "end".frame AS end_frame, "end".t_ns AS end_ns,
           "end".confidence AS end_confidence, "end".sigma_s AS end_sigma_s, "end".detectors AS end_detectors""",
    ),
    _Load(
        "assigned", Assignment, "assign",
        ("event_id", "episode_id", "vision_language", "action", "vision_language_distance", "tail"),
        "event_id, episode_id AS item, vision_language, action, vision_language_distance AS distance, tail",
    ),
    _Load(
        "member", Membership, "dedup",
        ("event_id", "episode_id", "split", "duplicate_group", "duplicate_of", "withheld"),
        """event_id, episode_id AS item, split, duplicate_group, duplicate_of, withheld != '' AS refused""",
    ),
    _Load(
        "copied", DuplicateEpisodes, "dedup", ("episode_id", "same_recording"), "episode_id AS item, same_recording",
    ),
    _Load(
        "sample", ShardEntry, "shard",
        ("event_id", "episode_id", "split", "vision_language", "action", "start_ns", "end_ns", "n_bytes", "verb"),
        """event_id, episode_id AS item, split, vision_language, action, end_ns - start_ns AS ns, n_bytes, verb""",
    ),
)  # fmt: skip


class Tables:
    """An open set of tables; close it, or use it in a ``with``."""

    def __init__(self, workspace: Workspace, ledger: Ledger, recipe: Recipe) -> None:
        self.workspace, self.ledger, self.recipe = workspace, ledger, recipe
        self._sql = in_memory(threads=2, memory_limit=MEMORY)
        self._load_listing()
        for load in _LOADS:
            self._load(load)
        self._load_findings()
        self._load_work()

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sql.close()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Every row of an answer. Queries say ORDER BY: without it the order is anybody's."""
        found: list[tuple[Any, ...]] = self._sql.execute(query, list(values)).fetchall()
        return found

    def arrow(self, query: str) -> pa.Table:
        """An answer as a table."""
        return self._sql.sql(query).to_arrow_table()

    def number(self, query: str, values: Sequence[Any] = ()) -> int:
        """The only number of an answer; 0 where it is none."""
        ((found,),) = self.rows(query, values)
        return int(found or 0)

    def add(self, name: str, rows: pa.Table | pa.RecordBatchReader, query: str = "SELECT * FROM rows") -> None:
        """Another table to ask, made from what has been read elsewhere; one of this name is replaced."""
        self._define(name, rows, query)

    def replace_names(self, table: str, names: Sequence[str]) -> None:
        """A table with the one column ``name``."""
        self.add(table, pa.table({"name": pa.array(names, pa.string())}))

    def make(self, name: str, query: str, values: Sequence[Any] = ()) -> None:
        """Another table to ask, made from those there are."""
        self._sql.execute(f"CREATE TABLE {name} AS {query}", list(values))

    def is_done(self, stage: str) -> bool:
        """Whether a stage has any present result."""
        return bool(self.ledger.done_attempts(stage))

    @property
    def has_shards(self) -> bool:
        """Whether a shard set is published: some shards are none."""
        return self.is_done("publish")

    def n_listed(self) -> dict[str, int]:
        """How many recordings each source lists, most first; also those that were taken down and stay out."""
        return dict(
            self.rows(
                f"""SELECT source, sum(n)::BIGINT AS total FROM
                        (SELECT source, count(*) AS n FROM listed GROUP BY source
                         UNION ALL SELECT source, count(*) FROM finding WHERE {FORGOTTEN} GROUP BY source)
                    GROUP BY source ORDER BY total DESC, source"""  # noqa: S608 - own words
            )
        )

    # -- loading -----------------------------------------------------------------------------------------------------

    def _load_listing(self) -> None:
        columns = ["episode_id", "source", "locator", "kind", "dataset", "embodiment"]
        self._sql.create_function("calibration_group", calibration_group)
        self._define("listed", self.workspace.scan(EpisodeRef, columns=columns), "SELECT * FROM rows")
        # a recording that is listed twice goes by the first name, as in `pipeline.ledger`
        self._sql.execute(
            """CREATE TABLE ref AS SELECT episode_id AS item, source, locator, kind, dataset, embodiment,
               calibration_group(dataset, embodiment) AS grp FROM listed
               QUALIFY row_number() OVER (PARTITION BY episode_id ORDER BY source, locator) = 1"""
        )

    def _load(self, load: _Load) -> None:
        attempts = [attempt for _, attempt in self.ledger.done_attempts(load.stage)]
        self._sql.register("current", pa.table({"attempt": pa.array(attempts, pa.string())}))
        rows = self.workspace.scan(load.record, columns=[*load.columns, "attempt"])
        self._define(load.name, rows, f"SELECT {load.select} FROM rows SEMI JOIN current USING (attempt)")  # noqa: S608 - own words
        self._sql.unregister("current")

    def _load_findings(self) -> None:
        """Findings of the last listing and of every stage's present results (`jobs.why` lists the same)."""
        attempts = self._last_listing()
        for stage in RIVER:
            if Finding in stage.writes:
                attempts += [attempt for _, attempt in self.ledger.done_attempts(stage.name)]
        self._sql.register("current", pa.table({"attempt": pa.array(attempts, pa.string())}))
        rows = self.workspace.scan(Finding)
        self._define(
            "finding",
            rows,
            """SELECT subject, source, stage, "check", verdict, message, value, threshold, start_ns, end_ns
               FROM rows SEMI JOIN current USING (attempt)""",
        )
        self._sql.unregister("current")

    def _last_listing(self) -> list[str]:
        done = self.workspace.rows(WorkDone, f"stage = '{DISCOVER}'")
        last = newest_of(self.workspace, {row.run_id for row in done})
        return [row.attempt for row in done if row.run_id == last]

    def _load_work(self) -> None:
        """``stage``: the stages of episodes and groups; ``done``: their items; ``failure``: those in quarantine."""
        stages = [stage for stage in RIVER if stage.scope in (Scope.EPISODE, Scope.GROUP)]
        done = [(place, item) for place, each in enumerate(stages) for item, _ in self.ledger.done_attempts(each.name)]
        keys = sorted({key for stage in stages for key in self.ledger.quarantined_keys(stage.name)})
        self.add(
            "stage",
            pa.table(
                {
                    "place": pa.array(range(len(stages)), pa.int64()),
                    "stage": [stage.name for stage in stages],
                    "of_group": [stage.scope is Scope.GROUP for stage in stages],
                }
            ),
        )
        self._define(
            "work",
            self.workspace.scan(WorkDone, columns=["stage", "item", "attempt", "run_id", "seconds"]),
            "SELECT stage, item, attempt, run_id, round(seconds * 1000)::BIGINT AS ms FROM rows",
        )
        places, items = pa.array([p for p, _ in done], pa.int64()), pa.array([i for _, i in done], pa.string())
        self.add("done", pa.table({"place": places, "item": items}))
        self._sql.register("open_keys", pa.table({"work_key": pa.array(keys, pa.string())}))
        self._define(
            "failure",
            self.workspace.scan(Failure, columns=["stage", "item", "source", "work_key", "error", "message", "run_id"]),
            """SELECT stage, item, source, error, message FROM rows SEMI JOIN open_keys USING (work_key)
               QUALIFY row_number() OVER (PARTITION BY work_key ORDER BY run_id DESC, message) = 1""",
        )
        self._sql.unregister("open_keys")

    def _define(self, name: str, rows: Any, query: str) -> None:
        self._sql.register("rows", rows)
        self._sql.execute(f"CREATE OR REPLACE TABLE {name} AS {query}")
        self._sql.unregister("rows")
