"""What a workspace holds at the end, and how that differs from what an undisturbed run left.

Published files are compared byte by byte. Below them, every table is compared by what readers see: for each result that
is committed, how many rows the one attempt has that counts. Reasons (`joinery why`) are compared without the parts that
name a run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.commands.terminal import load, opened
from jobs.listing import DISCOVER
from jobs.why import Reasons, why
from pipeline.store import Workspace
from pipeline.tables import TABLES
from schemas.run import Run, WorkDone

ROWS_SHOWN = 3


@dataclass(frozen=True)
class Evidence:
    """What is in a workspace."""

    files: dict[str, str]
    """Published file → SHA-256."""
    rows: dict[tuple[str, str], int]
    """(table, work key) → rows that readers see."""
    keys: frozenset[str]
    """Work keys of committed results."""
    raced: int
    """Work keys that were committed more than once; readers see one of them."""
    reasons: frozenset[str]
    last_outcome: str


@dataclass(frozen=True)
class Verdict:
    """An undisturbed workspace against another."""

    lost: int
    doubled: int
    differing: int
    raced: int
    wrong: tuple[str, ...]
    """What is not as it should be, in words."""


def evidence_of(recipe: Path, workspace: Path, overrides: Sequence[str]) -> Evidence:
    """Read a workspace; ``recipe`` names it."""
    shards = workspace / "shards"
    files = {
        str(path.relative_to(shards)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(shards.rglob("*"))
        if path.is_file() and path.suffix != ".tmp"
    }
    store = Workspace.existing(str(workspace))
    attempts: dict[str, list[str]] = {}
    for row in store.rows(WorkDone):
        if row.stage != DISCOVER:  # each run lists anew
            attempts.setdefault(row.work_key, []).append(row.attempt)
    counts = {min(tries): key for key, tries in attempts.items()}
    rows: Counter[tuple[str, str]] = Counter()
    for record, name in TABLES.items():
        for batch in store.scan(record, columns=["attempt"]):
            rows.update((name, counts[one]) for one in batch.column(0).to_pylist() if one in counts)
    ended = [run for run in store.rows(Run) if run.finished_at]
    return Evidence(
        files,
        dict(rows),
        frozenset(attempts),
        sum(len(set(tries)) > 1 for tries in attempts.values()),
        _reasons(recipe, overrides),
        ended[-1].outcome if ended else "",
    )


def reasons_of(recipe: Path, overrides: Sequence[str]) -> Reasons:
    """What `joinery why` says now."""
    loaded = load(recipe, list(overrides))
    workspace, ledger = opened(loaded)
    return why(workspace, ledger, loaded.recipe, None)


def _reasons(recipe: Path, overrides: Sequence[str]) -> frozenset[str]:
    said = reasons_of(recipe, overrides)
    failures = {f"{each.stage} {each.item} {each.error}" for each in said.failures}
    findings = {f"{each.stage} {each.subject} {each.check} {each.verdict}" for each in said.findings}
    return frozenset(failures | findings)


def compared(undisturbed: Evidence, found: Evidence, *, more_reasons: frozenset[str] = frozenset()) -> Verdict:
    """``more_reasons``: what the fault itself must have left in `why`."""
    lost = undisturbed.keys - found.keys
    strange = found.keys - undisturbed.keys
    keys = {*undisturbed.rows, *found.rows}
    fewer = [key for key in keys if found.rows.get(key, 0) < undisturbed.rows.get(key, 0)]
    more = [key for key in keys if found.rows.get(key, 0) > undisturbed.rows.get(key, 0)]
    names = {*undisturbed.files, *found.files}
    differing = [name for name in sorted(names) if undisturbed.files.get(name) != found.files.get(name)]
    wrong = [
        *_told("results lost", sorted(lost)),
        *_told("results nobody asked for", sorted(strange)),
        *_told("rows lost", fewer),
        *_told("rows doubled", more),
        *_told("files that differ", differing),
        *_told("reasons lost", sorted((undisturbed.reasons | more_reasons) - found.reasons)),
        *_told("reasons too many", sorted(found.reasons - undisturbed.reasons - more_reasons)),
    ]
    return Verdict(len(lost) + len(fewer), len(more) + len(strange), len(differing), found.raced, tuple(wrong))


def _told(what: str, which: Sequence[object]) -> list[str]:
    return [f"{len(which)} {what}: {', '.join(map(str, which[:ROWS_SHOWN]))}"] if which else []
