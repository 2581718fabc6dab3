"""How costs are printed: what was spent, what will be, and one against the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from jobs import show
from jobs.progress import duration

if TYPE_CHECKING:
    from jobs.expenses import Expense, Expenses, RunExpense
    from jobs.forecast import Forecast
    from schemas.recipe_run import Prices

SHOWN_RUNS = 5
LEAST_SHOWN = 0.0001
"""Of money."""


def expenses(out: Console, found: Expenses, prices: Prices | None, run_id: str | None, as_json: bool) -> None:
    """One run stage by stage, then the last runs, then all there is."""
    if as_json:
        show.print_json(document(found))
        return
    if not found.runs:
        out.print("nothing was spent in this workspace yet", highlight=False)
        return
    chosen = next((run for run in found.runs if run.run_id == run_id), found.runs[-1])
    _run(out, chosen, prices)
    runs = show.table("runs", "results", "core time", "processor", "GPU", "sources", "stored", "tokens", _cost(prices))
    for run in found.runs[-SHOWN_RUNS:]:
        runs.add_row(run.run_id, *_cells(run.total))
    if len(found.runs) > 1:
        runs.add_row("all runs", *_cells(found.total), style="bold")
    out.print(runs)
    if found.stored_bytes is not None:
        month = "" if found.price_per_month is None else f", {_money(found.price_per_month)} a month"
        out.print(f"the workspace holds {show.size(found.stored_bytes)}{month}", highlight=False)


def document(found: Expenses) -> dict[str, object]:
    """For machines: the same, with what the tables compute."""
    return {
        "runs": [{"run_id": run.run_id, "stages": [_plain(each) for each in run.stages]} for run in found.runs],
        "stages": [_plain(expense) for expense in found.stages],
        "total": _plain(found.total),
        "workspace_bytes": found.stored_bytes,
        "price_per_month": found.price_per_month,
    }


def summary(out: Console, found: Expenses) -> None:
    """One line, for `joinery status`; nothing where nothing was spent."""
    if not found.runs:
        return
    total = found.total
    parts = [f"{duration(total.took.seconds)} of workers", f"{duration(total.took.cpu_s)} of processors"]
    parts += [f"{duration(total.took.gpu_s)} of GPUs"] if total.took.gpu_s else []
    parts += [f"{show.size(round(total.took.stored_bytes))} stored"]
    parts += [] if total.price is None else [f"at {_money(total.price)}"]
    out.print(f"spent so far: {', '.join(parts)}; more: joinery costs RECIPE", highlight=False, soft_wrap=True)


def forecast(out: Console, made: Forecast, prices: Prices | None) -> None:
    """What is to be expected, and on what grounds; nothing where nothing is left to do."""
    if not made.stages:
        return
    rows = show.table("to expect", "items", "core time", "processor", "GPU", "sources", "stored", "tokens", "as")
    for each in made.stages:
        amounts = (each.seconds, each.cpu_s, each.gpu_s)
        tokens = each.prompt_tokens + each.completion_tokens
        sizes = (_size(each.source_bytes), _size(each.stored_bytes), f"{tokens:,}" if tokens else "–")
        grounds = "measured here" if each.basis == "workspace" else "in the demo"
        rows.add_row(each.stage, f"{each.items:,}", *map(_time, amounts), *sizes, grounds)
    out.print(rows)
    total = made.total
    alone = f"{duration(total.seconds)} of workers"
    spread = f", {duration(total.seconds / made.workers)} with {made.workers} at a time" if made.workers else ""
    cost = "" if made.price is None else f"; {_money(made.price)}{_currency(prices)}"
    out.print(f"to expect: {alone}{spread}{cost}", highlight=False, soft_wrap=True)
    if any(each.basis == "shipped" for each in made.stages):
        said = "figures of the demo are right about the order of magnitude at best; after a run its own are used"
        out.print(said, style="dim", highlight=False, soft_wrap=True)


def _run(out: Console, run: RunExpense, prices: Prices | None) -> None:
    columns = ("items", "core time", "processor", "GPU", "sources", "stored", "tokens", _cost(prices), "of expected")
    rows = show.table(f"run {run.run_id}", *columns)
    for expense in run.stages:
        rows.add_row(expense.stage, *_cells(expense), _ratio(expense.times_expected))
    rows.add_row("all", *_cells(run.total), _ratio(_overall(run.stages)), style="bold")
    out.print(rows)


def _overall(stages: Sequence[Expense]) -> float | None:
    """Of stages of which something was expected: what they took over what was expected."""
    known = [expense for expense in stages if expense.expected is not None]
    expected = sum(expense.expected.seconds for expense in known if expense.expected is not None)
    return sum(expense.took.seconds for expense in known) / expected if expected > 0 else None


def _cells(expense: Expense) -> list[str]:
    took = expense.took
    tokens = round(took.prompt_tokens + took.completion_tokens)
    items = f"{expense.items:,}" + (f" + {expense.failed:,} failed" if expense.failed else "")
    cost = "–" if expense.price is None else _money(expense.price)
    sizes = (_size(took.source_bytes), _size(took.stored_bytes), f"{tokens:,}" if tokens else "–")
    return [items, *map(_time, (took.seconds, took.cpu_s, took.gpu_s)), *sizes, cost]


def _plain(expense: Expense) -> dict[str, object]:
    return {**vars(expense), "times_expected": expense.times_expected}


def _time(seconds: float) -> str:
    return duration(seconds) if seconds else "–"


def _size(n_bytes: float) -> str:
    return show.size(round(n_bytes)) if n_bytes else "–"


def _ratio(times: float | None) -> str:
    return "–" if times is None else f"{times:.2f} ×"


def _money(amount: float) -> str:
    if 0 < amount < LEAST_SHOWN:
        return f"< {LEAST_SHOWN:g}"
    return f"{amount:,.2f}" if amount >= 1 or not amount else f"{amount:.4f}"


def _cost(prices: Prices | None) -> str:
    return f"cost{_currency(prices)}"


def _currency(prices: Prices | None) -> str:
    return f" {prices.currency}" if prices is not None and prices.currency else ""
