"""What a report costs as a corpus grows: seconds and peak memory for a workspace and for copies of it, side by side.

    python -m benchmarks.report recipes/demo.yaml --copies 25 250

Every copy has recordings, events, vectors and findings of its own under other ids; pictures are left out, since a
report looks at those of a few. Memory must grow by far less than the corpus: nothing holds all its events.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from jobs.river import RIVER
from pipeline.attempt import Attempt
from pipeline.ledger import Ledger
from pipeline.stage import Scope
from pipeline.store import Workspace
from pipeline.tables import TABLES
from schemas.filmstrip import Thumbnail
from schemas.recipe_file import load_recipe
from schemas.run import Run, WorkDone
from schemas.shard import Clip
from schemas.source import EpisodeRef

IDS = ("episode_id", "event_id", "parent_id", "subject", "kept_id", "duplicate_of", "duplicate_group")
ONE_REPORT = """
import json, resource, sys, time
from pathlib import Path
from jobs.commands.terminal import load, opened
from jobs.report.report import Options
from jobs.report.write import write_report
loaded = load(Path(sys.argv[1]), ["workspace.url=" + sys.argv[2]])
workspace, ledger = opened(loaded)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
written = write_report(workspace, ledger, loaded.recipe, Options("r.yaml"), sys.argv[3])
said = json.loads(written.text)
print(json.dumps({"seconds": time.perf_counter() - started, "before": before,
    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "page": written.n_bytes,
    "events": sum(level["n_events"] for level in said["funnel"]["levels"]),
    "recordings": said["funnel"]["nodes"] and sum(n["n"] for n in said["funnel"]["nodes"] if n["key"] == "kept")}))
"""


def renamed(table: pa.Table, copy: int) -> pa.Table:
    """The same rows under ids of another copy; empty ids stay empty."""
    for name in (*IDS, "attempt"):
        if name in table.column_names:
            column = table.column(name)
            other = pc.binary_join_element_wise(column, pa.scalar(f"-{copy}"), "")
            changed = pc.if_else(pc.equal(column, ""), column, other)
            table = table.set_column(table.column_names.index(name), table.schema.field(name), changed)
    return table


def multiply(recipe: Path, source: str, target: str, copies: int) -> None:
    """A workspace with every recording so many times, done under the recipe as far as a report looks."""
    loaded = load_recipe(recipe, [f"workspace.url={target}"])
    old, new = Workspace.existing(source), Workspace.open(target)
    was = Ledger(old, load_recipe(recipe, [f"workspace.url={source}"]).recipe, RIVER)
    was.refresh_all()
    refs = old.scan(EpisodeRef).read_all().to_pylist()
    listing = [{**ref, "episode_id": f"{ref['episode_id']}-{i}", "locator": f"{ref['locator']} {i}",
                "fingerprint": f"{ref['fingerprint']}-{i}"} for i in range(copies) for ref in refs]  # fmt: skip
    new.replace(EpisodeRef, [[_ref(row) for row in listing]])
    new.append(Run, old.rows(Run))
    ledger = Ledger(new, loaded.recipe, RIVER)
    for stage in RIVER:
        attempts = {attempt for _, attempt in was.done_attempts(stage.name)}
        wide = stage.scope in (Scope.CORPUS, Scope.GROUP)
        fragments: dict[str, tuple[str, ...]] = {}
        for record in stage.writes:
            if record in (Thumbnail, Clip):
                continue
            table = old.scan(record).read_all()
            table = table.filter(pc.is_in(table.column("attempt"), pa.array(sorted(attempts), pa.string())))
            single = wide and not set(IDS) & set(table.column_names)
            parts = [table] if single else [renamed(table, i) for i in range(copies)]
            if wide and not single:  # one attempt holds the rows of all copies
                parts = [part.set_column(part.column_names.index("attempt"), table.schema.field("attempt"),
                                         table.column("attempt")) for part in parts]  # fmt: skip
            if table.num_rows:
                handles = [h for part in parts for h in new.write_fragments(TABLES[record], part.combine_chunks())]
                fragments[TABLES[record]] = tuple(handles)
        ledger.refresh(stage.name)
        done_before = dict(was.done_attempts(stage.name))
        done = []
        for work in ledger.left(stage.name):
            original, _, copy = work.item.rpartition("-") if stage.scope is Scope.EPISODE else (work.item, "", "")
            attempt = done_before.get(original or work.item)
            if attempt is not None:
                name = f"{attempt}-{copy}" if copy else attempt
                done.append(WorkDone(work.work_key, stage.name, work.item, name, work.work_key, "run", 0.1))
        new.commit([Attempt(fragments, tuple(done), ())])
        ledger.refresh(stage.name)


def _ref(row: dict[str, object]) -> EpisodeRef:
    from schemas.arrow import from_table, schema_of  # noqa: PLC0415 - one row at a time is only for this script

    (made,) = from_table(EpisodeRef, pa.Table.from_pylist([row], schema=schema_of(EpisodeRef)))
    return made


def measured(recipe: Path, workspace: str) -> dict[str, float]:
    """One report in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-c", ONE_REPORT, str(recipe), workspace, out]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--copies", type=int, nargs="+", default=[25, 250])
    given = parser.parse_args()
    source = load_recipe(given.recipe).recipe.workspace.url
    print(f"{'recordings':>10} {'events':>9} {'seconds':>8} {'peak MB':>8} {'of it loading':>13} {'page MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for copies in given.copies:
            target = f"{folder}/{copies}"
            multiply(given.recipe, source, target, copies)
            one = measured(given.recipe, target)
            peak, before = (one[key] / 1024 for key in ("peak", "before"))
            print(
                f"{one['recordings']:>10.0f} {one['events']:>9.0f} {one['seconds']:>8.1f} {peak:>8.0f} {before:>13.0f} "
                f"{one['page'] / 1e6:>8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
