"""What an append costs: CPU seconds per stage of a run over 1 % more recordings, against those of the first run.

Every recording is made by itself, so none is a copy of another. Three runs of the same recipe, each in a process of
its own and inline, so that CPU time is all there is: over the first recordings, again with nothing new, and with the
new ones listed too. The middle one is what a run costs whatever was appended: imports, listing, keys, reading what is
known. Its share of the full time falls as the corpus grows, the rest of an append's does not; both are printed.

    python -m benchmarks.append [--episodes 200] [--more 2] [--on-append extend] [--seed 100] [--folder DIR]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.umi_source import umi_source
from jobs.progress import StageProgress
from jobs.river import RIVER
from jobs.run import run_recipe
from pipeline.synthetic.catalogue import ROBOT_SOURCES
from pipeline.synthetic.lerobot_writer import RecordedEpisode, write_dataset
from schemas.recipe_file import load_recipe

AROUND = "around"
"""Imports, recipe, listing: what belongs to no stage."""


@dataclass(frozen=True)
class Cost:
    """One run."""

    cpu: dict[str, float]
    """CPU seconds by stage."""
    wall: float
    done: dict[str, int]

    @property
    def total(self) -> float:
        return sum(self.cpu.values())


class CpuReporter:
    """Notes how much CPU time the process has used whenever a stage begins or ends."""

    def __init__(self) -> None:
        self.cpu: dict[str, float] = {}
        self._last, self._at = AROUND, 0.0

    def update(self, progress: StageProgress) -> None:
        if progress.stage != self._last:
            self.stop()
            self._last = progress.stage

    def stop(self) -> None:
        """Book the time since the last change."""
        now = time.process_time()
        self.cpu[self._last] = self.cpu.get(self._last, 0.0) + now - self._at
        self._at = now

    def close(self) -> None:
        """The rest is no stage's."""
        self.stop()
        self._last = AROUND


def record(folder: Path, n_episodes: int, seed: int) -> None:
    """A LeRobot v2.1 dataset in which every episode is another trajectory, of all the source's kinds."""
    source = next(source for source in ROBOT_SOURCES if source.name == "umi")

    def episodes() -> Iterator[RecordedEpisode]:
        for index in range(n_episodes):
            yield source.recorded(source.trajectory((seed,), index), (seed,), index)

    write_dataset(folder, source.dataset(), episodes())


def list_first(folder: Path, n_episodes: int) -> None:
    """Let the dataset's lists name its first episodes alone, as they did before the others came."""
    meta = folder / "meta"
    for name in ("episodes.jsonl", "episodes_stats.jsonl"):
        kept = meta / f"all_{name}"
        if not kept.exists():
            (meta / name).rename(kept)
        lines = kept.read_text().splitlines()[:n_episodes]
        (meta / name).write_text("\n".join(lines) + "\n")
    info = json.loads((meta / "info.json").read_text())
    lengths = [json.loads(line)["length"] for line in (meta / "episodes.jsonl").read_text().splitlines()]
    info |= {"total_episodes": n_episodes, "total_videos": n_episodes, "total_frames": sum(lengths)}
    info["splits"] = {"train": f"0:{n_episodes}"}
    (meta / "info.json").write_text(json.dumps(info))


def run_once(recipe: Path) -> None:
    """In a process of its own: run, and print the cost as one line of JSON."""
    reporter = CpuReporter()
    started = time.monotonic()
    result = run_recipe(load_recipe(recipe), reporter)
    reporter.stop()
    done = {stage.stage: stage.done for stage in result.run.stages}
    print(json.dumps({"cpu": reporter.cpu, "wall": time.monotonic() - started, "done": done}))


def cost_of(recipe: Path) -> Cost:
    """One run in a process of its own, which also pays for its imports."""
    command = [sys.executable, "-m", "benchmarks.append", "--run", str(recipe)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        raise SystemExit(finished.stdout + finished.stderr)
    return Cost(**json.loads(finished.stdout.strip().splitlines()[-1]))


def table(first: Cost, nothing: Cost, more: Cost) -> Iterator[str]:
    """Seconds by stage, and how many items each one did."""
    heads = (f"{name:>{width}} {'items':>6}" for name, width in (("first run", 10), ("nothing new", 12), ("append", 8)))
    yield " ".join([f"{'CPU seconds':<12}", *heads])
    for name in [AROUND, *(stage.name for stage in RIVER)]:
        columns = [(cost.cpu.get(name, 0.0), cost.done.get(name, 0)) for cost in (first, nothing, more)]
        (a, n), (b, m), (c, k) = columns
        yield f"{name:<12} {a:>10.2f} {n:>6} {b:>12.2f} {m:>6} {c:>8.2f} {k:>6}"
    yield f"{'sum':<12} {first.total:>10.2f} {'':>6} {nothing.total:>12.2f} {'':>6} {more.total:>8.2f}"
    yield f"{'wall':<12} {first.wall:>10.1f} {'':>6} {nothing.wall:>12.1f} {'':>6} {more.wall:>8.1f}"


def tars(folder: Path) -> set[str]:
    """What the workspace holds of shards."""
    return {path.name for path in (folder / "workspace" / "tars").glob("*.tar")}


def recipe_text(folder: Path, on_append: str, per_shard: int, more_sources: str = "") -> str:
    """The recipe over the recordings that are listed."""
    return (
        f"joinery: 1\nworkspace: {{url: {folder}/workspace}}\nsources:\n{umi_source(folder, 'umi')}{more_sources}"
        f"shard: {{samples_per_shard: {per_shard}, on_append: {on_append}}}\nrun: {{executor: inline}}\n"
    )


def measure(folder: Path, given: argparse.Namespace) -> None:
    """The three runs, and what they say."""
    n_all = given.episodes + given.more
    if not (folder / "umi").exists():
        record(folder / "umi", n_all, given.seed)
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe_text(folder, given.on_append, given.per_shard))
    list_first(folder / "umi", given.episodes)
    first, before = cost_of(recipe), tars(folder)
    nothing = cost_of(recipe)
    list_first(folder / "umi", n_all)
    more = cost_of(recipe)
    after = tars(folder)
    print(f"{given.episodes} recordings, then {given.more} more ({given.more / given.episodes:.1%}), {given.on_append}")
    print("\n".join(table(first, nothing, more)))
    print(f"shards: {len(before)} written first, {len(after - before)} more by the append")
    full, always = first.total, nothing.total
    print(f"append ÷ first run: {more.total / full:.1%}, of which {always / full:.1%} any run costs")
    print(f"what the append itself adds: {(more.total - always) / (full - always):.1%} of the first run's own work")


def main() -> None:
    """Measure, or (with --run) be one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--more", type=int, default=2)
    parser.add_argument("--per-shard", type=int, default=64)
    parser.add_argument("--on-append", choices=("extend", "rewrite"), default="extend")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None, help="keep recordings and workspace here")
    parser.add_argument("--run", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run_once(given.run)
    elif given.folder:
        given.folder.mkdir(parents=True, exist_ok=True)
        measure(given.folder.absolute(), given)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            measure(Path(scratch), given)


if __name__ == "__main__":
    main()
