"""How the ledger of calls to models is printed: nothing where no model was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from jobs import show

if TYPE_CHECKING:
    from jobs.costs import Cost, Costs

SHOWN_RUNS = 5


def costs(out: Console, found: Costs) -> None:
    """Sources, then the last runs. Prints nothing when no model has been asked."""
    for what, rows in (("source", found.sources), ("run", found.runs[-SHOWN_RUNS:])):
        if rows:
            _table(out, what, rows)


def run_costs(out: Console, found: Costs, run_id: str) -> None:
    """One line on what one run has cost; nothing when it asked no model."""
    for cost in found.runs:
        if cost.name == run_id:
            known = f"{cost.cached} more were known" if cost.cached else "none was known"
            lost = f", {cost.without_answer} without an answer" if cost.without_answer else ""
            tokens = f"{cost.tokens:,} tokens ({cost.per_hour(cost.tokens):,.0f} per hour of video)"
            out.print(f"models:  {cost.calls} calls, {tokens}; {known}{lost}", highlight=False, soft_wrap=True)


def _table(out: Console, what: str, costs_of: tuple[Cost, ...]) -> None:
    counts = ("calls", "known", "no answer", "repeated", "tokens in", "tokens out")
    table = show.table(f"models, by {what}", *counts, "video h", "calls/h", "tokens/h")
    for cost in costs_of:
        lost, tokens = (cost.without_answer, cost.repeated), (cost.prompt_tokens, cost.completion_tokens)
        numbers = (f"{number:,}" for number in (cost.calls, cost.cached, *lost, *tokens))
        rates = (f"{cost.video_hours:.2f}", f"{cost.per_hour(cost.calls):,.0f}", f"{cost.per_hour(cost.tokens):,.0f}")
        table.add_row(cost.name or "(not listed now)", *numbers, *rates)
    out.print(table)
