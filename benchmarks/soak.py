"""One process and one workspace in use for a long time: what does not come back is seen to grow.

Every round a recording goes and another comes, so that the corpus never grows; the recipe runs in this same process,
every third time after a run of its own process was killed somewhere; what was published is verified; what nobody needs
is collected. Then the memory, descriptors, threads and children of the process are looked at. Ends with 1 when a round
fails, or when any of them is higher in the last fifth of the rounds than in the second fifth (memory: by more than a
twentieth). What grows in the workspace is told, table by table: runs are remembered, and published sets stay.

    python -m benchmarks.soak [--rounds 30] [--episodes 8] [--seed 0] [--folder DIR]
"""

import argparse
import gc
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.executors import Silent
from benchmarks.memory import multiply
from benchmarks.umi_source import umi_recipe
from clustering.device import settled
from jobs.gc import Wish, collect
from jobs.run import run_recipe
from pipeline.heap import give_back_large_blocks
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import load_recipe

KILL_EVERY = 3
MORE_MEMORY = 1.05
MIB = 1 << 20


@dataclass(frozen=True)
class Looked:
    """What there is after a round."""

    seconds: float
    memory_mib: float
    """Resident, of this process."""
    descriptors: int
    threads: int
    """Of Python. Lance's own are a pool that grows to what was once needed at a time."""
    children: int
    table_mib: float
    """Not judged."""


def main() -> None:
    """Go round, print a line each, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=None, help="where everything lies meanwhile")
    said = parser.parse_args()
    rng = random.Random(said.seed)
    give_back_large_blocks()  # as `joinery run` does
    with tempfile.TemporaryDirectory(dir=said.folder) as scratch:
        folder = Path(scratch)
        make_corpus(folder / "corpus", CorpusParameters(episodes_per_source=5, seed=said.seed))
        (folder / "recipe.yaml").write_text(umi_recipe(folder), encoding="utf-8")
        print("round" + "".join(f"{field.name:>14}" for field in fields(Looked)), flush=True)
        rounds, rows = [], []
        for number in range(said.rounds):
            rounds.append(_round(folder, number, said.episodes, rng))
            print(f"{number:>5}" + "".join(f"{value:>14.5g}" for value in astuple(rounds[-1])), flush=True)
            rows.append(_rows(folder))
    more = {name: n - rows[len(rows) // 5][name] for name, n in rows[-1].items()}
    print("rows more than after a fifth:", ", ".join(f"{name} {n}" for name, n in sorted(more.items()) if n))
    grown = list(_grown(rounds))
    print("\n".join(grown) or "nothing has grown")
    sys.exit(bool(grown))


def _round(folder: Path, number: int, n_episodes: int, rng: random.Random) -> Looked:
    began = time.monotonic()
    shutil.rmtree(folder / "umi", ignore_errors=True)
    multiply(folder / "corpus" / "umi", folder / "umi", n_episodes, first=number)
    if number % KILL_EVERY == KILL_EVERY - 1:
        _killed(folder, rng.uniform(2.0, 10.0))
    loaded = load_recipe(folder / "recipe.yaml")
    result = run_recipe(loaded, Silent())
    assert result.succeeded, result
    workspace = Workspace.existing(str(folder / "workspace"))
    report = verify(workspace.blobs, shard_set_path(workspace.blobs))
    assert report.ok, report
    collect(workspace, Wish(0.0, (settled(loaded.recipe),)))
    gc.collect()
    process = psutil.Process()
    tables = (path for path in (folder / "workspace" / "tables").rglob("*") if path.is_file())
    return Looked(
        time.monotonic() - began,
        process.memory_info().rss / MIB,
        process.num_fds(),
        threading.active_count(),
        len(process.children()),
        sum(path.stat().st_size for path in tables) / MIB,
    )


def _rows(folder: Path) -> dict[str, int]:
    workspace = Workspace.existing(str(folder / "workspace"))
    return {name: workspace.count(name) for name in workspace.tables()}


def _killed(folder: Path, after_s: float) -> None:
    """A run of its own process that is killed, unless it ends before."""
    command = [sys.executable, "-m", "jobs.cli", "run", str(folder / "recipe.yaml")]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        run.wait(after_s)
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()


def _grown(rounds: list[Looked]) -> list[str]:
    """In words, what is higher at the end than after a fifth."""
    fifth = max(1, len(rounds) // 5)
    found = []
    for field in fields(Looked)[1:-1]:
        early, late = (
            statistics.median(getattr(each, field.name) for each in part)
            for part in (rounds[fifth : 2 * fifth], rounds[-fifth:])
        )
        if late > early * (MORE_MEMORY if field.name.endswith("_mib") else 1.0):
            found.append(f"{field.name} has grown from {early:.5g} to {late:.5g}")
    return found


if __name__ == "__main__":
    main()
