"""What a corpus costs when it changes: CPU seconds and bytes of six changes, each against a first run.

The changes come one after the other on one workspace: nothing, 1 % more recordings, 10 % more, a source taken out,
captions that say how long an event takes, another embedding. Each run is a process of its own and inline, so that CPU
time is all there is; what every run costs whatever changed (imports, listing, keys) is the run in which nothing did.
Bytes are those of files that were not there before, hard links counted once. After all of it every shard set that was
ever published is verified again.

    python -m benchmarks.scale.growth [--episodes 100] [--folder DIR] [--json FILE]
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.append import AROUND, Cost, cost_of, list_first, recipe_text, record
from benchmarks.umi_source import umi_source
from jobs.river import RIVER
from pipeline.blobs import Blobs
from pipeline.shards.verify import verify

CAPTIONS = "caption: {by: {method: template, with_duration: true}}\n"
EMBEDDING = "embed: {action_coefficients: 8}\n"


@dataclass(frozen=True)
class Change:
    """One run."""

    name: str
    cost: Cost
    n_bytes: int
    """New in the workspace."""
    sets: int
    """Shard sets there are afterwards."""

    @property
    def total(self) -> float:
        return self.cost.total


class Workspace:
    """A folder whose new files are counted."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._known = folder, set[int]()

    def grown(self) -> int:
        """Bytes of files that were not there when this was asked last."""
        stats = [path.stat() for path in self._folder.rglob("*") if path.is_file()]
        new = {stat.st_ino: stat.st_size for stat in stats if stat.st_ino not in self._known}
        self._known |= new.keys()
        return sum(new.values())

    @property
    def sets(self) -> list[str]:
        """The shard sets there are."""
        return sorted(f"shards/{path.name}" for path in (self._folder / "shards").iterdir() if path.is_dir())


def measure(folder: Path, episodes: int) -> tuple[list[Change], dict[str, int]]:
    """The changes in order; and of every shard set how many problems it has in the end."""
    one, ten = max(1, episodes // 100), max(1, episodes // 10)
    for name, n, seed in (("umi", episodes + one + ten, 100), ("second", ten, 300)):
        if not (folder / name).exists():
            record(folder / name, n, seed)
    workspace = Workspace(folder / "workspace")
    base = recipe_text(folder, "extend", 64)
    both = recipe_text(folder, "extend", 64, umi_source(folder, "second"))
    changes = []
    for name, n, text in (
        ("first run", episodes, both),
        ("nothing", episodes, both),
        ("1 % more", episodes + one, both),
        ("10 % more", episodes + one + ten, both),
        ("a source out", episodes + one + ten, base),
        ("other captions", episodes + one + ten, base + CAPTIONS),
        ("other embedding", episodes + one + ten, base + CAPTIONS + EMBEDDING),
    ):
        list_first(folder / "umi", n)
        recipe = folder / "recipe.yaml"
        recipe.write_text(text)
        changes.append(Change(name, cost_of(recipe), workspace.grown(), len(workspace.sets)))
        print(f"{name}: {changes[-1].total:.1f} CPU-s", flush=True)
    blobs = Blobs(str(folder / "workspace"))
    return changes, {path: len(verify(blobs, path).problems) for path in workspace.sets}


def sizes_of(folder: Path, episodes: int) -> dict[str, Any]:
    """Seconds of video of the first run and of all runs, and the bytes of every table after all of them."""
    lengths = [json.loads(line)["length"] for line in (folder / "umi/meta/all_episodes.jsonl").read_text().splitlines()]
    second = json.loads((folder / "second/meta/info.json").read_text())
    rate, others = second["fps"], second["total_frames"]
    tables = sorted((folder / "workspace/tables").iterdir())
    sizes = {table.stem: sum(f.stat().st_size for f in table.rglob("*") if f.is_file()) for table in tables}
    first, every = sum(lengths[:episodes]) + others, sum(lengths) + others
    return {"video_s": first / rate, "table_video_s": every / rate, "table_bytes": sizes}


def table(changes: list[Change]) -> Iterator[str]:
    """CPU seconds by stage and change, then the sums and shares."""
    yield f"{'CPU seconds':<12}" + "".join(f"{change.name:>17}" for change in changes)
    for stage in (AROUND, *(stage.name for stage in RIVER)):
        yield f"{stage:<12}" + "".join(
            f"{change.cost.cpu.get(stage, 0.0):>10.2f} {change.cost.done.get(stage, 0):>6}" for change in changes
        )
    always, full = changes[1].total, changes[0].total - changes[1].total
    yield f"{'sum':<12}" + "".join(f"{change.total:>10.2f} {'':>6}" for change in changes)
    yield f"{'own share':<12}" + "".join(f"{(change.total - always) / full:>10.1%} {'':>6}" for change in changes)
    yield f"{'MB written':<12}" + "".join(f"{change.n_bytes / 1e6:>10.1f} {'':>6}" for change in changes)
    yield f"{'of first':<12}" + "".join(f"{change.n_bytes / changes[0].n_bytes:>10.1%} {'':>6}" for change in changes)
    yield f"own share: without what any run costs ({always:.1f} s), of the first run's without it"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None, help="keep recordings and workspace here")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        changes, problems = measure(folder, given.episodes)
        sizes = sizes_of(folder, given.episodes)
    print("\n".join(table(changes)))
    print("shard sets, verified after all changes: " + ", ".join(f"{n} problems" for n in problems.values()))
    if given.json:
        said = {"episodes": given.episodes, "changes": [asdict(change) for change in changes], "problems": problems}
        given.json.write_text(json.dumps({**said, **sizes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
