"""Cards in a terminal: where they were written, what is not stated, what is wrong."""

from __future__ import annotations

from rich.console import Console

from jobs.cards import BuiltCard, CardReport
from jobs.show import print_json


def built(out: Console, card: BuiltCard, as_json: bool) -> None:
    """Where the card is, and what only people can add."""
    if as_json:
        print_json(card)
        return
    for name in card.files:
        out.print(name, highlight=False, soft_wrap=True, markup=False)
    if card.not_stated:
        said = f"not stated: {', '.join(card.not_stated)}"
        out.print(said, style="yellow", highlight=False, soft_wrap=True, markup=False)


def validated(out: Console, report: CardReport, as_json: bool) -> None:
    """One line per problem, then the verdict."""
    if as_json:
        print_json(report)
        return
    for problem in report.problems:
        out.print(problem, style="red", highlight=False, soft_wrap=True, markup=False)
    asked = "" if report.asked_mlcroissant else "; mlcroissant was not asked (not installed, or the set is not local)"
    verdict = f"{len(report.problems)} problems" if report.problems else "card and files agree"
    style = "red" if report.problems else "green"
    out.print(f"{report.shard_set}: {verdict}{asked}", style=style, highlight=False, soft_wrap=True)
