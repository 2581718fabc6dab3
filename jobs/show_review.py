"""What the ``joinery review`` verbs print."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console

from jobs.review_verify import LogsReport


def logs(out: Console, report: LogsReport, as_json: bool) -> None:
    """Episodes, entries, problems."""
    if as_json:
        out.print(json.dumps(asdict(report)), highlight=False, soft_wrap=True)
        return
    for problem in report.problems:
        out.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{report.n_episodes} episodes, {report.n_entries} entries, {len(report.problems)} problems")
