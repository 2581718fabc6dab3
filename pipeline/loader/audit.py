"""Realised = target, proven: a load plan held against its shares, and a run's ledgers held against the plan.

Nothing that was measured when the plan was compiled is believed: everything is computed again from the plan's arrays
and from what ranks wrote down step by step. A bound that is exceeded is a failed check that names the worst case; what
has no bound, such as the share of tokens when events are balanced, is reported all the same.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.blobs import Blobs
from pipeline.loader.audit_ledger import Realised, realised
from pipeline.loader.audit_measure import worst_deviation
from pipeline.loader.audit_plan import Subject, plan_checks, subject_of
from pipeline.loader.audit_report import AuditReport, Check
from pipeline.loader.audit_shares import part_of
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.consumption import read_consumption
from pipeline.loader.locations import read_locations
from pipeline.loader.names import SET
from pipeline.loader.plan import LoadPlan


def audit(plan: LoadPlan, ledger: Path | None = None, shards: Blobs | None = None) -> AuditReport:
    """Audit a plan, a run's ledgers when their folder is given, and layout, sources and seconds with a shard set's.

    Raises StoreError when plan or ledgers cannot be read; what is wrong with them otherwise is in the report.
    """
    report = AuditReport(plan.plan_hash, plan.n_steps, plan.header.n_draws)
    report.history = [
        f"{older.plan_hash}: {older.n_steps} steps, {older.kept_steps} kept; {older.why}"
        for older in plan.header.history
    ]
    catalogue, locations = None, None
    if shards is not None:
        catalogue, locations = read_catalogue(shards), read_locations(shards)
        content = json.loads(shards.read(SET))
        report.shard_set_id, report.level = content["shard_set_id"], content.get("level", "")
    read = None if ledger is None else realised(plan, read_consumption(ledger))
    if read is not None:
        _tell(report, read)
        report.checks += _ledger_checks(read)
    for number, chapter in enumerate(plan.header.chapters):
        of = subject_of(plan, number, catalogue, locations)
        if catalogue is not None and of.catalogue is None:
            said = f"compiled from {chapter.n_events} events of {chapter.shard_set_id}, not from these {len(catalogue)}"
            report.checks.append(Check(f"chapter {number}: of this shard set", False, said))
        if not len(of.columns["draw"]):
            continue  # all of it was cut off by a later one
        report.checks += [_named(f"chapter {number}", check) for check in plan_checks(of)]
        report.parts.append(part_of(of, "planned", of.columns))
        if read is not None:
            report.checks += [_named(f"ledger, chapter {number}", check) for check in _read_checks(of, read)]
            columns = read.columns(number)
            if len(columns["draw"]):
                own = {**columns, "cell": of.cell_of[columns["event"]]}
                report.parts.append(part_of(of, "consumed", own))
    return report


def _named(where: str, check: Check) -> Check:
    return replace(check, name=f"{where}: {check.name}")


def _tell(report: AuditReport, read: Realised) -> None:
    report.steps_consumed = read.n_steps
    report.worlds = dict(sorted(Counter(read.worlds).items()))
    report.voided = read.n_voided
    report.substituted = len(read.substitutions)
    costs: Counter[str] = Counter()
    for _, item in read.substitutions:
        costs.update(" ".join(refused) for refused in set(item.refused))
    report.quarantined = dict(sorted(costs.items()))


def _ledger_checks(read: Realised) -> Iterator[Check]:
    begun = ", ".join(name[:16] for name in read.plan_hashes)
    wrong = f"; this plan did not grow from {', '.join(read.strangers)}" if read.strangers else ""
    yield Check("ledger: of this plan", not read.strangers, f"begun with {begun}{wrong}")
    first = f"; {len(read.differences)} differences, first: {read.differences[0]}" if read.differences else ""
    yield Check(
        "ledger: every planned draw read once, by its rank, in its place",
        not read.differences,
        f"{read.n_draws} draws of {read.n_steps} steps{first}",
    )


def _read_checks(of: Subject, read: Realised) -> Iterator[Check]:
    """What was read holds what was planned, substitutes included."""
    columns = read.columns(of.number)
    if not len(columns["draw"]):
        return
    cell = of.cell_of[columns["event"]]
    strangers = np.flatnonzero(cell != columns["planned_cell"])
    first = f", first draw {columns['draw'][strangers[0]]}" if len(strangers) else ""
    swapped = int(columns["substituted"].sum())
    yield Check("substitutes are of their cells", not len(strangers), f"{len(strangers)} of {swapped} are not{first}")
    longer = np.flatnonzero(columns["n_tokens"] > columns["planned_tokens"])
    first = f", first draw {columns['draw'][longer[0]]}" if len(longer) else ""
    yield Check("substitutes fit", not len(longer), f"{len(longer)} of {swapped} are longer than planned{first}")
    worst = worst_deviation(cell, of.cells.mass)
    yield Check(
        "cells at every prefix of what was read",
        worst.value <= of.packed_bound,
        f"at worst {worst.value:.4f} draws off (cell {of.cell(worst.group)} after {worst.prefix}), expected at most "
        f"{of.packed_bound:g}",
    )
