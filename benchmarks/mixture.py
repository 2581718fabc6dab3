"""What draws really are against what was asked for: ``python -m benchmarks.mixture`` (after ``make peers``).

The table of loader.md §1.2 with our rows in it. Part one: orders of 100,000 draws over 32 and over 1000 cells; the
worst prefix, max over t and i of |count_i(t) − t·λ_i|; total variation and the worst relative error at the end; CPU
time per draw. Part two: the mixers of Energon, litData and mosaicml-streaming, the real packages in environments of
their own, on the set-ups of loader.md; our orders for the same shares beside each. Exit status 1 when an order of ours
breaks its bound.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mixers.fidelity import Fidelity, fidelity
from benchmarks.mixers.orders import Order, Shares, independent, made_up_shares, random_phase
from benchmarks.peers.environments import ROOT, environment, python_of
from clustering.chairman import chairman
from clustering.stride import draws, stride_tree

N_DRAWS = 100_000
GRAIN_DRAWS = {32: N_DRAWS, 1000: N_DRAWS, 5000: 3_000}
"""Grain looks at every cell for every index, so the last point is for the cost alone."""
STRICT, STRIDE = "Joinery, strict", "Joinery, stride"
BOUNDS = {STRICT: 1.0, STRIDE: 2.0}


def stride(shares: Shares, n_draws: int) -> Order:
    """Ours, with random access."""
    return draws(stride_tree(shares, seed=0), 0, n_draws)[0]


METHODS: dict[str, Callable[[Shares, int], Order]] = {
    "independent (i.i.d.)": independent,
    "stride with random phases": random_phase,
    STRIDE: stride,
    STRICT: chairman,
}


@dataclass(frozen=True)
class Row:
    """One order and what it is worth."""

    name: str
    n_draws: int
    of: Fidelity
    cpu_s: float

    def kept(self) -> bool:
        """Whether an order of ours keeps its bound."""
        return self.of.discrepancy < BOUNDS.get(self.name, np.inf)


def ours(shares: Shares, n_draws: int, names: tuple[str, ...] = (STRIDE, STRICT)) -> list[Row]:
    """Rows of methods that run here."""
    rows = []
    for name in names:
        started = time.process_time()
        order = METHODS[name](shares, n_draws)
        rows.append(Row(name, n_draws, fidelity(order, shares), time.process_time() - started))
    return rows


def theirs(module: str, peer: str, name: str, request: dict[str, Any], scratch: Path) -> tuple[Row | str, Order]:
    """A row of a mixer in its own environment, or why it refused."""
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / "request.json"
    path.write_text(json.dumps({**request, "scratch": str(scratch)}))
    command = [str(python_of(peer)), "-m", f"benchmarks.mixers.{module}", str(path)]
    done = subprocess.run(command, cwd=ROOT, env=environment(peer), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    order = np.load(path.with_suffix(".npy"))
    label = f"{said['package']} {name}".strip()
    if "refused" in said:
        return f"{label:<52} ValueError: {said['refused']}", order
    return Row(label, len(order), fidelity(order, np.array(request["shares"])), said["cpu_s"]), order


def show(rows: list[Row | str], *, cost: bool) -> bool:
    """Print rows under one heading; whether ours kept their bounds."""
    heads = ("draws", "worst prefix", "TV", "worst rel.") + ("µs/draw",) * cost
    print(f"{'':<52}" + "".join(f"{head:>13}" for head in heads))
    for row in rows:
        if isinstance(row, str):
            print(row)
            continue
        numbers = [f"{row.n_draws:,}", f"{row.of.discrepancy:.2f}", f"{row.of.total_variation:.5f}"]
        numbers += [f"{row.of.worst_relative:.1%}"] + [f"{row.cpu_s / row.n_draws * 1e6:.2f}"] * cost
        print(f"{row.name:<52}" + "".join(f"{number:>13}" for number in numbers), flush=True)
    return all(row.kept() for row in rows if isinstance(row, Row))


def orders(scratch: Path) -> bool:
    """Part one."""
    kept = True
    for k, n_grain in GRAIN_DRAWS.items():
        shares = made_up_shares(k)
        print(f"\nK = {k}, log-normal shares, lightest λ·100,000 = {shares.min() * N_DRAWS:.1f}")
        asked = {"shares": shares.tolist(), "n_draws": n_grain}
        row, _ = theirs("grain_mix", "grain", "MapDataset.mix", asked, scratch / f"grain-{k}")
        rows: list[Row | str] = [row, *ours(shares, N_DRAWS, tuple(METHODS))]
        kept &= show(rows, cost=True)
    return kept


def energon(scratch: Path) -> bool:
    """Sixty clusters of 800 … 6 events, weights √n, read by ever more workers."""
    sizes = np.rint(800 / np.arange(1, 61) ** 1.2).astype(np.int64)
    shares = np.sqrt(sizes) / np.sqrt(sizes).sum()
    n_draws = 20_000
    print(f"\nEnergon MetadatasetV2.blend, 60 clusters of {sizes.max()} … {sizes.min()} samples, weights √n")
    rows: list[Row | str] = []
    notes = []
    for workers in (1, 8, 32, 64):
        asked = {"shares": shares.tolist(), "sizes": sizes.tolist(), "n_draws": n_draws, "workers": workers}
        row, order = theirs("energon_blend", "energon", f"blend, {workers} workers", asked, scratch / "energon")
        rows.append(row)
        small = np.flatnonzero(sizes < workers)
        if len(small):
            asked_mass, got = shares[small].sum(), np.isin(order, small).mean()
            notes.append(f"mass of clusters with fewer samples than {workers} workers: {asked_mass:.3f} → {got:.3f}")
    kept = show([*rows, *ours(shares, n_draws, ("independent (i.i.d.)", STRIDE, STRICT))], cost=False)
    print(*notes, "ours are the same for any number of workers", sep="\n")
    return kept


def litdata(scratch: Path) -> bool:
    """Three data sets."""
    shares, n_draws = np.array([0.7, 0.2, 0.1]), 60_000
    print("\nlitData CombinedStreamingDataset, shares 0.7, 0.2, 0.1")
    rows: list[Row | str] = []
    notes = []
    found = {}
    for method in ("stratified", "per_stream"):
        asked = {"shares": shares.tolist(), "n_draws": n_draws, "method": method, "seed": 42}
        row, found[method] = theirs("litdata_combined", "litdata", method, asked, scratch / "litdata")
        rows.append(row)
        notes.append(f"{method}: realised {np.round(np.bincount(found[method], minlength=3) / n_draws, 4).tolist()}")
    kept = show([*rows, *ours(shares, n_draws)], cost=False)
    print(*notes, sep="\n")
    return kept


def mosaic(scratch: Path) -> bool:
    """Six streams, one of them rare."""
    shares, n_draws = np.array([0.6, 0.25, 0.1, 0.03, 0.013, 0.007]), 20_000
    print(f"\nmosaicml-streaming, one stream per cell, proportions {shares.tolist()}, an epoch of {n_draws:,}")
    rows: list[Row | str] = []
    notes = []
    for method, batch in (("random", 64), ("stratified", 64), ("stratified", 32), ("per_stream", 64)):
        asked = {"shares": shares.tolist(), "n_draws": n_draws, "method": method, "batch": batch, "seed": 1}
        name = f"{method}, batch {batch}"
        row, order = theirs("streaming_batching", "streaming", name, asked, scratch / "streaming")
        rows.append(row)
        if len(order):
            realised = np.round(np.bincount(order, minlength=6) / len(order), 4).tolist()
            notes.append(f"{name}: {len(order):,} of {n_draws:,} samples, realised {realised}")
    kept = show([*rows, *ours(shares, n_draws)], cost=False)
    print(*notes, sep="\n")
    return kept


PARTS = {"orders": orders, "energon": energon, "litdata": litdata, "streaming": mosaic}


def main() -> int:
    """Print everything; 1 when an order of ours breaks its bound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept = [PARTS[name](Path(scratch)) for name in given.parts]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
