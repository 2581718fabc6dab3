"""An event's span out of a long MP4: `decode_clip` against LeRobot's ``delta_timestamps`` on the very same file (T20).

    python -m benchmarks.span_decode                 # after `make .venv-lerobot/.installed`; some minutes
    python -m benchmarks.span_decode --folder FOLDER --size 256x256 --events 30

LeRobot writes a data set (AV1 and H.264 with its own settings, and H.264 with those of stage ``cut`` in the same
place); then both read the same random events of 25 frames of every view out of those files, each in a process of its
own. Frames are compared by digest: LeRobot's float32 in 0 … 1 goes back to the bytes it was made of, which is exact.
Speed is frames per second of CPU time, median over repetitions; wall-clock time stands beside. Exit status 1 below the
floor or when a byte differs.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np

from benchmarks.peers.corpus import EVENT_FRAMES, Corpus
from benchmarks.peers.environments import ANSWER, environment, python_of
from benchmarks.peers.process_tree import cpu_s

FLOOR = 3.0
SEED = 20
WARM = 2
VARIANTS = ("ours", "h264", "av1")
Read: TypeAlias = Callable[[int], dict[str, Any]]
"""An event to the 25 pictures of every view."""


def spans(corpus: Corpus, events: int) -> list[int]:
    """Which events, in which order; the same for both."""
    return np.random.default_rng(SEED).permutation(corpus.n_events)[: events + WARM].tolist()


def of_joinery(corpus: Corpus, place: Path) -> Read:
    """By `decode_clip` out of LeRobot's files, whose bytes stay in memory as LeRobot's opened decoders do."""
    from pipeline.loader.decode import decode_clip  # noqa: PLC0415 - not in LeRobot's environment

    files = {view: next(iter(sorted(place.glob(f"videos/*{view}/*/*.mp4")))).read_bytes() for view in corpus.views}

    def read(event: int) -> dict[str, Any]:
        recording, first = corpus.place(event)
        start = recording * corpus.recording_frames + first
        frames = range(start, start + EVENT_FRAMES)
        return {view: decode_clip(mp4, frames=frames) for view, mp4 in files.items()}

    return read


def of_lerobot(corpus: Corpus, place: Path) -> Read:
    """The item at the event's first frame, with 25 ``delta_timestamps`` of every view."""
    from benchmarks.peers.lerobot_set import PREFIX, REPOSITORY, LeRobotDataset  # noqa: PLC0415

    deltas = [i / corpus.fps for i in range(EVENT_FRAMES)]
    names = {view: PREFIX + view for view in corpus.views}
    dataset = LeRobotDataset(REPOSITORY, root=place, delta_timestamps=dict.fromkeys(names.values(), deltas))

    def read(event: int) -> dict[str, Any]:
        recording, first = corpus.place(event)
        item = dataset[recording * corpus.recording_frames + first]
        return {view: item[name] for view, name in names.items()}

    return read


def measured(read: Read, corpus: Corpus, events: int, repeats: int) -> dict[str, Any]:
    """Digests of every span, and seconds and CPU seconds of each repetition after a few spans to warm up."""
    order = spans(corpus, events)
    runs = []
    for _ in range(repeats):
        for event in order[:WARM]:
            read(event)
        clock, cpu = time.perf_counter(), cpu_s()
        for event in order[WARM:]:
            read(event)
        runs.append((time.perf_counter() - clock, cpu_s() - cpu))
    digests = {f"{event} {view}": digest(own) for event in order for view, own in read(event).items()}
    return {"frames": events * EVENT_FRAMES * len(corpus.views), "runs": runs, "digests": digests}


def digest(pictures: Any) -> str:
    """Of the uint8 [25, H, W, 3] a reader's pictures are or were made of."""
    if not isinstance(pictures, np.ndarray):
        pictures = (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy()
    return hashlib.sha256(np.ascontiguousarray(pictures).tobytes()).hexdigest()


def ask(reader: str, folder: Path, variant: str, events: int, repeats: int) -> dict[str, Any]:
    """Measure in the reader's own environment."""
    where = "lerobot" if reader == "lerobot" else ""
    command = [str(python_of(where)), "-m", "benchmarks.span_decode", "--reader", reader, "--folder", str(folder)]
    command += ["--variant", variant, "--events", str(events), "--repeats", str(repeats)]
    done = subprocess.run(command, env=environment(where), capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(ANSWER):
            found: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
            return found
    raise SystemExit(f"{reader}: {done.stderr[-3000:]}")


def compare(folder: Path, variants: list[str], events: int, repeats: int) -> bool:
    """Print a table; whether every byte is equal and the floor is kept with our encoding."""
    good = True
    print(f"{'file':<8}{'':<22}{'frames/CPU-s':>14}{'frames/s':>12}{'ratio':>8}   equal spans")
    for variant in variants:
        ours, theirs = (ask(reader, folder, variant, events, repeats) for reader in ("joinery", "lerobot"))
        same = sum(theirs["digests"][span] == own for span, own in ours["digests"].items())
        speed = {}
        for name, found in (("LeRobot", theirs), ("Joinery", ours)):
            per_cpu = median(found["frames"] / cpu for _, cpu in found["runs"])
            per_s = median(found["frames"] / seconds for seconds, _ in found["runs"])
            speed[name] = per_cpu
            ratio = per_cpu / speed["LeRobot"]
            told = f"{same} of {len(ours['digests'])}" if name == "Joinery" else ""
            print(f"{variant:<8}{name:<22}{per_cpu:>14.0f}{per_s:>12.0f}{ratio:>8.2f}   {told}", flush=True)
        good &= same == len(ours["digests"])
        if variant == "ours":
            good &= speed["Joinery"] / speed["LeRobot"] >= FLOOR
    return good


def main() -> int:
    """Prepare and compare, or be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--size", default="256x256")
    parser.add_argument("--n-recordings", type=int, default=3)
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--reader", choices=["joinery", "lerobot"])
    parser.add_argument("--variant", default="ours")
    given = parser.parse_args()
    if given.reader:
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)
        corpus = Corpus.load(given.folder)
        opened = of_joinery if given.reader == "joinery" else of_lerobot
        read = opened(corpus, given.folder / "written" / f"lerobot_set-{given.variant}")
        print(ANSWER + json.dumps(measured(read, corpus, given.events, given.repeats)), flush=True)
        return 0
    from benchmarks.peers.__main__ import Reader, prepare  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.folder or Path(scratch)).resolve() / given.size
        folder.mkdir(parents=True, exist_ok=True)
        readers = [Reader(variant, "lerobot_set", "lerobot", variant) for variant in given.variants]
        prepare(folder, given.size, None, given.n_recordings, readers)
        return 0 if compare(folder, given.variants, given.events, given.repeats) else 1


if __name__ == "__main__":
    sys.exit(main())
