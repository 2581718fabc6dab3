"""How a compiled load plan is printed: what it holds, how full and even it is, how far it strays from its shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from jobs import show
from pipeline.loader.audit_plan import PREFIX_BOUND
from schemas.load_plan import WindowKind

if TYPE_CHECKING:
    from clustering.load_plan.compile import Compiled


def compiled(out: Console, made: Compiled, folder: str, as_json: bool) -> None:
    """The plan, then what was measured on the part that is new."""
    header, realised = made.header, made.realised
    chapter = header.chapters[-1]
    worst, mean = max(realised.imbalances), sum(realised.imbalances) / len(realised.imbalances)
    if as_json:
        show.print_json(
            {
                "plan_hash": header.plan_hash,
                "n_steps": header.n_steps,
                "n_draws": header.n_draws,
                "n_events": chapter.n_events,
                "n_cells": chapter.n_cells,
                "chapters": len(header.chapters),
                "segments": len(header.segments),
                "new_draws": realised.n_draws,
                "new_packs": realised.n_packs,
                "utilisation": realised.utilisation,
                "windows": {kind.name.lower(): int(realised.kinds[kind]) for kind in WindowKind},
                "imbalance_mean": mean,
                "imbalance_max": worst,
                "cell_deviation": realised.cell_deviation,
                "row_deviation": realised.row_deviation,
                "packed_deviation": realised.packed_deviation,
            }
        )
        return
    order, spec = chapter.spec.order, chapter.spec
    rows = show.table("plan", "")
    rows.add_row("steps", f"{header.n_steps:,} of {spec.packs_per_step} packs of {spec.budget:,} tokens")
    rows.add_row("draws", f"{header.n_draws:,}, {realised.n_draws:,} of them new")
    rows.add_row("events, cells", f"{chapter.n_events:,} in {chapter.n_cells:,}")
    shown = ", ".join(f"{realised.kinds[kind] / realised.n_draws:.1%} {kind.name.lower()}" for kind in WindowKind)
    rows.add_row("windows", shown)
    rows.add_row("packs full", f"{realised.utilisation:.2%}")
    rows.add_row("ranks, largest / mean", f"{mean:.3f}, at worst {worst:.3f} ({realised.world} ranks)")
    bound = f"{realised.cell_deviation:.3f} (promised < {PREFIX_BOUND[order]:g})"
    rows.add_row("off target, any prefix", f"cells {bound}, rows {realised.row_deviation:.3f} draws")
    rows.add_row("off target, as packed", f"cells {realised.packed_deviation:.3f} draws")
    rows.add_row("chapters, segments", f"{len(header.chapters)}, {len(header.segments)}")
    out.print(rows)
    for older in header.history:
        said = f"before  {older.plan_hash[:16]}  {older.n_steps} steps, {older.kept_steps} kept; {older.why}"
        out.print(said, markup=False, highlight=False, soft_wrap=True)
    out.print(f"hash  {header.plan_hash}", highlight=False, soft_wrap=True)
    out.print(f"plan  {folder}", highlight=False, soft_wrap=True)
