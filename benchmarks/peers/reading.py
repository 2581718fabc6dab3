"""One reader in a process of its own: writes the corpus in its format, times reading it, compares its pictures.

    python -m benchmarks.peers.<reader> CORPUS PLACE [--variant V] [--workers W] [--in-order]

then a question per line on standard input: ``write``, ``time N`` or ``check N`` (events); each is answered by JSON.
A process that stays lets `benchmarks.peers` interleave the repetitions of all readers without importing torch for each.
A reader module gives ``main`` a function that writes and one that opens. What opening returns is iterated as a trainer
would: one event at a time, all 25 frames of all views. Runs in the reader's own environment.
"""

import argparse
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers.corpus import EVENT_FRAMES, Corpus
from benchmarks.peers.environments import ANSWER
from benchmarks.peers.process_tree import cpu_s, peak_rss_mib, pss_mib
from benchmarks.peers.stamp import read_stamp

WARM = 4
"""Events read before the clock starts: opened files, filled queues."""
SEED = 20


@dataclass(frozen=True)
class Manner:
    """How a reading is done."""

    workers: int
    in_order: bool
    variant: str


Event = Mapping[str, Any]
"""``event``: its number; ``views``: pictures by view, uint8 [25, H, W, 3], uint8 or float [25, 3, H, W]."""
Write = Callable[[Corpus, Path, str], None]
Open = Callable[[Corpus, Path, Manner], Iterable[Event]]


def main(write: Write, opened: Open, packages: tuple[str, ...]) -> None:
    """Answer what standard input asks until it ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("place", type=Path)
    parser.add_argument("--variant", default="")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--in-order", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    corpus = Corpus.load(given.corpus)
    manner = Manner(given.workers, given.in_order, given.variant)
    versions = {name: importlib.metadata.version(name) for name in packages}
    for line in sys.stdin:
        what, _, number = line.strip().partition(" ")
        if what == "write":
            write(corpus, given.place, given.variant)
            files = [path for path in given.place.rglob("*") if path.is_file()]
            found: dict[str, Any] = {"bytes": sum(path.stat().st_size for path in files)}
        elif what == "time":
            found = timed(lambda: opened(corpus, given.place, manner), corpus, int(number))
        else:
            found = compared(opened(corpus, given.place, manner), corpus, int(number))
        print(ANSWER + json.dumps({**found, "versions": versions}), flush=True)


def shuffled(corpus: Corpus, *, in_order: bool) -> list[int]:
    """The events in the order to read them where a reader takes an order."""
    if in_order:
        return list(range(corpus.n_events))
    return np.random.default_rng(SEED).permutation(corpus.n_events).tolist()


def timed(opened: Callable[[], Iterable[Event]], corpus: Corpus, n_events: int) -> dict[str, Any]:
    """Seconds, CPU seconds and memory of ``n_events`` after `WARM`; there must be more, or queues would run dry."""
    if WARM + n_events >= corpus.n_events:
        raise SystemExit(f"{n_events} events to time: the corpus has {corpus.n_events}, {WARM} go before and 1 after")
    started, opened_at = time.perf_counter(), 0.0
    clock = cpu = 0.0
    seen: set[int] = set()
    frames, pss = 0, 0.0
    for count, event in enumerate(opened()):
        if count == 0:
            opened_at = time.perf_counter() - started
        if count == WARM:
            clock, cpu, frames = time.perf_counter(), cpu_s(), 0
        frames += sum(_delivered(event["views"][view], corpus) for view in corpus.views)
        seen.add(int(event["event"]))
        if count == WARM + n_events:
            frames -= EVENT_FRAMES * len(corpus.views)  # delivered, but the interval ends as it arrives
            clock, cpu = time.perf_counter() - clock, cpu_s() - cpu
            pss = pss_mib()  # workers are busy and queues full; sampling earlier would cost the reader time
            break
    if len(seen) != WARM + n_events + 1:
        raise SystemExit(f"{len(seen)} different events among {WARM + n_events + 1}")
    return {
        "frames": frames,
        "seconds": clock,
        "cpu_s": cpu,
        "first_event_s": opened_at,
        "peak_rss_mib": peak_rss_mib(),
        "pss_mib": pss,
    }


def _delivered(pictures: Any, corpus: Corpus) -> int:
    """How many pictures these are; stops the run when they are not an event's."""
    shape = tuple(pictures.shape)
    rows = (corpus.height, corpus.width)
    if shape not in ((EVENT_FRAMES, *rows, 3), (EVENT_FRAMES, 3, *rows)):
        raise SystemExit(f"pictures of shape {shape}, expected {EVENT_FRAMES} of {rows}")
    return EVENT_FRAMES


def compared(events: Iterable[Event], corpus: Corpus, n_events: int) -> dict[str, Any]:
    """Whether the pictures are the source's: wrong stamps, and the worst PSNR in dB."""
    wrong, worst = 0, np.inf
    for event in islice(events, n_events):
        number = int(event["event"])
        recording, first = corpus.place(number)
        for view in corpus.views:
            pictures = event["views"][view]
            source = islice(corpus.pictures(recording, view), first, first + EVENT_FRAMES)
            for i, (own, true) in enumerate(zip(_as_bytes(pictures), source, strict=True)):
                wrong += corpus.stamped and read_stamp(own) != corpus.number(number, i)
                worst = min(worst, psnr(own, true))
    return {"wrong": int(wrong), "psnr": float(worst), "events": n_events}


def _as_bytes(pictures: Any) -> NDArray[np.uint8]:
    """uint8 [25, H, W, 3] of what a reader yields."""
    found = torch.as_tensor(pictures)
    if found.is_floating_point():
        found = (found * 255).round().clamp(0, 255).to(torch.uint8)
    if found.shape[1] == 3:
        found = found.permute(0, 2, 3, 1)
    return np.asarray(found.numpy())


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of two pictures in dB."""
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else np.inf
