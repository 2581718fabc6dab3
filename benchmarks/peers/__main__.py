"""Who reads events of 25 frames of several cameras fastest, and what it costs in memory.

    python -m benchmarks.peers                       # after `make peers`; both sizes, takes about an hour
    python -m benchmarks.peers --sizes 256x256 --events 40 --repeats 3 --folder FOLDER
    python -m benchmarks.peers --recordings DATASET  # a LeRobot v2.x folder instead of made-up recordings

Every reader gets the same events in its own format, written by its own writer, in an environment of its own
(docs/peers.md says which settings and why). Each has a process of its own and their repetitions take turns; their
pictures are compared with the source. Speed is frames per second of CPU time, because wall-clock time on a shared
machine measures the neighbours; it stands beside. The exit status is 1 below the floor or when pictures are wrong. With
``--folder`` what was written stays and is used again.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.corpus import DESCRIPTION, Corpus, cut_clips, make, take
from benchmarks.peers.environments import ANSWER, environment, python_of

ROOT = Path(__file__).resolve().parents[2]
FLOOR = 3.0
"""Our frames per second over LeRobot's, with its defaults."""
FEWEST_DB = 30.0
"""Worst picture against the source; less is not the same picture."""
CHECKED_EVENTS = 3


@dataclass(frozen=True)
class Reader:
    """A row of the table: a module, the environment it runs in, and how it is asked."""

    name: str
    module: str
    environment: str = ""
    variant: str = ""
    in_order: bool = False

    @property
    def place(self) -> str:
        """Where its writer's output lies; WebDataset reads our tars."""
        written = "joinery_set" if self.module == "webdataset_set" else self.module
        return f"{written}-{self.variant}" if self.variant else written


LEROBOT = "LeRobot"
READERS = (
    Reader("Joinery", "joinery_set"),
    Reader("WebDataset, our tars", "webdataset_set"),
    Reader("litData", "litdata_set", "litdata"),
    Reader("mosaicml-streaming", "streaming_set", "streaming"),
    Reader(LEROBOT, "lerobot_set", "lerobot", "av1"),
    Reader("LeRobot, events in order", "lerobot_set", "lerobot", "av1", in_order=True),
    Reader("LeRobot, its H.264", "lerobot_set", "lerobot", "h264"),
    Reader("LeRobot, our H.264", "lerobot_set", "lerobot", "ours"),
    Reader("LeRobot, our H.264, in order", "lerobot_set", "lerobot", "ours", in_order=True),
)


class Process:
    """A reader's process, which answers one question at a time."""

    def __init__(self, reader: Reader, corpus: Path, workers: int = 0) -> None:
        self._name = reader.name
        place = corpus / "written" / reader.place
        command = [str(python_of(reader.environment)), "-m", f"benchmarks.peers.{reader.module}", str(corpus)]
        command += [str(place), "--variant", reader.variant, "--workers", str(workers)] + [
            "--in-order"
        ] * reader.in_order
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(reader.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
        )

    def ask(self, question: str) -> dict[str, Any]:
        """The answer; raises SystemExit with what the process said when it died."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                found: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
                return found
        self._complaints.seek(0)
        raise SystemExit(f"{self._name}: {question}\n{self._complaints.read()[-4000:].decode(errors='replace')}")

    def close(self) -> None:
        """End of its questions."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def prepare(folder: Path, size: str, recordings: Path | None, n_recordings: int, readers: Sequence[Reader]) -> Corpus:
    """The corpus, made unless it is there; its clips; every reader's own files."""
    if not (folder / DESCRIPTION).is_file():
        if recordings is not None:
            take(folder, recordings, n_recordings)
        else:
            width, height = (int(side) for side in size.split("x"))
            make(folder, height, width, n_recordings)
    corpus = Corpus.load(folder)
    if not corpus.clip(corpus.n_events - 1, corpus.views[-1]).is_file():
        cut_clips(corpus)
    (folder / "written").mkdir(exist_ok=True)
    for reader in readers:
        mark = folder / "written" / f"{reader.place}.json"
        if not mark.is_file():
            shutil.rmtree(folder / "written" / reader.place, ignore_errors=True)
            process = Process(reader, folder)
            mark.write_text(json.dumps(process.ask("write")))
            process.close()
    return corpus


def compare(corpus: Path, events: int, repeats: int, workers: Sequence[int], readers: Sequence[Reader]) -> bool:
    """Check pictures, time everybody in turns, print; whether the floor was kept and every picture right."""
    right = True
    for count in workers:
        processes = {reader.name: Process(reader, corpus, count) for reader in readers}
        found: dict[str, list[dict[str, Any]]] = {reader.name: [] for reader in readers}
        for _ in range(repeats):
            for name, process in processes.items():
                found[name].append(process.ask(f"time {events}"))
        if count == workers[0]:
            for name, process in processes.items():
                right &= checked(name, process.ask(f"check {CHECKED_EVENTS}"))
        for process in processes.values():
            process.close()
        ratio = report(found, count, corpus, readers)
        right &= count != 0 or ratio >= FLOOR
    return right


def checked(name: str, check: dict[str, Any]) -> bool:
    """Print how far the pictures are from the source and what read them; whether they are the source's."""
    good = not check["wrong"] and check["psnr"] >= FEWEST_DB
    versions = ", ".join(f"{package} {version}" for package, version in check["versions"].items())
    print(f"{name:<30} {check['psnr']:5.1f} dB{'' if good else '  WRONG PICTURES'}   {versions}", flush=True)
    return good


def report(found: dict[str, list[dict[str, Any]]], workers: int, corpus: Path, readers: Sequence[Reader]) -> float:
    """Print one table; our ratio to LeRobot with its defaults."""
    speed = {name: median(run["frames"] / run["cpu_s"] for run in runs) for name, runs in found.items()}
    wall = {name: median(run["frames"] / run["seconds"] for run in runs) for name, runs in found.items()}
    memory = "peak RSS, MiB" if workers == 0 else "PSS, MiB"
    print(f"\n{'one process' if workers == 0 else f'{workers} workers'}, median of {len(next(iter(found.values())))}")
    titles = ("frames/CPU-s", "÷ LeRobot", "frames/s", "÷ LeRobot", memory, "MB on disk")
    print(f"{'':<30}" + "".join(f"{title:>14}" for title in titles))
    for reader in readers:
        runs = found[reader.name]
        key = "peak_rss_mib" if workers == 0 else "pss_mib"
        n_bytes = json.loads((corpus / "written" / f"{reader.place}.json").read_text())["bytes"]
        numbers = (
            f"{speed[reader.name]:.0f}",
            f"{speed[reader.name] / speed[LEROBOT]:.2f}",
            f"{wall[reader.name]:.0f}",
            f"{wall[reader.name] / wall[LEROBOT]:.2f}",
            f"{median(run[key] for run in runs):.0f}",
            f"{n_bytes / 1e6:.1f}",
        )
        print(f"{reader.name:<30}" + "".join(f"{number:>14}" for number in numbers), flush=True)
    ratio = speed["Joinery"] / speed[LEROBOT]
    if workers == 0:
        print(f"floor: {FLOOR:g} × LeRobot, found {ratio:.2f}")
    return ratio


def main() -> int:
    """Prepare and compare; 1 below the floor or with wrong pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keeps what was made; default: a temporary folder")
    parser.add_argument("--sizes", nargs="+", default=["640x480", "256x256"])
    parser.add_argument("--recordings", type=Path, help="LeRobot v2.x dataset with several cameras")
    parser.add_argument("--n-recordings", type=int, default=6)
    parser.add_argument("--events", type=int, default=40, help="per reading")
    parser.add_argument("--readers", nargs="+", default=[reader.name for reader in READERS])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    given = parser.parse_args()
    readers = [reader for reader in READERS if reader.name in {*given.readers, "Joinery", LEROBOT}]
    with tempfile.TemporaryDirectory() as scratch:
        kept = (given.folder or Path(scratch)).resolve()
        right = True
        for name in ["recordings"] if given.recordings else given.sizes:
            corpus = prepare(kept / name, name, given.recordings, given.n_recordings, readers)
            shape = f"{len(corpus.views)} views of {corpus.width}×{corpus.height}"
            print(f"\n== {shape}, {corpus.n_events} events of 25 frames in {corpus.n_recordings} recordings")
            right &= compare(kept / name, given.events, given.repeats, given.workers, readers)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
