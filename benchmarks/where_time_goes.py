"""Where the wall time of a run goes, stage by stage: decode, encode, arithmetic, and what is none of them.

A thread looks at the main thread's stack every few milliseconds and books the time since it last looked. What a stack
is at is decided by the innermost frame that says so: the innermost of our own files, except that a few functions are
named one by one. Runs inline and without the sandbox, so that everything happens in this process. What the sandbox
adds is told by a second run, in which every recording is read both ways, one right after the other: two runs of the
same differ by more seconds than that. What counts is the median of the differences, times the recordings.

    python -m benchmarks.where_time_goes [--times 5] [--films FILM… | --recipe FILE] [--without-sandbox] [--folder DIR]

A recipe of your own is run in place of the demo's; its workspace is emptied first. With films the corpus is these, each
`--times` times: what a recording costs besides its pixels weighs less the more pixels it has.
"""

import argparse
import json
import shutil
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import yaml

from benchmarks.executors import demo
from jobs.progress import StageProgress
from jobs.river import RIVER
from jobs.run import run_recipe
from pipeline.heap import large_blocks_kept
from pipeline.sandbox.decoder import decoder_of
from pipeline.stage import Bundle, Scope, Stage
from pipeline.work_item import WorkItem
from schemas.recipe import Recipe
from schemas.recipe_file import load_recipe

LOOK_EVERY_S = 0.002
ROOT = Path(__file__).parent.parent
USEFUL = ("decode", "encode", "arithmetic")
KINDS = (*USEFUL, "store", "plan", "around", "sandbox")
AROUND = "around"
"""Imports, listing, what belongs to no stage."""

DECODE = ("pipeline/video.py", "pipeline/sources/", "pipeline/edit_list.py", "pipeline/upright.py", "pipeline/files.py")
ENCODE = ("pipeline/clip.py", "pipeline/repeatable_x264.py", "pipeline/shards/tar.py", "pipeline/shards/npz.py")
STORE = ("pipeline/store.py", "pipeline/blobs.py", "schemas/arrow.py")
PLAN = (
    "pipeline/ledger.py",
    "pipeline/history.py",
    "pipeline/revision.py",
    "pipeline/sql.py",
    "pipeline/fingerprint.py",
)
BY_FUNCTION = {("pipeline/filmstrip.py", "_jpeg"): "encode", ("pipeline/cut.py", "_cut_view"): "decode"}
ARITHMETIC = ("pipeline/", "annotators/", "clustering/", "schemas/")


class Sampler(threading.Thread):
    """Adds up what the thread that made it is at, until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stage = AROUND
        self.seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.places: defaultdict[tuple[str, str, str], float] = defaultdict(float)
        """By stage and kind, the function of ours that was at work."""
        self._watched, self._over = threading.get_ident(), threading.Event()

    def run(self) -> None:
        """Look, book, sleep."""
        last = time.perf_counter()
        while not self._over.wait(LOOK_EVERY_S):
            kind, place = kind_of(sys._current_frames().get(self._watched))
            now = time.perf_counter()
            self.seconds[self.stage, kind] += now - last
            self.places[self.stage, kind, place] += now - last
            last = now

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


def kind_of(frame: FrameType | None) -> tuple[str, str]:
    """What a stack is at, and which function of ours that is."""
    while frame is not None:
        name = frame.f_code.co_filename
        if "importlib" in name:
            return AROUND, "import"
        if name.startswith(f"{ROOT}/"):
            name = name.removeprefix(f"{ROOT}/")
            if kind := _kind_of_file(name, frame.f_code.co_name):
                return kind, f"{name}:{frame.f_code.co_name}"
        frame = frame.f_back
    return AROUND, "elsewhere"


def _kind_of_file(name: str, function: str) -> str:
    if kind := BY_FUNCTION.get((name, function)):
        return kind
    kinds = {"decode": DECODE, "encode": ENCODE, "store": STORE, "plan": PLAN, "arithmetic": ARITHMETIC}
    for kind, files in kinds.items():
        if name.startswith(files):
            return kind
    return AROUND if name.startswith("jobs/") else ""


class Following:
    """A reporter that tells the sampler which stage runs."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def update(self, progress: StageProgress) -> None:
        """The stage that runs now."""
        self._sampler.stage = progress.stage

    def close(self) -> None:
        """All stages are done."""
        self._sampler.stage = AROUND


def table(sampler: Sampler) -> Iterator[str]:
    """Seconds by stage and kind; then the shares."""
    names = [AROUND, *(stage.name for stage in RIVER)]
    yield f"{'wall seconds':<12}" + "".join(f"{kind:>12}" for kind in KINDS) + f"{'useful':>9}"
    for name in names:
        yield _row(name, sampler, [name])
    yield _row("whole run", sampler, names)
    per_item = [stage.name for stage in RIVER if stage.scope in (Scope.EPISODE, Scope.SHARD)]
    yield _row("per item", sampler, per_item)
    yield "per item: the stages of an episode or a shard, whose work grows with the video"


def _row(name: str, sampler: Sampler, stages: list[str]) -> str:
    own = {kind: sum(sampler.seconds[stage, kind] for stage in stages) for kind in KINDS}
    share = sum(own[kind] for kind in USEFUL) / max(sum(own.values()), 1e-9)
    return f"{name:<12}" + "".join(f"{own[kind]:>12.2f}" for kind in KINDS) + f"{share:>9.1%}"


def wasted(sampler: Sampler, n: int = 15) -> Iterator[str]:
    """The functions that took most of what is not decode, encode or arithmetic."""
    found = [(seconds, *of) for of, seconds in sampler.places.items() if of[1] not in USEFUL]
    for seconds, stage, kind, place in sorted(found, reverse=True)[:n]:
        yield f"{seconds:8.2f} s  {stage:<10} {kind:<8} {place}"


def films(folder: Path, paths: Sequence[Path], times: int) -> Path:
    """A recipe for copies of MP4 films that differ in a box which every reader passes over, so in their identity."""
    (folder / "films").mkdir()
    for path in paths:
        for number in range(times):
            box = struct.pack(">I4sI", 12, b"free", number)
            (folder / "films" / f"{path.stem}_{number}.mp4").write_bytes(path.read_bytes() + box)
    source = {"format": "video_folder", "name": "films", "path": str(folder / "films"), "card": {"licence": "unknown"}}
    recipe = folder / "recipe.yaml"
    said = {"joinery": 1, "workspace": {"url": str(folder / "workspace")}, "sources": [source]}
    recipe.write_text(yaml.safe_dump(said), encoding="utf-8")
    return recipe


def measure(recipe: Path) -> Sampler:
    """A run on an empty workspace without the sandbox: where its time went."""
    loaded = load_recipe(recipe, ["run.executor=inline", "run.sandbox.mode=off"])
    shutil.rmtree(loaded.recipe.workspace.url, ignore_errors=True)
    sampler = Sampler()
    sampler.start()
    run_recipe(loaded, Following(sampler))
    sampler.stop()
    return sampler


@dataclass
class BothWays:
    """Reads every recording within the sandbox and without, in turns which is first, and keeps how long each took."""

    seconds: defaultdict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """By stage: (without, within)."""

    def records(
        self, recipe: Recipe, stage: Stage, spec: Any, load: Callable[[WorkItem], Bundle], item: WorkItem
    ) -> Iterable[object]:
        """In place of `jobs.worker._records`."""
        bundle = load(item)
        if not stage.reads_source:
            return stage.run(bundle, spec)
        without = partial(stage.run, bundle, spec)
        within = partial(decoder_of(recipe.run.sandbox).records, stage, bundle, spec)
        pairs = self.seconds[stage.name]
        took: dict[bool, float] = {}
        for sandboxed in (True, False) if len(pairs) % 2 else (False, True):
            began = time.perf_counter()
            records = list(within() if sandboxed else without())
            took[sandboxed] = time.perf_counter() - began
        pairs.append((took[False], took[True]))
        return records


def both_ways(recipe: Path) -> BothWays:
    """A run on an empty workspace. This process keeps its memory, as one that reads sources itself does."""
    loaded = load_recipe(recipe, ["run.executor=inline", "run.sandbox.mode=on"])
    shutil.rmtree(loaded.recipe.workspace.url, ignore_errors=True)
    reading = BothWays()
    kept = patch("jobs.worker.large_blocks_kept", nullcontext)
    with patch("jobs.worker._records", reading.records), kept, large_blocks_kept():
        run_recipe(loaded, Following(Sampler()))
    return reading


def book_sandbox(sampler: Sampler, reading: BothWays) -> Iterator[str]:
    """Book what the sandbox added, and say it, stage by stage."""
    for stage, pairs in reading.seconds.items():
        added = sorted(within - without for without, within in pairs)
        low, median, high = (added[len(added) * part // 4] for part in (1, 2, 3))
        sampler.seconds[stage, "sandbox"] = median * len(added)
        yield (
            f"the sandbox added {1000 * median:.0f} ms to a recording's {stage} (quartiles {1000 * low:.0f} and "
            f"{1000 * high:.0f}; {len(added)} of {statistics.median(without for without, _ in pairs):.2f} s)"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="how often the demo's corpus, or each film")
    parser.add_argument("--films", type=Path, nargs="+", default=None, help="MP4 files to make the corpus of")
    parser.add_argument("--recipe", type=Path, default=None, help="this one instead; its workspace is emptied first")
    parser.add_argument("--without-sandbox", action="store_true", help="leave the second run out")
    parser.add_argument("--folder", type=Path, default=None, help="keep corpus and workspace here")
    parser.add_argument("--json", type=Path, default=None, help="write the seconds here too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        recipe = given.recipe or (films(folder, given.films, given.times) if given.films else demo(folder, given.times))
        sampler = measure(recipe)
        added = [] if given.without_sandbox else list(book_sandbox(sampler, both_ways(recipe)))
    print("\n".join([*table(sampler), *added, "", "what else took longest:", *wasted(sampler)]))
    if given.json:
        seconds = {f"{stage} {kind}": round(value, 3) for (stage, kind), value in sorted(sampler.seconds.items())}
        given.json.write_text(json.dumps(seconds, indent=1) + "\n")


if __name__ == "__main__":
    main()
