"""What ``joinery gc``, ``backup``, ``restore`` and ``upgrade`` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jobs.show import print_json, size, table
from schemas.backup import Backup

if TYPE_CHECKING:
    from jobs.backup import Made
    from jobs.gc import Collected
    from jobs.upgrade import Upgraded
    from pipeline.upkeep.restore import Restored

_LONGEST = 60


def collected(out: Console, result: Collected, recipe: Path, as_json: bool) -> None:
    """What went, by kind, with its bytes."""
    if as_json:
        print_json(result)
        return
    verb = "would be removed" if result.dry_run else "removed"
    rows = table(verb, "number", "bytes")
    if result.n_results:
        rows.add_row("superseded results", f"{result.n_results:,}", "")
    for dead in result.rows:
        rows.add_row(f"rows of {dead.table} that no result owns", f"{dead.n_rows:,}", f"about {size(dead.n_bytes)}")
    for pile in result.piles:
        rows.add_row(pile.kind, f"{pile.n_files:,}", size(pile.n_bytes))
    if rows.row_count:
        out.print(rows)
    said = f"{verb}: {len(result.paths):,} files, {size(result.n_bytes)}" if result.paths else f"no file {verb}"
    line(out, said, None if result.dry_run else "green")
    if result.waiting_bytes:
        line(out, f"{size(result.waiting_bytes)} more will go once they are older (--older-than 0s: now)")
    if result.dry_run:
        line(out, f"dry run: nothing was changed; next    joinery gc {recipe}")


def backed_up(out: Console, result: Made, url: str, as_json: bool) -> None:
    """What the backup holds, and what of it was copied."""
    made = result.made
    if as_json:
        print_json(
            {**made.backup.model_dump(), "copied": made.n_copied, "copied_bytes": made.copied_bytes}
            | {"known": made.n_known, "removed": list(result.removed)}
        )
        return
    whole = f"{made.backup.n_files:,} files, {size(made.backup.n_bytes)}"
    line(out, f"backup {made.backup.name}: {whole}", "green")
    line(out, f"copied: {made.n_copied:,} contents, {size(made.copied_bytes)}, each read back; {made.n_known:,} known")
    for name in result.removed:
        line(out, f"removed: backup {name}")
    line(out, f"next    joinery restore {url} --check")


def backups(out: Console, there: Sequence[Backup], as_json: bool) -> None:
    """One line each, oldest first."""
    if as_json:
        print_json([backup.model_dump() for backup in there])
        return
    rows = table("backup", "files", "size", "joinery", "workspace")
    for backup in there:
        rows.add_row(backup.name, f"{backup.n_files:,}", size(backup.n_bytes), backup.joinery, backup.workspace)
    out.print(rows)


def restored(out: Console, result: Restored, to: str | None, as_json: bool) -> None:
    """What was read; every damaged file by name."""
    if as_json:
        print_json(
            {"backup": result.backup.name, "n_files": result.n_files, "n_bytes": result.n_bytes, "to": to}
            | {"problems": list(result.problems), "forgotten_since": list(result.forgotten_since)}
        )
        return
    for problem in result.problems:
        line(out, f"DAMAGED: {problem}", "bold red")
    seen = f"{result.n_files:,} files, {size(result.n_bytes)}"
    if result.problems:
        line(out, f"backup {result.backup.name}: {len(result.problems)} of {seen} are damaged", "red")
        line(out, "what the workspace still has comes back: remove the objects named, and run `joinery backup` again")
        return
    if to is None:
        line(out, f"backup {result.backup.name} is whole: {seen} read and compared", "green")
        return
    line(out, f"restored {result.backup.name} to {to}: {seen}, each compared", "green")
    for entry in result.forgotten_since:
        line(out, f"forgotten since: {entry} of a later backup; run `joinery forget` for it again", "yellow")
    line(out, f"next    joinery verify RECIPE --set workspace.url={to}")


_SAID = {
    "made": "table {0}: this version has it too; made, empty",
    "filled": "table {0}: {1:,} rows stay; {2}",
    "emptied": "table {0}: {1:,} rows cannot be carried over and are left behind; {2}",
    "impossible": "table {0}: {1:,} rows that no run can make anew; {2}",
}


def upgraded(out: Console, result: Upgraded, recipe: Path, as_json: bool) -> None:
    """Table by table what differs and what becomes of it."""
    if as_json:
        print_json(result)
        return
    for step in result.steps:
        because = (
            "; ".join(
                f"{change.column}: found {_short(change.found)}, expected {_short(change.expected)}"
                + (f", filled with {step.values[change.column]!r}" if change.column in step.values else "")
                for change in step.changes
            )
            or "columns in another order"
        )
        line(
            out, _SAID[step.deed].format(step.table, step.n_rows, because), "red" if step.deed == "impossible" else None
        )
    if result.impossible:
        line(out, "cannot be carried over: use the version of Joinery that wrote it, or a new workspace", "red")
        return
    if not result.steps:
        line(out, "all tables are as this version writes them", "green")
        return
    if result.n_anew:
        line(out, f"{result.n_anew:,} results have to be made anew; published sets stay as they are")
    if result.dry_run:
        line(out, f"dry run: nothing was changed; next    joinery upgrade {recipe}")
    else:
        line(out, f"upgraded: next    joinery run {recipe}", "green")


def _short(kind: str) -> str:
    """A type as one reads it."""
    return "nothing" if not kind else kind if len(kind) <= _LONGEST else f"{kind[:_LONGEST]}…"


def line(out: Console, text: str, style: str | None = None) -> None:
    """One line, as it is."""
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
