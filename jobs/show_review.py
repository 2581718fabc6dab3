"""What the ``joinery review`` verbs print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from annotators.review.accounts import Account
from jobs.review_agreement import PATH, AgreementReport
from jobs.review_backup import MediaReport, Restored
from jobs.review_export import Exported
from jobs.review_follow import Followed
from jobs.review_formats import TakenIn, Written
from jobs.review_queue import QueueLine
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


def queue(out: Console, lines: Sequence[QueueLine], limit: int, as_json: bool) -> None:
    """A line per episode, and how many are left."""
    if as_json:
        out.print(json.dumps([asdict(line) for line in lines]), highlight=False, soft_wrap=True)
        return
    table = Table()
    for heading in ("episode", "stratum", "risk", "state", "who", "length", "source", "instruction"):
        table.add_column(heading, justify="right" if heading in ("risk", "length") else "left", no_wrap=True)
    for line in lines[:limit]:
        who = ", ".join((*line.finished_by, *(f"{name} …" for name in line.at_work)))
        if line.raters > 1:
            who = f"{who} ({len(line.finished_by)} of {line.raters})".strip()
        shown = (line.episode_id, line.stratum, f"{line.risk:.2f}", line.state, who, f"{line.duration_s:.1f} s")
        table.add_row(*map(escape, (*shown, line.source, line.instruction)))
    out.print(table)
    left = sum(line.state != "done" for line in lines)
    more = f", the first {limit} are shown" if len(lines) > limit else ""
    out.print(f"{left} of {len(lines)} episodes to review{more}")


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


def agreement(out: Console, report: AgreementReport, as_json: bool) -> None:
    """Boundaries and stretches of blind raters and of those who saw the machine's, and the machine's errors."""
    if as_json:
        out.print(json.dumps(report.dumped()), highlight=False, soft_wrap=True)
        return
    table = Table(title=f"{report.shared} episodes that several people finished: F1 of one against another")
    for heading in ("level", "raters", "episodes", "1 picture", "0.1 s", "0.25 s", "0.5 s", "1 s", "tIoU .5", "verbs"):
        table.add_column(heading, justify="left" if heading in ("level", "raters") else "right")
    for level, found in report.by_level["levels"].items():
        for name, group in found["raters"].items():
            if group["episodes"]:
                means = [group["boundary_f1"][key]["mean"] for key in ("1 picture", "0.1 s", "0.25 s", "0.5 s", "1 s")]
                means += [group["segment_f1"]["0.5"]["mean"], group["slots"]["verb"]["share"]]
                row = ("–" if value is None else f"{value:.3f}" for value in means)
                table.add_row(level, name, str(group["episodes"]), *row)
    out.print(table)
    for level, found in report.by_level["levels"].items():
        share = found["machine"]["events"]
        if share["share"] is not None:
            low, high = share["interval_95"]
            said = f"{share['n']} of {share['of']} events wrong: {share['share']:.1%} ({low:.1%} … {high:.1%})"
            out.print(f"audit, {level}: {said}")
    out.print(f"audit: {report.audited} episodes finished; all numbers are in {PATH} of the workspace")


def written(out: Console, done: Written, as_json: bool) -> None:
    """Files of another tool's."""
    if as_json:
        out.print(json.dumps(asdict(done)), highlight=False, soft_wrap=True)
        return
    out.print(f"wrote {done.events} events of {done.files} episodes as {done.format} to {done.out}")


def taken_in(out: Console, done: TakenIn, as_json: bool) -> None:
    """What became of a file."""
    if as_json:
        out.print(json.dumps(asdict(done)), highlight=False, soft_wrap=True)
        return
    for reason in done.refused:
        out.print(f"refused: {reason}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    rows = f"{done.changed_rows} of {done.rows} rows say something new"
    out.print(f"{done.episode_id} at revision {done.base_rev}: {rows}")
    out.print(f"{done.applied} operations applied, {done.conflicts} in conflict, {len(done.refused)} refused")
