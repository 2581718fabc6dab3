"""Every floor for boundaries beside what is measured: ``python -m benchmarks.events FOLDER [--lagged FOLDER]``.

FOLDER holds simulated episodes (docs/sim_truth.md), of odd seeds if the numbers are to mean anything; ``--lagged`` the
same ones with ``--lag 100``. Both are run through the real stages into a workspace inside them, so a second call only
scores. Made-up episodes come on top. Fails when a floor is not reached.

A new row is one `Row` in the function of its group, or a new group in `groups`.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from annotators.scores.baselines import GRIPPER, UNIFORM
from annotators.scores.marks import OURS, Case
from annotators.scores.ratios import f1_at, ratios, segment_f1_at, typed_f1_at
from annotators.scores.recoveries import recovery_scores
from annotators.scores.trust import kind_scores, trust
from benchmarks.made_cases import one_arm, pushes, two_arms
from data_cards.registry import bundled_cards
from jobs.progress import LineReporter
from jobs.river import RIVER
from jobs.run import run_recipe
from jobs.score import ARMS, cases_of, read_truth
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.event import BoundaryKind, Level, RecoveryKind
from schemas.recipe_file import load_recipe
from schemas.truth import PHYSICAL_KINDS

NON_PREHENSILE = frozenset({"drawer-open", "window-open", "button-press"})
"""Development tasks without a grasp."""


@dataclass(frozen=True)
class Row:
    """One measured number, the floor under it (or the ceiling above it), and what baselines reach."""

    what: str
    measured: float | None
    floor: float | None = None
    at_most: bool = False
    uniform: float | None = None
    gripper: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the floor holds; a number without a floor always does, a floor without a number never."""
        if self.floor is None:
            return True
        if self.measured is None:
            return False
        return self.measured <= self.floor if self.at_most else self.measured >= self.floor


def scored(what: str, cases: Sequence[Case], metric: str, floor: float | None = None) -> Row:
    """A pooled metric of ours, and the same of baselines, which get the untyped one where ours is typed."""
    theirs = metric.removeprefix("typed_")
    return Row(
        what,
        of(cases, OURS, metric),
        floor,
        uniform=of(cases, UNIFORM, theirs),
        gripper=of(cases, GRIPPER, theirs),
    )


def of(cases: Sequence[Case], system: str, metric: str) -> float | None:
    """One system's pooled ratio; None where there is nothing to divide by."""
    parts = [ratios(case, case.systems[system], PHYSICAL_KINDS)[metric] for case in cases]
    denominator = sum(part[1] for part in parts)
    return sum(part[0] for part in parts) / denominator if denominator else None


def made_rows() -> Iterator[Row]:
    """Made-up grasps with one arm and with two."""
    for rate_hz in (30, 20):
        cases = list(one_arm(range(20), rate_hz))
        yield scored(f"made, {rate_hz} Hz: typed F1@.1", cases, typed_f1_at(0.1), 0.98)
    pairs = list(two_arms(range(10), 30))
    yield scored("made, two arms, 30 Hz: typed F1@.1", pairs, typed_f1_at(0.1), 0.95)
    yield scored("made, two arms, 30 Hz: F1@.25 of any kind", pairs, f1_at(0.25), 0.95)
    yield scored("made pushes, 20 Hz: typed F1@.25", list(pushes(range(10), 20)), typed_f1_at(0.25))


def grasp_rows(cases: Sequence[Case]) -> Iterator[Row]:
    """Simulated tasks with a grasp."""
    yield scored("grasps: typed F1@.1", cases, typed_f1_at(0.1), 0.80)
    yield scored("grasps: typed F1@.25", cases, typed_f1_at(0.25), 0.86)
    yield scored("grasps: segment F1@.75", cases, segment_f1_at(0.75), 0.70)
    for score in recovery_scores(cases):
        again = score.kind is RecoveryKind.REGRASP
        yield Row(f"episodes with {score.kind}: precision", score.precision, 0.95 if again else None)
        yield Row(f"episodes with {score.kind}: recall ({score.true})", score.recall, 0.88 if again else None)
    for kind in kind_scores(cases, OURS, PHYSICAL_KINDS):
        floor = 0.70 if kind.kind is BoundaryKind.SUPPORT else None
        yield Row(f"{kind.kind} ({kind.true}): F1@.25", kind.f1["0.25"], floor)
    failed = [case for case in cases if case.slices["outcome"] == "failure"]
    true = sum(len(case.true) for case in failed)
    yield scored(f"failed episodes ({len(failed)}, {true} boundaries): typed F1@.25", failed, typed_f1_at(0.25), 0.70)
    for task in sorted({case.slices["task"] for case in cases}):
        members = [case for case in cases if case.slices["task"] == task]
        yield scored(f"{task}: typed F1@.25", members, typed_f1_at(0.25))
    sure = trust(cases, OURS, PHYSICAL_KINDS)
    yield Row("errors within σ", sure.within_sigma)
    yield Row("errors within 2 σ", sure.within_two_sigma)
    yield Row("expected calibration error", sure.ece)


def push_rows(cases: Sequence[Case]) -> Iterator[Row]:
    """Simulated tasks in which something is moved without a hold."""
    yield scored("without a hold: F1@.1 of any kind", cases, f1_at(0.1))
    yield scored("without a hold: F1@.25 of any kind", cases, f1_at(0.25), 0.55)
    yield scored("without a hold: F1@.5 of any kind", cases, f1_at(0.5))
    yield scored("without a hold: segment F1@.75", cases, segment_f1_at(0.75))
    for kind in kind_scores(cases, OURS, (BoundaryKind.CONTACT, BoundaryKind.RETREAT)):
        yield Row(f"without a hold: {kind.kind} ({kind.true}): F1@.25", kind.f1["0.25"])
    for task in sorted({case.slices["task"] for case in cases}):
        members = [case for case in cases if case.slices["task"] == task]
        yield scored(f"{task}: typed F1@.25", members, typed_f1_at(0.25))


def lag_rows(plain: Sequence[Case], lagged: Sequence[Case]) -> Iterator[Row]:
    """What 100 ms between rows and pictures cost after align, on the episodes that both kept."""
    both = {case.name for case in plain} & {case.name for case in lagged}
    before, after = ([case for case in cases if case.name in both] for cases in (plain, lagged))
    yield Row("episodes without lag", float(len(plain)))
    yield Row("episodes kept with and without lag", float(len(both)))
    for metric in (typed_f1_at(0.1), typed_f1_at(0.25)):
        without, with_lag = of(before, OURS, metric), of(after, OURS, metric)
        if without is not None and with_lag is not None:
            yield Row(f"lag of 100 ms: loss of {metric}", without - with_lag, 0.01, at_most=True)


def groups(folder: Path, lagged: Path | None) -> Iterator[Iterator[Row]]:
    """All rows there are."""
    yield made_rows()
    plain = simulated(folder)
    yield grasp_rows([case for case in plain if case.slices["task"] not in NON_PREHENSILE])
    yield push_rows([case for case in plain if case.slices["task"] in NON_PREHENSILE])
    if lagged is not None:
        yield lag_rows(plain, simulated(lagged))


def simulated(folder: Path) -> list[Case]:
    """The cases of simulated episodes that were kept, cut by the real stages."""
    loaded = load_recipe(
        folder / "recipe.yaml", ["run.executor=inline", f"workspace.url={folder / 'workspace'}"], bundled_cards()
    )
    run_recipe(loaded, LineReporter(lambda _: None))
    workspace = Workspace.existing(loaded.recipe.workspace.url, loaded.recipe.workspace.storage)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    _, found, unscored = cases_of(workspace, ledger, loaded.recipe, read_truth(folder / "truth.json"), Level.ACTION)
    for left_out in unscored:
        print(f"{left_out.source}: {left_out.locator}: {left_out.reason}", file=sys.stderr)
    return found[ARMS]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when a floor is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events", description=__doc__)
    parser.add_argument("folder", type=Path, help="simulated episodes: recipe.yaml and truth.json")
    parser.add_argument("--lagged", type=Path, help="the same episodes, made with --lag 100")
    given = parser.parse_args(arguments)
    print(f"{'':58} {'ours':>6} {'floor':>6} {'':6} {'uniform':>7} {'gripper':>7}")
    reached = True
    for group in groups(given.folder, given.lagged):
        for row in group:
            print(_line(row), flush=True)
            reached &= row.reached
    return 0 if reached else 1


def _line(row: Row) -> str:
    def number(value: float | None, width: int) -> str:
        return f"{'' if value is None else f'{value:.3f}':>{width}}"

    verdict = "" if row.floor is None else ("ok" if row.reached else "MISSED")
    said = f"{row.what:58} {number(row.measured, 6)} {number(row.floor, 6)} {verdict:6}"
    return f"{said} {number(row.uniform, 7)} {number(row.gripper, 7)}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
