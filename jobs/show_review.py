"""What the ``joinery review`` verbs print."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console

from jobs.review_export import Exported
from jobs.review_follow import Followed
from jobs.review_verify import LogsReport


def logs(out: Console, report: LogsReport, as_json: bool) -> None:
    """Episodes, entries, problems."""
    if as_json:
        out.print(json.dumps(asdict(report)), highlight=False, soft_wrap=True)
        return
    for problem in report.problems:
        out.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{report.n_episodes} episodes, {report.n_entries} entries, {len(report.problems)} problems")


def exported(out: Console, done: Exported, as_json: bool) -> None:
    """What went back, and what the next run does again."""
    if as_json:
        out.print(json.dumps(asdict(done)), highlight=False, soft_wrap=True)
        return
    verb = "would write" if done.dry_run else "wrote"
    out.print(
        f"{verb} {done.path}: {done.events} events of {done.episodes} episodes, at entry {done.at_rev} of the log"
    )
    if done.rejected or done.left_out:
        out.print(f"{done.rejected} events rejected (no samples), {done.left_out} episodes taken out")
    out.print(f"{len(done.changed)} episodes to do again; `joinery run` does them and what stands on them")


def followed(out: Console, done: Followed, as_json: bool) -> None:
    """How many documents changed, and which could not."""
    if as_json:
        out.print(json.dumps(asdict(done)), highlight=False, soft_wrap=True)
        return
    for reason in done.refused:
        out.print(reason, style="yellow", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{done.changed} episodes changed, {done.unchanged} did not, {len(done.refused)} stay as they are")
    out.print(f"{done.suggestions} suggestions beside what people said")
    if done.without_tree:
        out.print(f"{len(done.without_tree)} have no events under this recipe: {', '.join(done.without_tree)}")
