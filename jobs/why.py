"""``joinery why``: every reason something was left out, trimmed, doubted or quarantined, with value and threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.listing import DISCOVER
from jobs.past_runs import newest_of, past_runs
from jobs.river import RIVER
from pipeline.errors import JoineryError
from pipeline.forget.takedowns import read_takedowns
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.finding import Failure, Finding, Verdict
from schemas.recipe import Recipe
from schemas.run import WorkDone
from schemas.source import EpisodeRef
from schemas.takedown import takedown_path

CHUNK = 256


@dataclass(frozen=True)
class Reasons:
    """What is known against (or worth knowing about) a subject."""

    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    locators: dict[str, str]
    """Episode id → ``source: locator`` of the copy that is used, for readable output."""
    failed_run: str = ""
    """Why the last run failed as a whole, or that it never said how it ended; empty unless one of these is so."""


def why(workspace: Workspace, ledger: Ledger, recipe: Recipe, subject: str | None) -> Reasons:
    """Findings and failures of one source or episode (prefixes and locators work), or of everything.

    Raises JoineryError when ``subject`` names nothing that is listed.
    """
    listed = _listed(workspace)
    locators: dict[str, str] = {}
    for episode, locator in listed:
        locators.setdefault(episode, locator)
    sources = {source.name for source in recipe.sources}
    taken_down = [] if subject is None else _taken_down(workspace, subject)
    if taken_down:
        return Reasons(tuple(taken_down), (), {}, "")
    wanted = None if subject is None else _wanted(subject, sources, listed)
    findings = [
        finding
        for finding in _findings(workspace, ledger)
        if wanted is None or finding.subject in wanted or finding.source in wanted
    ]
    order = [Verdict.DROP, Verdict.TRIM, Verdict.KEEP]
    findings.sort(
        key=lambda f: (f.source, order.index(f.verdict), f.check, locators.get(f.subject, ""), f.start_ns or 0)
    )
    failures = [
        failure
        for failure in current_failures(workspace, ledger)
        if wanted is None or failure.item in wanted or failure.source in wanted
    ]
    return Reasons(tuple(findings), tuple(failures), locators, _failed_run(workspace))


def _taken_down(workspace: Workspace, subject: str) -> list[Finding]:
    """What the takedown list says of an episode: it is in no table any more."""
    entries = read_takedowns(workspace.blobs).by_id.values()
    named = [entry for entry in entries if subject.startswith("ep-") and entry.episode_id.startswith(subject)]
    return [
        Finding(
            subject=entry.episode_id,
            source="",
            stage=DISCOVER,
            check="forgotten",
            verdict=Verdict.DROP,
            message=(
                f"taken down on {entry.at}{f' ({entry.reason})' if entry.reason else ''}; "
                + ("removal is proven" if entry.proof else "removal is not proven yet: repeat `joinery forget`")
                + f" ({takedown_path(entry.episode_id)})"
            ),
        )
        for entry in named
    ]


def _failed_run(workspace: Workspace) -> str:
    last = next(iter(past_runs(workspace)), None)
    if last is None or (last.finished_at and last.outcome != "failed"):
        return ""
    if last.finished_at:
        return last.message
    return (
        f"run {last.run_id} began and has not said how it ended: it is still at work, or it was killed or lost its "
        "store. What it committed is kept; `joinery run` goes on from there"
    )


def current_failures(workspace: Workspace, ledger: Ledger) -> list[Failure]:
    """The quarantine under the present recipe and listing: one failure per item and stage, the latest."""
    open_keys = {key for stage in RIVER for key in ledger.quarantined_keys(stage.name)}
    latest = {failure.work_key: failure for failure in workspace.rows(Failure) if failure.work_key in open_keys}
    return sorted(latest.values(), key=lambda failure: (failure.source, failure.stage, failure.item))


def _findings(workspace: Workspace, ledger: Ledger) -> Iterator[Finding]:
    """Findings of the last listing and of every stage's present results."""
    attempts = _last_listing(workspace)
    for stage in RIVER:
        if Finding in stage.writes:
            attempts += [attempt for _, attempt in ledger.done_attempts(stage.name)]
    for i in range(0, len(attempts), CHUNK):
        for rows in workspace.read(Finding, attempts[i : i + CHUNK]).values():
            yield from rows


def _last_listing(workspace: Workspace) -> list[str]:
    done = workspace.rows(WorkDone, f"stage = '{DISCOVER}'")
    last = newest_of(workspace, {row.run_id for row in done})
    return [row.attempt for row in done if row.run_id == last]


def _listed(workspace: Workspace) -> list[tuple[str, str]]:
    """(episode id, ``source: locator``) of everything listed; of copies the one `Ledger` keeps comes first."""
    rows = workspace.scan(EpisodeRef, columns=["episode_id", "source", "locator"]).read_all().to_pylist()
    rows.sort(key=lambda row: (row["source"], row["locator"]))
    return [(row["episode_id"], f"{row['source']}: {row['locator']}") for row in rows]


def _wanted(subject: str, sources: set[str], listed: list[tuple[str, str]]) -> set[str]:
    if subject in sources:
        return {subject}
    found = {episode for episode, locator in listed if episode.startswith(subject) or subject in locator}
    if not found:
        raise JoineryError(
            f"{subject}: neither a source ({', '.join(sorted(sources))}) nor an episode id or locator of the last run"
        )
    return found
