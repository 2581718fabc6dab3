"""Whole runs on an object store that fails at random, and runs beside each other on one workspace.

    python -m benchmarks.store_faults --runs 20 --pairs 4 --seed 0

A recipe of two sources runs, through the command line, on a workspace and with sources in a real S3 server, behind a
proxy that spoils requests by the seed (`tests.pipeline.fault_proxy`): errors, throttling, silence, connections lost
while sending and while receiving, answers cut short, answers lost. Two of three runs also lose the store altogether,
some for less long than a request is tried again, some for good. Then the recipe is run again, undisturbed. It
must end well, with the bytes of a run that nothing ever disturbed, no row doubled, none missing; and the disturbed run
must have ended either well or with status 1 and one line that says why, which `joinery why` still knows afterwards.

Pairs start the same recipe twice at one moment on one workspace, in two processes, on a disk and on the store.

What is held against the undisturbed run: SHA-256 of every published file, the set of committed work keys, and for each
table the rows of committed results. Ends with status 1 when anything is lost, doubled or different.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from jobs.cli import app
from pipeline.blobs import Blobs
from pipeline.store import Workspace
from pipeline.synthetic.corpus import CorpusParameters, make_corpus
from pipeline.tables import TABLES
from schemas.run import Run, WorkDone
from tests.pipeline.fault_proxy import FAULTS, Weather, spoiling
from tests.pipeline.s3_server import s3_bucket

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).with_name("results") / "store_faults.json"
SOURCES = ("umi", "internet")
BUCKET = "s3://bucket"
RETRY_S = 20
STALL_S = 60.0
"""Longer than a client waits."""
OUTAGES = ("none", "short", "for good")
SHORT_S = 8.0


@dataclass(frozen=True)
class State:
    """What a workspace holds, as far as it must not depend on what happened on the way."""

    files: dict[str, str]
    """Published file → SHA-256."""
    keys: frozenset[str]
    """Committed work keys of stages."""
    rows: dict[str, int]
    """Table → rows of committed results."""


@dataclass
class Told:
    """How one run went, and the run after it."""

    seed: int
    outage: str
    faults: dict[str, int]
    requests: int
    status: int
    said: str
    why: str
    again: int
    lost: int
    doubled: int
    differing: int
    seconds: float
    wrong: list[str] = field(default_factory=list)


class Bench:
    """One server, one corpus, one recipe."""

    def __init__(self, folder: Path, storage: dict[str, str]) -> None:
        self.folder, self.storage = folder, storage
        corpus = folder / "corpus"
        make_corpus(corpus, CorpusParameters(episodes_per_source=1, seed=3, with_defects=False))
        blobs = Blobs(f"{BUCKET}/corpus", storage)
        for source in SOURCES:
            for path in sorted(path for path in (corpus / source).rglob("*") if path.is_file()):
                blobs.put_bytes(path.relative_to(corpus).as_posix(), path.read_bytes())
        demo = yaml.safe_load((ROOT / "recipes" / "demo.yaml").read_text(encoding="utf-8"))
        demo["sources"] = [source for source in demo["sources"] if source["name"] in SOURCES]
        self._demo = demo

    def recipe(self, url: str, endpoint: str) -> Path:
        """The recipe with its workspace there."""
        demo = json.loads(json.dumps(self._demo, default=str))
        for source in demo["sources"]:
            source["path"] = f"{BUCKET}/corpus/{source['name']}"
        demo["workspace"] = {
            "url": url,
            "storage": {"endpoint": endpoint, "region": self.storage["region"], "retry_s": RETRY_S},
        }
        demo["run"]["executor"] = "inline"
        path = self.folder / f"{hashlib.sha256(f'{url} {endpoint}'.encode()).hexdigest()[:12]}.yaml"
        path.write_text(yaml.safe_dump(demo), encoding="utf-8")
        return path

    def disturbed(self, seed: int, n_requests: int, undisturbed: State) -> Told:
        """A run in bad weather, and one in good weather after it."""
        begun = time.monotonic()
        draw = random.Random(seed)
        outage = draw.choice(OUTAGES)
        weather = Weather(
            seed=seed,
            rate=draw.uniform(0.02, 0.12),
            kinds=[kind for kind in FAULTS if not kind.startswith("stall")],
            stalls=1,
            stall_s=STALL_S,
            outage_from=0 if outage == "none" else draw.randrange(2, n_requests),
            outage_s=SHORT_S if outage == "short" else 1e9,
        )
        url = f"{BUCKET}/ws-{seed}"
        with spoiling(self.storage["endpoint"], weather, self.folder / "log") as proxy:
            status, said, wrong = command("run", self.recipe(url, proxy.endpoint))
            faults, requests = proxy.faults(), proxy.requests()
        calm = self.recipe(url, self.storage["endpoint"])
        if status not in (0, 1):
            wrong.append(f"ended with status {status}")
        why = ""
        if status:
            why = self._why(calm)
            if not any(line.startswith("error: ") for line in said.splitlines()):
                wrong.append("said no error")
            known = "did not do it" in why or "has not said how it ended" in why
            if not known and self._was_noted(url):
                wrong.append(f"why does not know: {why[-300:]}")
        again, said_again, more = command("run", calm)
        wrong += more + ([f"ran again with status {again}: {said_again[-300:]}"] if again else [])
        lost, doubled, differing = compared(self.state(url), undisturbed)
        kinds = Counter(fault["fault"] for fault in faults)
        line = next((line for line in said.splitlines() if line.startswith("error: ")), said.strip().splitlines()[-1])
        line = line.partition(", /")[0]  # Lance's errors end with the place in its own source
        return Told(
            seed, outage, dict(sorted(kinds.items())), requests, status, line[:300], why[-300:], again, lost, doubled,
            differing, round(time.monotonic() - begun, 1), wrong,
        )  # fmt: skip

    def pair(self, seed: int, url: str, undisturbed: State) -> dict[str, Any]:
        """The same recipe twice at one moment on one workspace."""
        begun = time.monotonic()
        weather = Weather(seed=seed, rate=0.03, kinds=[kind for kind in FAULTS if not kind.startswith("stall")])
        with spoiling(self.storage["endpoint"], weather, self.folder / "log") as proxy:
            line = [sys.executable, "-m", "jobs.cli", "run", str(self.recipe(url, proxy.endpoint))]
            both = [subprocess.Popen(line, cwd=ROOT, stdout=-1, stderr=-2, text=True) for _ in range(2)]
            said = [one.communicate()[0] for one in both]
            faults = len(proxy.faults())
        lost, doubled, differing = compared(self.state(url), undisturbed)
        wrong = [
            text[-500:]
            for one, text in zip(both, said, strict=True)
            if one.returncode not in (0, 1) or "Traceback" in text or (one.returncode and "error: " not in text)
        ]
        statuses = sorted(one.returncode for one in both)
        if statuses[0] != 0:
            wrong.append("neither ended well")
        return {
            "seed": seed, "where": "store" if "://" in url else "disk", "statuses": statuses, "faults": faults,
            "lost": lost, "doubled": doubled, "differing": differing, "wrong": wrong,
            "seconds": round(time.monotonic() - begun, 1),
        }  # fmt: skip

    def state(self, url: str) -> State:
        """What a workspace holds now."""
        workspace = Workspace.existing(url, self.storage)
        chosen: dict[str, str] = {}
        for done in workspace.rows(WorkDone, "stage != 'discover'"):
            chosen[done.work_key] = min(done.attempt, chosen.get(done.work_key, done.attempt))
        attempts = set(chosen.values())
        rows = {}
        for record, name in TABLES.items():
            column = workspace.scan(record, columns=["attempt"]).read_all().column("attempt").to_pylist()
            rows[name] = sum(attempt in attempts for attempt in column)
        blobs = workspace.blobs
        files = {path: hashlib.sha256(blobs.read(path)).hexdigest() for path in blobs.list("shards")}
        return State(files, frozenset(chosen), rows)

    def _was_noted(self, url: str) -> bool:
        """Whether the run came so far as to say in its workspace that it began; before that only its own line tells."""
        try:
            return bool(Workspace(url, self.storage).rows(Run))
        except ValueError:  # no such table yet
            return False

    def _why(self, recipe: Path) -> str:
        return command("why", recipe)[1]


def compared(found: State, undisturbed: State) -> tuple[int, int, int]:
    """Rows and keys lost and doubled, and published files that differ."""
    lost = len(undisturbed.keys - found.keys)
    doubled = len(found.keys - undisturbed.keys)
    for name, n in undisturbed.rows.items():
        lost += max(0, n - found.rows[name])
        doubled += max(0, found.rows[name] - n)
    names = found.files.keys() | undisturbed.files.keys()
    return lost, doubled, sum(found.files.get(name) != undisturbed.files.get(name) for name in names)


def command(verb: str, recipe: Path) -> tuple[int, str, list[str]]:
    """Status, output and what no user should see of a command of ours."""
    result = CliRunner().invoke(app, [verb, str(recipe)])
    odd = result.exception is not None and not isinstance(result.exception, SystemExit)
    return (
        result.exit_code,
        result.output,
        [f"traceback of {type(result.exception).__name__}: {result.exception}"] * odd,
    )


@contextmanager
def bench() -> Iterator[Bench]:
    """A server and a folder for the time it takes."""
    with tempfile.TemporaryDirectory() as folder, s3_bucket("bucket") as storage:
        yield Bench(Path(folder), storage)


def undisturbed_run(made: Bench) -> tuple[State, int, float]:
    """A run on a disk and one on the store, which must hold the same; and how many requests the latter took."""
    status, said, wrong = command("run", made.recipe(str(made.folder / "ws"), made.storage["endpoint"]))
    if status:
        raise SystemExit(f"the undisturbed run failed:\n{said}\n{wrong}")
    on_disk = made.state(str(made.folder / "ws"))
    begun = time.monotonic()
    with spoiling(made.storage["endpoint"], Weather(), made.folder / "log") as proxy:
        command("run", made.recipe(f"{BUCKET}/ws", proxy.endpoint))
        n_requests = proxy.requests()
    if compared(made.state(f"{BUCKET}/ws"), on_disk) != (0, 0, 0):
        raise SystemExit("the store's workspace is not the disk's")
    return on_disk, n_requests, round(time.monotonic() - begun, 1)


def main() -> None:
    """Pairs, then runs; figures are written after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    runs: list[Told] = []
    pairs: list[dict[str, Any]] = []
    with bench() as made:
        undisturbed, n_requests, seconds = undisturbed_run(made)
        print(f"undisturbed: {len(undisturbed.keys)} results, {n_requests} requests, {seconds} s", flush=True)
        for i in range(asked.pairs):
            url = f"{BUCKET}/pair-{i}" if i % 2 else str(made.folder / f"pair-{i}")
            pairs.append(made.pair(asked.seed + i, url, undisturbed))
            print(json.dumps(pairs[-1]), flush=True)
            write(asked.out, asked.seed, n_requests, runs, pairs)
        for i in range(asked.runs):
            runs.append(made.disturbed(asked.seed + i, n_requests, undisturbed))
            print(json.dumps(asdict(runs[-1])), flush=True)
            write(asked.out, asked.seed, n_requests, runs, pairs)
    if any(bad(one) for one in [*map(asdict, runs), *pairs]):
        raise SystemExit(1)


def bad(one: dict[str, Any]) -> bool:
    """Whether anything of a run is not as it must be."""
    return bool(one["lost"] or one["doubled"] or one["differing"] or one["wrong"])


def write(out: Path, seed: int, n_requests: int, runs: list[Told], pairs: list[dict[str, Any]]) -> None:
    """The figures so far."""
    faults = Counter[str]()
    for run in runs:
        faults.update(run.faults)
    ended = Counter("well" if run.status == 0 else "with an error" for run in runs)
    sums = {name: sum(getattr(run, name) for run in runs) for name in ("lost", "doubled", "differing")}
    told = {
        "seed": seed,
        "requests_of_an_undisturbed_run": n_requests,
        "runs": len(runs),
        "faults": dict(sorted(faults.items())),
        "ended": dict(ended),
        **sums,
        "wrong": [wrong for run in runs for wrong in run.wrong],
        "pairs": pairs,
        "each": [asdict(run) for run in runs],
    }
    out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
