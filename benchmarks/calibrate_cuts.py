"""What confidence and σ each kind of cut deserves: ``python -m benchmarks.calibrate_cuts FOLDER``.

FOLDER holds simulated episodes of even seeds (docs/sim_truth.md), run through the real stages; made-up ones come on
top. Prints, per kind, the table that stands in `annotators.tree.claim.PRIORS`: the lower confidence and the larger σ of
both worlds, so that neither is promised too much. Cuts that are trusted less from the start
(`annotators.kinematic.phases`) are counted apart, with the share of the confidence they deserve. ``--check`` prints
coverage and calibration error of the table as it stands instead, which only means something on odd seeds.

Confidence is the share of cuts with a true boundary of their kind within 0.25 s, one hit and one failure added, so
that no kind is certain. σ is the length that 68.3 % of the errors do not exceed, of cuts that stand where they were
seen; cuts moved to make room carry their move in their own σ (`annotators.tree.place`).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from annotators.scores.boundaries import tolerance_ns, typed_pairs
from annotators.scores.marks import OURS, Case, Mark
from annotators.scores.trust import ERRORS_WITHIN_S, HIT_WITHIN_S, trust
from annotators.tree.claim import PRIORS
from benchmarks.events import simulated
from benchmarks.made_cases import one_arm, pushes, two_arms
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS

COVERED = 68.3
"""Per cent of normal errors within one σ."""
SEEDS = range(100, 106)
"""Made-up episodes to calibrate on; tests and floors use others."""


def made() -> list[Case]:
    """Made-up episodes at both rates: with one arm, with two, and pushes."""
    return [case for rate_hz in (20, 30) for make in (one_arm, two_arms, pushes) for case in make(SEEDS, rate_hz)]


def hits(cases: Sequence[Case], kind: BoundaryKind) -> list[tuple[Mark, bool]]:
    """Every proposal of a kind, and whether it came true."""
    found = []
    for case in cases:
        ours = [mark for mark in case.systems[OURS] if mark.kind is kind]
        pairs = typed_pairs(ours, case.true, tolerance_ns(HIT_WITHIN_S), [kind])
        right = {id(mark) for mark, _ in pairs}
        found += [(mark, id(mark) in right) for mark in ours]
    return found


def errors_s(cases: Sequence[Case], kind: BoundaryKind) -> list[float]:
    """Absolute errors in time of cuts that were not moved."""
    found = []
    for case in cases:
        pairs = typed_pairs(case.systems[OURS], case.true, tolerance_ns(ERRORS_WITHIN_S), [kind])
        found += [abs(a.t_ns - b.t_ns) / NS_PER_S for a, b in pairs if a.sigma_s <= PRIORS[kind].sigma_s]
    return found


def table(worlds: Mapping[str, Sequence[Case]]) -> None:
    """Print each world's confidence and σ per kind, and the harder of both: that is the table."""
    heads = "".join(f"{name + ': n':>14} {'conf.':>5} {'σ':>6} {'weak n':>6} {'share':>5}" for name in worlds)
    print(f"{'kind':10}{heads}   table")
    for kind in PHYSICAL_KINDS:
        line, confidences, sigmas = f"{kind.value:10}", [], []
        for cases in worlds.values():
            full = [hit for mark, hit in hits(cases, kind) if mark.confidence >= PRIORS[kind].confidence - 1e-9]
            weak = [hit for mark, hit in hits(cases, kind) if mark.confidence < PRIORS[kind].confidence - 1e-9]
            found = errors_s(cases, kind)
            sigma = float(np.percentile(found, COVERED)) if found else 0.0
            line += f"{len(full):14} {share(full):5.2f} {sigma:6.3f} {len(weak):6} {share(weak) / share(full):5.2f}"
            confidences.append(share(full))
            sigmas.append(sigma)
        print(f"{line}   {min(confidences):.3f}, {np.ceil(max(sigmas) * 100 - 1e-6) / 100:.2f}")


def share(came_true: Sequence[bool]) -> float:
    """How often, with one hit and one failure added."""
    return (sum(came_true) + 1) / (len(came_true) + 2)


def check(name: str, cases: Sequence[Case]) -> None:
    """Print how far the table can be believed, for all kinds and each."""
    for kinds in (PHYSICAL_KINDS, *((kind,) for kind in PHYSICAL_KINDS)):
        found = trust(cases, OURS, kinds)
        label = "all kinds" if len(kinds) > 1 else kinds[0].value
        said = [
            f"{value:6.3f}" for value in (found.within_sigma, found.within_two_sigma, found.ece) if value is not None
        ]
        print(f"{name:10} {label:10} {found.pairs:5} {' '.join(said)}")


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or what it is worth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibrate_cuts", description=__doc__)
    parser.add_argument("folder", type=Path, help="simulated episodes: recipe.yaml and truth.json")
    parser.add_argument("--check", action="store_true", help="how well the present table holds")
    given = parser.parse_args(arguments)
    real = simulated(given.folder)
    if not given.check:
        table({"simulated": real, "made": made()})
        return 0
    print(f"{'':10} {'':10} {'pairs':>5} {'1 σ':>6} {'2 σ':>6} {'ECE':>6}")
    check("simulated", real)
    check("made", [case for rate_hz in (20, 30) for case in one_arm(range(10), rate_hz)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
