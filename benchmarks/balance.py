"""What balance and the order of draws buy: ``python -m benchmarks.balance``.

Part one: how far the worst prefix of 100,000 draws strays from its target, max over t and i of |count_i(t) − t·λ_i|,
for Tijdeman's order and for independent draws from the same shares. Part two: a synthetic corpus of 200,000 events
whose clusters follow a power law; effective number of clusters per cluster, N_eff/K, and Gini before and after
balancing, with the certificate. Fails when a prefix strays by 1 or more, when a bound is broken or when the solution
is not certified.
"""

import argparse
import sys
import time

import numpy as np
from numpy.typing import NDArray

from clustering.balance import balance
from clustering.chairman import chairman, two_stage
from clustering.programme import KKT_TOLERANCE
from schemas.plan import SamplingPlan
from schemas.recipe import BalanceSpec

N_DRAWS = 100_000
N_EVENTS = 200_000


def discrepancy(order: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """max over prefixes t and cells i of |count_i(t) − t·λ_i|; counts only move where a cell is drawn."""
    worst = 0.0
    for i, share in enumerate(shares):
        turns = np.flatnonzero(order == i)
        drawn = np.arange(len(turns))
        behind = turns * share - drawn  # just before a turn
        ahead = drawn + 1 - (turns + 1) * share  # just after it
        end = len(order) * share - len(turns)
        worst = max(worst, abs(end), float(np.max(np.abs(behind), initial=0)), float(np.max(np.abs(ahead), initial=0)))
    return worst


def prefix_table(n_draws: int) -> bool:
    """Print discrepancies; whether ours stayed below 1 everywhere."""
    print(f"{n_draws:,} draws: worst prefix discrepancy, and draws per second\n")
    print(f"{'K':>5} {'ours':>7} {'bound':>7} {'i.i.d.':>7} {'ratio':>6} {'draws/s':>10}")
    kept = True
    for k in (8, 64, 512, 1000):
        rng = np.random.default_rng(k)
        shares = rng.dirichlet(np.full(k, 0.5)) + 1e-6
        shares /= shares.sum()
        started = time.process_time()
        order = chairman(shares, n_draws)
        seconds = time.process_time() - started
        ours = discrepancy(order, shares)
        drawn = discrepancy(rng.choice(k, n_draws, p=shares), shares)
        print(
            f"{k:5d} {ours:7.3f} {1 - 1 / (2 * k - 2):7.3f} {drawn:7.1f} {drawn / ours:6.0f} {n_draws / seconds:10,.0f}"
        )
        kept &= ours < 1
    return kept


def heavy_tailed(n_events: int, n_v: int, n_a: int) -> dict[tuple[int, int], int]:
    """Cell counts of a corpus whose cluster sizes follow power laws and whose clusters co-occur unevenly."""
    rng = np.random.default_rng(0)
    v, a = (1.0 / np.arange(1, k + 1) ** s for k, s in ((n_v, 1.2), (n_a, 1.0)))
    mix = np.outer(v, a) * rng.gamma(0.5, size=(n_v, n_a))
    counts = rng.multinomial(n_events, (mix / mix.sum()).reshape(-1)).reshape(n_v, n_a)
    return {(int(i), int(j)): int(counts[i, j]) for i, j in zip(*np.nonzero(counts), strict=True)}


def mixture_table(n_events: int) -> bool:
    """Print spreads before and after; whether every promise was kept."""
    spec = BalanceSpec()
    cells = heavy_tailed(n_events, n_v=400, n_a=200)
    started = time.process_time()
    plan = balance(cells, spec)
    seconds = time.process_time() - started
    print(f"\n{n_events:,} events in {len(cells):,} cells, f = {spec.floor:g}, R = {spec.repeat_cap:g}\n")
    print(f"{'axis':>16} {'K':>6} {'N_eff/K before':>15} {'after':>6} {'Gini before':>12} {'after':>6}")
    for before, after in zip(plan.before, plan.after, strict=True):
        k = before.n_bins
        print(
            f"{before.axis:>16} {k:6d} {before.n_effective / k:15.2f} {after.n_effective / k:6.2f} "
            f"{before.gini:12.2f} {after.gini:6.2f}"
        )
    print(f"\n{plan.iterations} iterations, {seconds:.1f} CPU-s, KKT residual {plan.kkt_residual:.1e}")
    print(f"most uses of one event {plan.max_uses:.2f} ≤ {spec.repeat_cap:g}")
    print(f"effective sample size {plan.effective_sample_size / n_events:.3f}·N ≥ {1 / spec.repeat_cap:g}·N")
    return _promises_kept(plan, spec)


def _promises_kept(plan: SamplingPlan, spec: BalanceSpec) -> bool:
    rows = np.array([cell.vision_language for cell in plan.cells])
    masses = np.array([cell.mass for cell in plan.cells])
    order = two_stage(rows, masses, plan.n_draws)
    row_of = np.unique(rows, return_inverse=True)[1]
    worst_row = discrepancy(row_of[order], np.bincount(row_of, masses).astype(np.float64))
    worst_cell = discrepancy(order, masses)
    print(f"epoch of {plan.n_draws:,} draws: rows within {worst_row:.3f} < 1, cells within {worst_cell:.3f} < 2")
    return (
        plan.kkt_residual <= KKT_TOLERANCE
        and plan.max_uses <= spec.repeat_cap * (1 + 1e-12)
        and plan.effective_sample_size >= plan.n_events / spec.repeat_cap * (1 - 1e-12)
        and worst_row < 1
        and worst_cell < 2
    )


def main() -> int:
    """Print both tables; exit code 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    parser.add_argument("--events", type=int, default=N_EVENTS)
    options = parser.parse_args()
    prefixes, mixture = prefix_table(options.draws), mixture_table(options.events)
    return 0 if prefixes and mixture else 1


if __name__ == "__main__":
    sys.exit(main())
