"""Stage ``balance``: how much of training each cell gets, with the proof that it is optimal.

Reads only counts: memory grows with the number of filled cells, not of events. Only training events count; what is
held out keeps its natural mix.

The programme is about shares π of the unit (events, seconds or latent frames); draws are what is scheduled. Used r_c =
π_c·S/s_c times each, the n_c events of a cell give n_c·r_c draws; divided by D, the sum over all cells, that is the
cell's share of draws. An epoch of the corpus's own size has D draws (N where the unit is events). In it r_c is the
number of uses, and that is what balance.floor and balance.repeat_cap bound.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from clustering.bregman import InfeasibleError
from clustering.contradictions import refuse_single, refused_together
from clustering.instance import Instance, instance_of
from clustering.programme import Balance, Problem, Vector, solve
from clustering.report import limited_shares, uses
from clustering.spread import spreads
from clustering.strata import Strata, count_strata
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import Membership
from schemas.identity import canonical_json, make_id
from schemas.plan import Cell, CurriculumStep, SamplingPlan
from schemas.recipe_balance import BalanceSpec


@dataclass(frozen=True, eq=False)
class Share:
    """A solution in draws: over all cells, those without mass included."""

    solution: Balance
    uses: Vector
    """[C] expected uses of one event in an epoch of the corpus's own size."""
    n_draws: float
    """D: draws of such an epoch."""
    mass: Vector
    """[C] share of draws."""
    unit_mass: Vector
    """[C] π."""


def balance(strata: Strata, spec: BalanceSpec) -> SamplingPlan:
    """The plan for these kinds of training events. None: a plan of no draws.

    Raises `clustering.errors.BalanceError` when no mass meets the recipe's limits, naming those that contradict the
    corpus or each other, or when γ is too small for the solver.
    """
    if len(strata) == 0:
        return _empty_plan(spec)
    instance = instance_of(strata, spec)
    shares = solve_all(instance, spec)
    cells, last = instance.cells, shares[-1]
    natural_draws = float(np.mean([share.n_draws for share in shares]))
    n_draws = spec.epoch_draws or round(natural_draws)
    ends = np.rint(np.cumsum([share.n_draws for share in shares]) / len(shares) * n_draws / natural_draws)
    lengths = np.diff(ends.astype(np.int64), prepend=0)
    uses_c = np.mean([share.uses for share in shares], axis=0)
    mass = np.average([share.mass for share in shares], axis=0, weights=lengths) if n_draws else last.mass
    unit_mass = np.mean([share.unit_mass for share in shares], axis=0)
    rows = _cells(instance, mass, natural_draws, spec)
    steps = tuple(
        CurriculumStep(
            int(length),
            share.solution.problem.alpha,
            share.solution.problem.beta,
            share.solution.kkt_residual,
            tuple(share.mass.tolist()),
        )
        for share, length in zip(shares, lengths, strict=True)
    )
    return SamplingPlan(
        plan_id=_plan_id(rows, steps, spec),
        level=str(spec.level),
        n_events=int(cells.n_events.sum()),
        n_draws=n_draws,
        cells=rows,
        objective=last.solution.objective,
        kkt_residual=max(share.solution.kkt_residual for share in shares),
        iterations=sum(share.solution.iterations for share in shares),
        effective_sample_size=1.0 / float(np.sum(mass**2 / cells.n_events)),
        max_uses=float(uses_c.max()),
        before=spreads(strata, strata.natural),
        after=spreads(strata, _of_strata(strata, instance, unit_mass)),
        method=spec.method.by,
        unit=spec.unit,
        uses=uses(strata, uses_c[instance.cell_of], n_draws / natural_draws),
        limits=limited_shares(instance, [share.solution for share in shares]),
        steps=steps if spec.curriculum_steps else (),
    )


def solve_all(instance: Instance, spec: BalanceSpec) -> list[Share]:
    """The optimum, or with a curriculum that of each step, each with its own certificate."""
    refuse_single(instance, spec)
    shares: list[Share] = []
    for rise in [1.0] if spec.curriculum_steps is None else np.linspace(0.0, 1.0, spec.curriculum_steps).tolist():
        try:
            solution = solve(_risen(instance.problem, rise), shares[-1].solution.mass if shares else None)
        except InfeasibleError:
            raise refused_together(instance, spec) from None
        unit_mass = instance.spread_out(solution.mass)
        used = unit_mass / instance.cells.natural
        draws = instance.cells.n_events * used
        shares.append(Share(solution, used, float(draws.sum()), draws / draws.sum(), unit_mass))
    return shares


def _risen(problem: Problem, rise: float) -> Problem:
    """The problem with α and β at this part of their height."""
    return replace(problem, alpha=rise * problem.alpha, beta=rise * problem.beta)


def _of_strata(strata: Strata, instance: Instance, unit_mass: Vector) -> Vector:
    """[S] each stratum's part of its cell: all events of a cell are used alike."""
    part: Vector = strata.units / instance.cells.units[instance.cell_of]
    return unit_mass[instance.cell_of] * part


def _cells(instance: Instance, mass: Vector, natural_draws: float, spec: BalanceSpec) -> tuple[Cell, ...]:
    cells, problem = instance.cells, instance.problem
    per_draw = cells.n_events / natural_draws
    low, high = (instance.spread_out(bound / problem.natural) * per_draw for bound in (problem.lower, problem.upper))
    columns = (
        cells.vision_language.tolist(),
        cells.action.tolist(),
        cells.n_events.tolist(),
        mass.tolist(),
        low.tolist(),
        np.minimum(high, 1.0).tolist(),
        cells.source.tolist(),
        [bool(flag) if spec.recovery is not None else None for flag in cells.recovery],
        (cells.units / cells.n_events * (1e-9 if spec.unit == "second" else 1.0)).tolist(),
    )
    return tuple(Cell(*values) for values in zip(*columns, strict=True))


def _empty_plan(spec: BalanceSpec) -> SamplingPlan:
    return SamplingPlan(
        _plan_id((), (), spec), str(spec.level), 0, 0, (), 0.0, 0.0, 0, 0.0, 0.0, (), (), spec.method.by, spec.unit
    )


def _plan_id(cells: tuple[Cell, ...], steps: tuple[CurriculumStep, ...], spec: BalanceSpec) -> str:
    """Identity of a plan: what was asked and what came out, bit for bit."""
    contents = [
        [cell.vision_language, cell.action, cell.source, cell.recovery, cell.n_events, cell.mass.hex()]
        for cell in cells
    ]
    moving = [[step.n_draws, *(mass.hex() for mass in step.masses)] for step in steps] if len(steps) > 1 else []
    return make_id("pl", canonical_json(spec.model_dump(mode="json")), canonical_json(contents), canonical_json(moving))


def run(bundle: Bundle, spec: BalanceSpec) -> Iterable[object]:
    """One plan for the corpus."""
    return [balance(count_strata(bundle.stream(Membership), spec), spec)]


STAGE = Stage(
    name="balance",
    version=2,
    scope=Scope.CORPUS,
    reads=(Read(Membership, "dedup"),),
    writes=(SamplingPlan,),
    recipe_slice=lambda recipe: recipe.balance,
    run=run,
)
