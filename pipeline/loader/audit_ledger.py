"""What ranks wrote down, held against the plan draw by draw."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.loader.consumption import Consumption, Substitution
from pipeline.loader.plan import Arrays, LoadPlan
from schemas.load_plan import PlannedDraw

MAX_DIFFERENCES = 100


@dataclass(frozen=True, eq=False)
class Realised:
    """What was read, in the order of steps, packs and places, whichever rank read it."""

    n_steps: int
    n_draws: int
    worlds: tuple[int, ...]
    n_voided: int
    plan_hashes: tuple[str, ...]
    strangers: tuple[str, ...]
    """Hashes of plans that this one did not grow from."""
    differences: tuple[str, ...]
    """Sentences on draws that are missing, doubled, foreign or with the wrong rank."""
    substitutions: tuple[tuple[int, Substitution], ...]
    rows: NDArray[np.int64]
    """[N, 9]: chapter, draw, event read, cell planned, kind, frames, tokens, tokens planned, substituted."""

    def columns(self, chapter: int) -> Arrays:
        """Of one chapter."""
        rows = self.rows[self.rows[:, 0] == chapter]
        names = ("draw", "event", "planned_cell", "kind", "n_frames", "n_tokens", "planned_tokens", "substituted")
        found: Arrays = {name: rows[:, i + 1] for i, name in enumerate(names)}
        found["substituted"] = found["substituted"].astype(np.bool_)
        return found


def realised(plan: LoadPlan, consumption: Consumption) -> Realised:
    """Go through every step that all ranks have done."""
    differences: list[str] = []
    rows: list[tuple[int, ...]] = []
    chapters = list(plan.header.chapters)
    for step, ranks in enumerate(consumption.steps):
        if step >= plan.n_steps:
            differences.append(f"step {step}: read, but the plan has {plan.n_steps} steps")
            break
        swaps = {item.draw: item for record in ranks for item in record.substitutions}
        read: set[int] = set()
        for rank, record in enumerate(ranks):
            expected = [draw.draw for pack in plan.rank_packs(step, rank, len(ranks)) for draw in pack.draws]
            found = record.draws.tolist()
            read |= set(found)
            if found != expected:
                differences.append(_difference(step, rank, len(ranks), expected, found))
        differences += [f"step {step}: draw {draw} substituted but not read" for draw in sorted(set(swaps) - read)]
        number = chapters.index(plan.chapter(step))
        planned = (draw for pack in plan.step(step) for draw in pack.draws)
        rows += [_row(number, draw, swaps.get(draw.draw)) for draw in planned if draw.draw in read]
    strangers = [name for name in consumption.plan_hashes if not plan.continues(name, 0)]
    return Realised(
        n_steps=len(consumption.steps),
        n_draws=len(rows),
        worlds=consumption.worlds,
        n_voided=consumption.n_voided,
        plan_hashes=consumption.plan_hashes,
        strangers=tuple(strangers),
        differences=tuple(differences[:MAX_DIFFERENCES]),
        substitutions=tuple(consumption.substitutions),
        rows=np.array(rows, np.int64).reshape(-1, 9),
    )


def _row(chapter: int, draw: PlannedDraw, swap: Substitution | None) -> tuple[int, ...]:
    taken: Any = draw if swap is None else swap
    event = draw.event if swap is None else swap.row
    return (
        chapter,
        draw.draw,
        event,
        draw.cell,
        int(taken.kind),
        taken.n_frames,
        taken.n_tokens,
        draw.n_tokens,
        int(swap is not None),
    )


def _difference(step: int, rank: int, world: int, expected: list[int], found: list[int]) -> str:
    where = f"step {step}, rank {rank} of {world}"
    missing, foreign = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    doubled = sorted({draw for draw in found if found.count(draw) > 1})
    said = [
        f"{len(draws)} {what} (first {draws[0]})"
        for what, draws in (("missing", missing), ("not its own", foreign), ("read twice", doubled))
        if draws
    ]
    return f"{where}: {', '.join(said) or 'draws in another order than planned'}"
