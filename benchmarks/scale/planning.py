"""What it costs to know what is left: listing, work keys and anti-joins of N episodes, all done but one in a hundred.

The workspace, the ledger, the river and the recipe are the real ones; what stages would have committed is written into
``work_done`` under the very keys the ledger asks for. Then a fresh ledger plans: the time and memory of that are what a
run over N episodes pays before it does anything. One process per size, because a peak never falls.

    python -m benchmarks.scale.planning --episodes 100000 [--until schedule] [--memory-gib 4] [--folder DIR]
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.river import RIVER
from pipeline.ledger import Ledger
from pipeline.stage import Scope
from pipeline.store import Workspace
from pipeline.tables import LEDGERS, TABLES, table_schema
from schemas.identity import digest
from schemas.plan import Draw
from schemas.recipe import Recipe
from schemas.run import WorkDone
from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref

REFS_AT_ONCE, ROWS_AT_ONCE = 1024, 100_000
PER_DATASET = 10_000
DRAWS_PER_EPISODE = 10
PER_SHARD = 1000
LEFT = 100
"""One episode in so many is not done."""


def refs(n: int) -> Iterator[list[EpisodeRef]]:
    """Episodes of two files each, in datasets of ten thousand."""
    for start in range(0, n, REFS_AT_ONCE):
        yield [_ref(i) for i in range(start, min(start + REFS_AT_ONCE, n))]


def _ref(i: int) -> EpisodeRef:
    parts = (("table", 40_000), ("video/front", 9_000_000))
    files = tuple(SourceFile(part, f"{part}/{i:09d}", digest(part, str(i)), size) for part, size in parts)
    return make_ref(
        source="made", kind=SourceKind.TELEOP, dataset=f"made-{i // PER_DATASET}", embodiment="arm",
        locator=f"episode_index={i}", root="/nowhere", files=files, metadata="{}",
    )  # fmt: skip


def recipe_of(url: str) -> Recipe:
    """A recipe of one source."""
    source = {"format": "video_folder", "name": "made", "path": "/nowhere", "card": {"licence": "CC0-1.0"}}
    return Recipe.model_validate({"joinery": 1, "workspace": {"url": url}, "sources": [source]})


def finish(workspace: Workspace, ledger: Ledger, name: str, scope: Scope) -> None:
    """Commit a stage's work for all but the last hundredth of the episodes, as its workers would have."""
    most = f"WHERE rowid % {LEFT} != {LEFT - 1}" if scope is Scope.EPISODE else ""
    query = f"""SELECT work_key, '{name}' AS stage, item, md5(work_key) AS attempt, work_key AS output_key,
        'run' AS run_id, 0.4 AS seconds, '' AS continues FROM key_{name} {most}"""
    _write(workspace, ledger, WorkDone, query)
    if name == "schedule":
        _write(workspace, ledger, Draw, f"""
            SELECT 'pl-made' AS plan_id, 'train' AS split, n AS t, 'ev-' || md5(CAST(n AS VARCHAR)) AS event_id,
                d.item AS episode_id, 0 AS vision_language, 0 AS action, 0 AS repeat,
                printf('train-%06d', n // {PER_SHARD}) AS shard, n % {PER_SHARD} AS position, 0.0 AS target_share,
                1.0 AS weight, 1.0 AS repeat_cap, 0 AS cell, k.work_key, md5(k.work_key) AS attempt
            FROM (SELECT item, row_number() OVER () - 1 AS i FROM done_assign) d,
                (SELECT unnest(range({DRAWS_PER_EPISODE})) AS j), key_schedule k, (SELECT 1) one,
                LATERAL (SELECT CAST(d.i * {DRAWS_PER_EPISODE} + j AS BIGINT) AS n)""")  # fmt: skip


def _write(workspace: Workspace, ledger: Ledger, record: type, query: str) -> None:
    name, schema = TABLES.get(record) or LEDGERS[record], table_schema(record)
    handles: list[str] = []
    for batch in ledger._sql.cursor().sql(query).to_arrow_reader(ROWS_AT_ONCE):
        table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
        handles += workspace.write_fragments(name, table)
    workspace._append_fragments(name, handles)


class Clock:
    """Wall and CPU seconds of named pieces of work."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Do it and book it."""
        wall, cpu = time.perf_counter(), time.process_time()
        done = work()
        self.wall[name] = round(self.wall.get(name, 0.0) + time.perf_counter() - wall, 4)
        self.cpu[name] = round(self.cpu.get(name, 0.0) + time.process_time() - cpu, 4)
        return done


def measure(folder: Path, n: int, until: str, memory_gib: float) -> dict[str, Any]:
    """Make the workspace, then plan with a fresh ledger."""
    clock, url = Clock(), str(folder / "workspace")
    workspace, recipe = Workspace.open(url), recipe_of(str(folder / "workspace"))
    stages = RIVER[: [stage.name for stage in RIVER].index(until) + 1]
    clock.time("write the listing", lambda: workspace.replace(EpisodeRef, refs(n)))
    first = Ledger(workspace, recipe, stages)
    _limit(first, memory_gib)
    for stage in stages:
        first.refresh(stage.name)
        finish(workspace, first, stage.name, stage.scope)
        first.refresh(stage.name)
    del first
    before = _peak()
    ledger = clock.time("load the listing", lambda: Ledger(workspace, recipe, stages))
    _limit(ledger, memory_gib)
    left = {}
    for stage in stages:
        clock.time("keys and what is done", partial(ledger.refresh, stage.name))
    for stage in stages:
        state = clock.time("count", partial(ledger.state, stage.name))
        left[stage.name] = state.left
    some = stages[0].name
    n_left = clock.time("hand out what is left of one stage", lambda: sum(1 for _ in ledger.left(some)))
    tables = folder / "workspace" / "tables"
    sizes = {name: sum(f.stat().st_size for f in (tables / f"{name}.lance").rglob("*") if f.is_file())
             for name in ("work_done", "episode_refs", "draws")}  # fmt: skip
    return {
        "episodes": n, "until": until, "stages": len(stages), "left": left, "n_left": n_left, "wall": clock.wall,
        "cpu": clock.cpu, "peak_before": before, "peak": _peak(), "bytes": sizes,
        "sql": ledger._sql.execute("SELECT memory_usage, temporary_storage_usage FROM (SELECT sum(memory_usage_bytes) "
                                   "AS memory_usage, sum(temporary_storage_bytes) AS temporary_storage_usage "
                                   "FROM duckdb_memory())").fetchone(),
    }  # fmt: skip


def _limit(ledger: Ledger, gib: float) -> None:
    ledger._sql.execute(f"SET memory_limit = '{gib}GiB'")
    ledger._sql.execute("SET threads = 2")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure one size and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--until", default="publish")
    parser.add_argument("--memory-gib", type=float, default=4.0)
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        print(json.dumps(measure(Path(scratch), given.episodes, given.until, given.memory_gib)))


if __name__ == "__main__":
    main()
