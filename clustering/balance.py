"""Stage ``balance``: how much of training each (vision-language, action) cell gets, with the proof that it is optimal.

Reads only counts: memory grows with the number of filled cells, not of events. Only training events count; what is
held out keeps its natural mix.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

from clustering.programme import solve
from clustering.spread import spread_of, spreads
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Membership, Split
from schemas.identity import canonical_json, make_id
from schemas.plan import Cell, SamplingPlan, Spread
from schemas.recipe import BalanceSpec


def count_cells(batches: Iterable[list[Membership]]) -> Counter[tuple[int, int]]:
    """Training events that are no copies, per (vision-language, action) cell."""
    counts: Counter[tuple[int, int]] = Counter()
    for batch in batches:
        kept = (item for item in batch if item.kept and item.split is Split.TRAIN)
        counts.update((item.vision_language, item.action) for item in kept)
    return counts


def balance(counts: Mapping[tuple[int, int], int], spec: BalanceSpec) -> SamplingPlan:
    """The plan for filled cells with these many training events. No cells: a plan of no draws.

    Raises `clustering.errors.BalanceError` as `clustering.programme.solve` does.
    """
    if not counts:
        return _empty_plan(spec)
    cells = sorted(counts)
    n = np.array([counts[cell] for cell in cells], np.int64)
    v, a = np.array(cells, np.int64).T
    solution = solve(n, v, a, spec)
    problem = solution.problem
    columns = (array.tolist() for array in (v, a, n, solution.mass, problem.lower, problem.upper))
    rows = tuple(Cell(*values) for values in zip(*columns, strict=True))
    n_events = int(n.sum())
    return SamplingPlan(
        plan_id=_plan_id(rows, spec),
        level=str(spec.level),
        n_events=n_events,
        n_draws=spec.epoch_draws or n_events,
        cells=rows,
        objective=solution.objective,
        kkt_residual=solution.kkt_residual,
        iterations=solution.iterations,
        effective_sample_size=solution.effective_sample_size,
        max_uses=solution.max_uses,
        before=spreads(problem, problem.natural),
        after=spreads(problem, solution.mass),
    )


def _empty_plan(spec: BalanceSpec) -> SamplingPlan:
    nothing: tuple[Spread, ...] = tuple(spread_of(axis, np.zeros(0)) for axis in ("vision_language", "action", "cell"))
    return SamplingPlan(_plan_id((), spec), str(spec.level), 0, 0, (), 0.0, 0.0, 0, 0.0, 0.0, nothing, nothing)


def _plan_id(cells: tuple[Cell, ...], spec: BalanceSpec) -> str:
    """Identity of a plan: what was asked and what came out, bit for bit."""
    contents = [[cell.vision_language, cell.action, cell.n_events, cell.mass.hex()] for cell in cells]
    return make_id("pl", canonical_json(spec.model_dump(mode="json")), canonical_json(contents))


def run(bundle: Bundle, spec: BalanceSpec) -> list[object]:
    """One plan for the corpus."""
    return [balance(count_cells(bundle.stream(Membership)), spec)]


STAGE = Stage(
    name="balance",
    version=1,
    scope=Scope.CORPUS,
    reads=(Read(Membership, "dedup"),),
    writes=(SamplingPlan,),
    recipe_slice=lambda recipe: recipe.balance,
    run=run,
)
