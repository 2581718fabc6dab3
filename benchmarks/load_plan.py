"""``python -m benchmarks.load_plan [--events N]``: load plans at scale: how far off, how full, how even, how big.

Prints worst prefixes of a million draws for strict, stride and what others do; utilisation and rank imbalance at the
reference lengths of loader.md; and what `joinery compile` takes for a shard set of ten million events in heavy-tailed
cells, each compilation in a process of its own whose peak memory is measured. Times are of the CPU, since neighbours
on the machine take the clock's. Fails if a promise is broken.
``benchmarks/results/load_plan.txt`` holds the last output.
"""

import argparse
import binascii
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from clustering.chairman import chairman
from clustering.load_plan.measure import largest_deviation
from clustering.stride import draws, stride_tree
from jobs.compile import Extent, compile_load_plan
from pipeline.loader.pack import PackState, fill
from pipeline.loader.ranks import imbalance
from schemas.load_plan import FORMAT
from schemas.recipe_load import LoadSpec

DRAWS = 1_000_000
EVENTS, CELLS = 10_000_000, 100_000
ROW_GROUP = 65_536
BUDGETS = (12_288, 24_576, 49_152)
PACKS_PER_RANK, RANKS, STEPS = 16, 64, 8
QUADRATIC = 1 / (6 * 1536)
MOST_RESIDENT, MOST_APPEND, LEAST_FULL, MOST_UNEVEN = 4 << 30, 0.03, 0.98, 1.05


def main() -> int:
    """All three parts; 1 when a promise is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--child", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(*options.child)
    broken = [*prefixes(), *packing(), *scale(options.events)]
    for line in broken:
        print("BROKEN", line)
    return bool(broken)


# -- draws -------------------------------------------------------------------------------------------------------------


def shares() -> dict[str, NDArray[np.float64]]:
    """Weights of a few corpora, kind and unkind."""
    rng = np.random.default_rng(0)
    return {
        "8 cells": rng.dirichlet(np.ones(8)),
        "1,000 heavy-tailed": 1 / np.arange(1, 1001) ** 1.1,
        "4,096 at random": rng.random(4096),
        "half and 4,095 small": np.array([0.5, *[0.5 / 4095] * 4095]),
        "100,000 heavy-tailed": 1 / np.arange(1, 100_001) ** 1.1,
    }


def prefixes() -> list[str]:
    """Worst prefixes of a million draws."""
    print(f"worst |count - t*share| over all prefixes of {DRAWS:,} draws, and microseconds per draw")
    print(f"{'shares':24}{'strict':>16}{'stride':>16}{'random phase':>16}{'independent':>16}")
    broken = []
    for name, weights in shares().items():
        share = weights / weights.sum()
        said = f"{name:24}"
        for kind, bound in (("strict", 1.0), ("stride", 2.0), ("random phase", None), ("independent", None)):
            start = time.process_time()
            order = drawn(kind, share)
            micros = (time.process_time() - start) / DRAWS * 1e6
            worst = largest_deviation(order, share, np.zeros(len(share), np.int64))
            said += f"{worst:9.3f}{micros:5.1f}us"
            if bound is not None and worst >= bound:
                broken.append(f"{kind}, {name}: {worst:.3f}, promised < {bound}")
        print(said)
    print()
    return broken


def drawn(kind: str, share: NDArray[np.float64]) -> NDArray[np.int64]:
    """A million draws by a method; the last two are what others ship (loader.md 1.2)."""
    rng = np.random.default_rng(1)
    if kind == "strict":
        return chairman(share, DRAWS)
    if kind == "stride":
        return draws(stride_tree(share, 0), 0, DRAWS)[0]
    if kind == "independent":
        return rng.choice(len(share), DRAWS, p=share)
    turns = np.ceil(share * DRAWS * 1.02).astype(np.int64) + 1
    cell = np.repeat(np.arange(len(share)), turns)
    turn = np.arange(len(cell)) - np.repeat(np.cumsum(turns) - turns, turns)
    return cell[np.argsort((turn + rng.random(len(share))[cell]) / share[cell], kind="stable")][:DRAWS]


# -- packs -------------------------------------------------------------------------------------------------------------


def reference_lengths(n: int) -> NDArray[np.int64]:
    """Lognormal: median 1,440 tokens, 99th percentile 5,940, longest 11,700 (loader.md)."""
    spread = np.log(5940 / 1440) / 2.326
    drawn_lengths = np.random.default_rng(0).lognormal(np.log(1440), spread, n)
    return np.clip(drawn_lengths, 60, 11_700).astype(np.int64)


def packing() -> list[str]:
    """Utilisation, and imbalance of ranks with and without LPT."""
    group, broken = PACKS_PER_RANK * RANKS, []
    print(f"reference lengths, window 64; {RANKS} ranks, {PACKS_PER_RANK} packs per rank and step, {STEPS} steps")
    header = ("budget", "full", "us/draw", "delay", "as they come", "LPT mean", "LPT worst", "1 pack per rank")
    print("".join(f"{name:>16}" for name in header))
    for budget in BUDGETS:
        lengths = reference_lengths(int(budget / 1440 * group * STEPS))
        start = time.process_time()
        packed = fill(lengths.tolist(), budget, 64, PackState(), group=group, at_least=1 << 40, at_most=STEPS)
        micros = (time.process_time() - start) / len(packed.draws) * 1e6
        taken = lengths[packed.draws].astype(np.float64)
        full = taken.sum() / (budget * (len(packed.starts) - 1))
        delay = int((np.arange(len(packed.draws)) - packed.draws).max())
        costs = np.add.reduceat(taken + QUADRATIC * taken**2, packed.starts[:-1]).reshape(-1, group)
        plain = costs.reshape(-1, PACKS_PER_RANK, RANKS).sum(axis=1)
        as_they_come = float((plain.max(axis=1) / plain.mean(axis=1)).mean())
        lpt = [imbalance(step.tolist(), RANKS) for step in costs]
        single = float(np.mean([imbalance(step.tolist(), RANKS) for step in costs.reshape(-1, RANKS)]))
        cells = (f"{budget:,}", f"{full:.4f}", f"{micros:.2f}", f"{delay}", f"{as_they_come:.3f}")
        cells += (f"{np.mean(lpt):.4f}", f"{max(lpt):.4f}", f"{single:.3f}")
        print("".join(f"{cell:>16}" for cell in cells))
        if full < LEAST_FULL:
            broken.append(f"budget {budget}: packs {full:.4f} full, promised {LEAST_FULL}")
        if max(lpt) > MOST_UNEVEN:
            broken.append(f"budget {budget}: largest over mean {max(lpt):.4f}, promised {MOST_UNEVEN}")
    print()
    return broken


# -- scale -------------------------------------------------------------------------------------------------------------


def scale(n_events: int) -> list[str]:
    """Compile, append 1 %, and measure both from outside."""
    broken = []
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "set"
        write_set(shards, n_events, min(CELLS, n_events // 10))
        print(f"{n_events:,} events in {min(CELLS, n_events // 10):,} cells, an epoch each; a process each")
        print(f"{'':24}{'CPU s':>10}{'draws/s':>12}{'peak MiB':>10}{'full':>8}{'imbalance':>11}{'cells':>8}{'rows':>8}")
        for order, bound in (("strict", 1.0), ("stride", 2.0)):
            out = Path(folder) / order
            first = measured(f"{order}, whole", shards, out, order, n_events, "")
            size = sum(path.stat().st_size for path in out.glob("segment-*"))
            more = measured(f"{order}, 1 % appended", shards, out, order, n_events + n_events // 100, "append")
            print(f"{'':24}{size / n_events:.1f} bytes per draw on disk")
            if first["resident"] > MOST_RESIDENT:
                broken.append(f"{order}: {first['resident'] / 2**30:.2f} GiB resident, promised 4")
            if first["cells"] >= bound:
                broken.append(f"{order}: cells {first['cells']:.3f} off, promised < {bound}")
            if more["seconds"] > MOST_APPEND * first["seconds"]:
                share = more["seconds"] / first["seconds"]
                broken.append(f"{order}: appending 1 % took {share:.1%} of the whole, promised {MOST_APPEND:.0%}")
    return broken


def measured(name: str, *words: object) -> dict[str, float]:
    """What a compilation in a process of its own says of itself."""
    command = [sys.executable, "-m", "benchmarks.load_plan", "--child", *map(str, words)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(said)
    print(
        f"{name:24}{found['seconds']:10.1f}{found['draws'] / found['seconds']:12,.0f}{found['resident'] / 2**20:10,.0f}"
        f"{found['full']:8.4f}{found['imbalance']:11.4f}{found['cells']:8.3f}{found['rows']:8.3f}",
        flush=True,
    )
    return found


def child(shards: str, out: str, order: str, n_draws: str, mode: str) -> int:
    """One compilation; its time from after the imports, its memory with them."""
    spec = LoadSpec(
        order="stride" if order == "stride" else "strict",
        max_frames=65,
        tokens_per_latent=60,
        max_views=3,
        max_actions=64,
        budget=24_576,
        packs_per_step=256,
    )
    start = time.process_time()
    made = compile_load_plan(shards, out, spec, Extent(draws=int(n_draws), append=mode == "append"))
    seconds = time.process_time() - start
    realised = made.realised
    found = {
        "seconds": seconds,
        "draws": realised.n_draws,
        "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "full": realised.utilisation,
        "imbalance": max(realised.imbalances),
        "cells": realised.cell_deviation,
        "rows": realised.row_deviation,
    }
    print(json.dumps(found))
    return 0


def write_set(folder: Path, n_events: int, n_cells: int) -> None:
    """What `compile` reads of a shard set, for events nobody filmed: manifest, plan and description."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, n_cells + 1) ** 0.8
    n_rows = max(n_cells // 25, 1)
    counts = np.bincount(rng.choice(n_cells, n_events - n_cells, p=weights / weights.sum()), minlength=n_cells) + 1
    mass = np.sqrt(counts) / np.sqrt(counts).sum()
    cells = [
        {"vision_language": c % n_rows, "action": c // n_rows, "n_events": n, "mass": m}
        for c, (n, m) in enumerate(zip(counts.tolist(), mass.tolist(), strict=True))
    ]
    plan = {"plan_id": "pl-synthetic", "n_draws": n_events, "cells": cells}
    (folder / "plan.json").write_text(json.dumps({"plan": plan}))
    (folder / "set.json").write_text(json.dumps({"shard_set_id": "ss-synthetic", "format": FORMAT}))
    cell = rng.permutation(np.repeat(np.arange(n_cells, dtype=np.int32), counts))
    names = pa.array([f"{view}.mp4" for view in ("left", "right", "wrist")] + ["action.npz", "event.json"])
    writer = None
    for start in range(0, n_events, ROW_GROUP):
        table = _rows(cell[start : start + ROW_GROUP], n_rows, names, rng)
        writer = writer or pq.ParquetWriter(folder / "manifest.parquet", table.schema)
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer:
        writer.close()


def _rows(cell: NDArray[np.int32], n_rows: int, names: pa.Array, rng: np.random.Generator) -> pa.Table:
    n = len(cell)
    ids = binascii.hexlify(rng.bytes(16 * n)).decode()
    frames = np.clip(rng.lognormal(np.log(32), 0.6, n), 5, 600).astype(np.int64)
    member = pa.StructArray.from_arrays([names.take(pa.array(np.tile(np.arange(5), n)))], ["name"])
    return pa.table(
        {
            "event_id": [f"ev-{ids[32 * i : 32 * i + 32]}" for i in range(n)],
            "split": pa.array(["train"] * n),
            "source": pa.array(["synthetic"] * n),
            "vision_language": (cell % n_rows).astype(np.int64),
            "action": (cell // n_rows).astype(np.int64),
            "recovery": np.zeros(n, np.bool_),
            "n_frames": frames,
            "n_action_rows": frames * 2,
            "members": pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * 5), member),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
