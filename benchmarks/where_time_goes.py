"""Where the wall time of a run goes, stage by stage: decode, encode, arithmetic, and what is none of them.

A thread looks at the main thread's stack every few milliseconds and books the time since it last looked. What a stack
is at is decided by the innermost frame that says so: the innermost of our own files, except that a few functions are
named one by one. Runs inline, so that everything happens in this process.

    python -m benchmarks.where_time_goes [--episodes-per-source 35] [--folder DIR] [--json FILE]
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from jobs.progress import StageProgress
from jobs.river import RIVER
from jobs.run import run_recipe
from pipeline.stage import Scope
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import load_recipe

LOOK_EVERY_S = 0.002
ROOT = Path(__file__).parent.parent
USEFUL = ("decode", "encode", "arithmetic")
KINDS = (*USEFUL, "store", "plan", "around")
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
        self._sampler.stage = progress.stage

    def close(self) -> None:
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


def measure(folder: Path, episodes_per_source: int) -> Sampler:
    """One run over a corpus made for it."""
    make_corpus(folder / "corpus", CorpusParameters(episodes_per_source=episodes_per_source, seed=100))
    recipe = folder / "recipe.yaml"
    text = (ROOT / "recipes" / "demo.yaml").read_text().replace("../demo/", f"{folder}/")
    recipe.write_text(text)
    loaded = load_recipe(recipe, ["run.executor=inline"])
    sampler = Sampler()
    sampler.start()
    run_recipe(loaded, Following(sampler))
    sampler.stop()
    return sampler


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes-per-source", type=int, default=35, help="the demo has 7")
    parser.add_argument("--folder", type=Path, default=None, help="keep corpus and workspace here")
    parser.add_argument("--json", type=Path, default=None, help="write the seconds here too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        sampler = measure(folder, given.episodes_per_source)
    print("\n".join([*table(sampler), "", "what else took longest:", *wasted(sampler)]))
    if given.json:
        seconds = {f"{stage} {kind}": round(value, 3) for (stage, kind), value in sorted(sampler.seconds.items())}
        given.json.write_text(json.dumps(seconds, indent=1) + "\n")


if __name__ == "__main__":
    main()
