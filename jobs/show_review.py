"""What the ``joinery review`` verbs print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from annotators.review.accounts import Account
from jobs.review_backup import MediaReport, Restored
from jobs.review_verify import LogsReport


def logs(out: Console, report: LogsReport, as_json: bool) -> None:
    """Episodes, entries, problems."""
    if as_json:
        out.print(json.dumps(asdict(report)), highlight=False, soft_wrap=True)
        return
    for problem in report.problems:
        out.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{report.n_episodes} episodes, {report.n_entries} entries, {len(report.problems)} problems")


def media(out: Console, report: MediaReport, as_json: bool) -> None:
    """Files, bytes, problems."""
    if as_json:
        out.print(json.dumps(asdict(report)), highlight=False, soft_wrap=True)
        return
    for problem in report.problems:
        out.print(problem, style="red", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{report.n_files} files, {report.n_bytes / 1e6:.1f} MB, {len(report.problems)} problems")


def restored(out: Console, done: Restored, as_json: bool) -> None:
    """What was put back, and where what was there is now."""
    if as_json:
        out.print(json.dumps(asdict(done)), highlight=False, soft_wrap=True)
        return
    out.print(f"put back {done.snapshot}, and {done.replayed} operations that were saved after it", soft_wrap=True)
    if done.aside:
        out.print(f"what was there is now {done.aside}", soft_wrap=True)


def accounts(out: Console, found: Sequence[Account], as_json: bool) -> None:
    """A line per account."""
    if as_json:
        out.print(json.dumps([asdict(account) for account in found]), highlight=False, soft_wrap=True)
        return
    for account in found:
        out.print(f"{account.name}  {account.role}", markup=False, highlight=False)
    if not found:
        out.print("no accounts; one person works on this machine")
