"""What balance and the order of draws buy: ``python -m benchmarks.balance``.

Part one: how far the worst prefix of 100,000 draws strays from its target, max over t and i of |count_i(t) − t·λ_i|,
for Tijdeman's order and for independent draws from the same shares. Part two: the frozen instances of clustering.md;
N_eff/K and Gini as they occur and balanced at R = 10, beside what was published, with the certificate and CPU time.
Part three: 100,000 cells and more, with each wish the recipe has, on one core. Fails when a prefix strays by 1 or more,
when a bound is broken, a solution is not certified, an axis stays below what is asked or a solution takes 60 s.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.frozen_instances import FROZEN, LARGE, SPARSE, Frozen, strata, table
from clustering.balance import balance
from clustering.chairman import chairman
from clustering.counter_hash import unit_of
from clustering.programme import KKT_TOLERANCE
from clustering.schedule import levels, steps_of
from clustering.strata import Strata, strata_of
from clustering.turns import turns
from schemas.plan import SamplingPlan, Spread
from schemas.recipe_balance import BalanceSpec

N_DRAWS = 100_000
ASKED = (0.95, 0.98)
"""N_eff/K along both axes on the frozen instances."""
SECONDS = 60.0


@dataclass(frozen=True)
class Wish:
    """Something a recipe may ask for."""

    name: str
    spec: dict[str, Any]


ROOTS = {axis: {"by": "power", "exponent": 0.5} for axis in ("vision_language", "action")}
WISHES = (
    Wish("nothing more", {}),
    Wish("sources 0.4 … and … 0.2", {"sources": {"s0": {"floor": 0.4}, "s1": {"cap": 0.2}}}),
    Wish("recoveries = 0.15", {"recovery": {"floor": 0.15, "cap": 0.15}}),
    Wish("sources and recoveries", {
        "sources": {"s0": {"floor": 0.4}, "s1": {"cap": 0.2}}, "recovery": {"floor": 0.15, "cap": 0.15},
    }),
    Wish("looks ∝ √n", {"targets": {"vision_language": {"by": "power", "exponent": 0.5}}}),
    Wish("both axes ∝ √n", {"targets": ROOTS}),
    Wish("both, sources, recoveries", {
        "targets": ROOTS,
        "sources": {"s0": {"floor": 0.4}, "s1": {"cap": 0.2}}, "recovery": {"floor": 0.15, "cap": 0.15},
    }),
    Wish("marginals, both axes ∝ √n", {
        "method": {"by": "marginals"},
        "targets": ROOTS,
    }),
    Wish("power 0.5", {"method": {"by": "power"}}),
    Wish("curriculum of 5 steps", {"curriculum_steps": 5}),
    Wish("shares of seconds", {"unit": "second"}),
)  # fmt: skip


def discrepancy(order: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """max over prefixes t and cells i of |count_i(t) − t·λ_i|; counts only move where a cell is drawn."""
    places = np.split(np.argsort(order, kind="stable"), np.cumsum(np.bincount(order, minlength=len(shares))))
    worst = 0.0
    for t, share in zip(places[:-1], shares, strict=True):
        drawn = np.arange(len(t))
        behind = t * share - drawn  # just before a turn
        ahead = drawn + 1 - (t + 1) * share  # just after it
        end = len(order) * share - len(t)
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


def frozen_table() -> bool:
    """Print the frozen instances before and after; whether what is asked was reached and every promise kept."""
    print("\nFrozen instances, f = 0.1, R = 10: N_eff/K of looks and motions, Gini of both\n")
    columns = f"{'occurs':>11} {'uniform':>8} {'balanced':>11} {'published':>11} {'Gini':>19}"
    print(f"{'instance':>12} {'cells':>7} {'γ':>5} {columns}")
    kept = True
    for made, gamma in ((FROZEN[0], 0.1), (FROZEN[1], 0.1), (SPARSE, 0.1), (SPARSE, 0.01)):
        kinds, spec = strata(made), BalanceSpec(gamma=gamma)
        plan, seconds = timed(kinds, spec)
        before, after = evenness(plan.before), evenness(plan.after)
        singleton = made.n_events / made.n_cells / int(kinds.n_events.min())
        print(
            f"{made.name:>12} {made.n_cells:7,} {gamma:5g} {pair(before):>11} {singleton:7.0f}× {pair(after):>11} "
            f"{pair(made.published):>11} {pair(ginis(plan.before)):>9}→{pair(ginis(plan.after))}"
        )
        print(
            f"{'':12} {plan.iterations} iterations, {seconds:.1f} CPU-s, KKT residual {plan.kkt_residual:.1e}, "
            f"most uses {plan.max_uses:.2f}, effective sample {plan.effective_sample_size / made.n_events:.3f}·N, "
            f"coverage {plan.uses[0].coverage:.3f}"
        )
        kept &= promises_kept(plan, spec) and seconds < SECONDS
        if made is not SPARSE:
            kept &= after[0] >= ASKED[0] and after[1] >= ASKED[1]
            kept &= prefixes_kept(plan)
    return kept


def wish_table() -> bool:
    """Print how long each wish takes on the large instance split by source and recovery; whether all kept to it."""
    kinds = split(LARGE)
    print(f"\n{LARGE.name} events in three sources, 4 % recoveries, {len(kinds):,} kinds: each wish on one core\n")
    print(f"{'wish':>28} {'cells':>8} {'iterations':>10} {'CPU-s':>6} {'KKT':>8} {'limits off':>10} {'N_eff/K':>11}")
    kept = True
    for wish in WISHES:
        spec = BalanceSpec.model_validate(wish.spec)
        counted = kinds if spec.unit == "second" else in_events(kinds)
        plan, seconds = timed(counted, spec)
        off = max((max(limit.floor - limit.share, limit.share - limit.cap) for limit in plan.limits), default=0.0)
        print(
            f"{wish.name:>28} {len(plan.cells):8,} {plan.iterations:10,} {seconds:6.1f} {plan.kkt_residual:8.1e} "
            f"{max(off, 0.0):10.1e} {pair(evenness(plan.after)):>11}"
        )
        kept &= seconds < SECONDS and plan.kkt_residual <= KKT_TOLERANCE and off <= 1e-6
    return kept


def split(made: Frozen) -> Strata:
    """An instance with sources, recoveries and lengths: by hash, so that each look has its own mix of sources."""
    counts = table(made)
    kinds: dict[tuple[int, int, str, bool], tuple[int, float]] = {}
    for v, a in zip(*np.nonzero(counts), strict=True):
        left, seconds = int(counts[v, a]), 0.5 + 3 * unit_of("seconds", str(a))
        for source, part in (("s0", 0.2 + 0.6 * unit_of("s0", str(v))), ("s1", 0.5), ("s2", 1.0)):
            n = min(left, int(left * part + unit_of(source, str(v), str(a))))
            again = int(0.04 * n + unit_of("again", source, str(v), str(a)))
            for recovery, count in ((False, n - again), (True, again)):
                if count:
                    kinds[int(v), int(a), source, recovery] = (count, count * seconds)
            left -= n
    return strata_of(kinds)


def in_events(kinds: Strata) -> Strata:
    """The same kinds counted by events."""
    return Strata(
        kinds.vision_language, kinds.action, kinds.source, kinds.recovery, kinds.n_events,
        kinds.n_events.astype(np.float64),
    )  # fmt: skip


def timed(kinds: Strata, spec: BalanceSpec) -> tuple[SamplingPlan, float]:
    """The plan and its CPU seconds."""
    started = time.process_time()
    plan = balance(kinds, spec)
    return plan, time.process_time() - started


def evenness(spreads: tuple[Spread, ...]) -> tuple[float, float]:
    """N_eff/K along both axes."""
    v, a = spreads[:2]
    return v.n_effective / v.n_bins, a.n_effective / a.n_bins


def ginis(spreads: tuple[Spread, ...]) -> tuple[float, float]:
    """Gini along both axes."""
    return spreads[0].gini, spreads[1].gini


def pair(values: tuple[float, float]) -> str:
    """Two numbers as the tables write them."""
    return f"{values[0]:.3f}/{values[1]:.3f}"


def promises_kept(plan: SamplingPlan, spec: BalanceSpec) -> bool:
    """Certificate, uses and effective sample size."""
    return (
        plan.kkt_residual <= KKT_TOLERANCE
        and plan.max_uses <= spec.repeat_cap * (1 + 1e-12)
        and plan.effective_sample_size >= plan.n_events / spec.repeat_cap * (1 - 1e-12)
    )


def prefixes_kept(plan: SamplingPlan) -> bool:
    """Whether every prefix of a whole epoch keeps rows within 1 and cells within 2."""
    (step,) = steps_of(plan)
    (rows,) = levels(plan)
    masses = np.array(step.shares)
    order = turns([rows], masses[None], np.array([step.n_draws]))
    row_of = np.unique(rows, return_inverse=True)[1].reshape(-1)
    worst_row = discrepancy(row_of[order], np.bincount(row_of, masses).astype(np.float64))
    worst_cell = discrepancy(order, masses)
    print(
        f"{'':12} epoch of {plan.n_draws:,} draws: rows within {worst_row:.3f} < 1, cells within {worst_cell:.3f} < 2"
    )
    return worst_row < 1 and worst_cell < 2


def main() -> int:
    """Print the tables; exit code 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    options = parser.parse_args()
    kept = [prefix_table(options.draws), frozen_table(), wish_table()]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
