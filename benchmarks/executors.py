"""Ray on two cores against one process: the same recipe over the demo corpus, N times its size, on an empty workspace.

Each run is a process of its own. Wall time is that of the run, imports excluded and Ray's start included. Memory is the
peak of the driver, and of the largest of its workers, looked at twice a second.

    python -m benchmarks.executors [--times 20] [--workers 2] [--only inline|ray] [--recipe FILE]
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from jobs.progress import StageProgress
from jobs.run import run_recipe
from pipeline.heap import give_back_large_blocks
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from schemas.recipe_file import load_recipe

ROOT = Path(__file__).parent.parent
DEMO = CorpusParameters().episodes_per_source
LOOK_EVERY_S = 0.5
WANTED = 1.6


class Silent:
    """A reporter that says nothing."""

    def update(self, progress: StageProgress) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Memory(threading.Thread):
    """Peak resident memory of this process, and of the largest process it has started."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.own, self.largest = 0, 0
        self.over = threading.Event()

    def run(self) -> None:
        """Look, remember, sleep."""
        while not self.over.wait(LOOK_EVERY_S):
            own = psutil.Process()
            self.own = max(self.own, own.memory_info().rss)
            for child in own.children(recursive=True):
                try:
                    if "ray::" in " ".join(child.cmdline()):
                        self.largest = max(self.largest, child.memory_info().rss)
                except psutil.Error:
                    continue


def run_once(recipe: Path, executor: str, workers: int) -> dict[str, Any]:
    """In a process of its own: one run, and what it took."""
    loaded = load_recipe(recipe, [f"run.executor={executor}", f"run.workers={workers}"])
    memory = Memory()
    memory.start()
    started = time.monotonic()
    give_back_large_blocks()  # as `joinery run` does
    result = run_recipe(loaded, Silent())
    wall = time.monotonic() - started
    memory.over.set()
    stages = {stage.stage: [stage.seconds, stage.done] for stage in result.run.stages}
    return {"wall": wall, "stages": stages, "outcome": result.run.outcome, "own": memory.own, "worker": memory.largest}


def measured(recipe: Path, executor: str, workers: int) -> dict[str, Any]:
    """The same from outside, on an empty workspace."""
    shutil.rmtree(load_recipe(recipe).recipe.workspace.url, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.executors", "--run", str(recipe), "--workers", str(workers)]
    done = subprocess.run([*command, "--only", executor], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def demo(folder: Path, times: int) -> Path:
    """The demo's recipe over so many times its corpus, made in a folder."""
    make_corpus(folder / "corpus", CorpusParameters(episodes_per_source=DEMO * times, seed=100))
    recipe = folder / "recipe.yaml"
    recipe.write_text((ROOT / "recipes" / "demo.yaml").read_text().replace("../demo/", f"{folder}/"))
    return recipe


def table(found: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Wall seconds by stage, then the sums and the ratio."""
    first = next(iter(found.values()))
    yield f"{'wall seconds':<14}" + "".join(f"{name:>10}" for name in found) + f"{'items':>8}"
    for stage, (_, items) in first["stages"].items():
        yield f"{stage:<14}" + "".join(f"{run['stages'][stage][0]:>10.2f}" for run in found.values()) + f"{items:>8}"
    yield f"{'run':<14}" + "".join(f"{run['wall']:>10.1f}" for run in found.values())
    yield f"{'driver MiB':<14}" + "".join(f"{run['own'] / 2**20:>10.0f}" for run in found.values())
    yield f"{'worker MiB':<14}" + "".join(f"{run['worker'] / 2**20:>10.0f}" for run in found.values())
    if len(found) == 2:
        yield f"inline ÷ ray: {found['inline']['wall'] / found['ray']['wall']:.2f}, wanted {WANTED}"


def main() -> None:
    """Measure, or (with --run) be one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("inline", "ray"))
    parser.add_argument("--folder", type=Path, default=None, help="keep the corpus here")
    parser.add_argument("--recipe", type=Path, default=None, help="this one instead; its workspace is emptied first")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    parser.add_argument("--run", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(run_once(given.run, given.only, given.workers)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        recipe = given.recipe or demo(folder, given.times)
        executors = [given.only] if given.only else ["inline", "ray"]
        found = {executor: measured(recipe, executor, given.workers) for executor in executors}
    print(f"{given.recipe.name if given.recipe else f'the demo corpus × {given.times}'}, {given.workers} workers")
    print("\n".join(table(found)))
    if given.json:
        given.json.write_text(json.dumps({"times": given.times, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
