"""Listing the sources: what is there today, before any stage runs.

The listing replaces the previous one in a single transaction. What a source says about itself that needs no
decoding (listed files that are missing, totals that disagree, the same recording twice) is committed as findings
of the pseudo-stage ``discover``, one result per source and run.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.attempt import Attempt, AttemptWriter, new_attempt
from pipeline.files import SourceFiles
from pipeline.forget.search import Search
from pipeline.forget.takedowns import read_takedowns
from pipeline.ledger import Ledger
from pipeline.sandbox.decoder import decoder_of
from pipeline.sources.formats import discover
from pipeline.store import Workspace
from schemas.finding import Finding, Verdict
from schemas.identity import digest
from schemas.recipe import Recipe
from schemas.run import FileDigest, WorkDone
from schemas.source import EpisodeRef
from schemas.takedown import Takedown, Terms, takedown_path

DISCOVER = "discover"
REFS_PER_BATCH = 1024


class StoredDigests:
    """The workspace's memory of file digests (a `pipeline.fingerprint.DigestCache`)."""

    def __init__(self, workspace: Workspace, never: frozenset[str] = frozenset()) -> None:
        """``never``: SHA-256 of files that were taken down; nothing is kept of those."""
        self._workspace, self._never = workspace, never
        self._known = {(row.url, row.n_bytes, row.mtime_ns): row.sha256 for row in workspace.rows(FileDigest)}
        self._fresh: list[FileDigest] = []

    def get(self, url: str, size: int, mtime_ns: int) -> str | None:
        return self._known.get((url, size, mtime_ns))

    def put(self, url: str, size: int, mtime_ns: int, sha256: str) -> None:
        self._known[url, size, mtime_ns] = sha256
        if sha256 not in self._never:
            self._fresh.append(FileDigest(url, size, mtime_ns, sha256))

    def save(self) -> None:
        """Keep what was learnt; losing it in a kill only costs reading the files again."""
        self._workspace.append(FileDigest, self._fresh)
        self._fresh = []


@dataclass(frozen=True)
class Listing:
    """What was listed, per source name."""

    episodes: dict[str, int]
    findings: tuple[Finding, ...]
    version: int
    """Of the listing's table: what a run goes by, even when another run lists other sources meanwhile."""


def list_sources(workspace: Workspace, recipe: Recipe) -> Listing:
    """Discover every source and replace the workspace's listing. Raises SourceError when a source cannot be listed."""
    sandbox = recipe.run.sandbox
    listed = discover if sandbox.mode == "off" else decoder_of(sandbox).listing
    episodes = {source.name: 0 for source in recipe.sources}
    takedowns = read_takedowns(workspace.blobs)
    digests = StoredDigests(workspace, takedowns.files)
    findings: list[Finding] = []
    kept_out: list[tuple[EpisodeRef, Takedown]] = []

    def batches() -> Iterator[list[EpisodeRef]]:
        batch: list[EpisodeRef] = []
        for source in sorted(recipe.sources, key=lambda source: source.name):
            files = SourceFiles(source.path, dict(recipe.workspace.storage), source.follow_links)
            digests.save()
            for found in listed(source, files, digests):
                if isinstance(found, Finding):
                    findings.append(found)
                    continue
                takedown = takedowns.of(found)
                if takedown is not None:
                    kept_out.append((found, takedown))
                    continue
                episodes[source.name] += 1
                batch.append(found)
                if len(batch) == REFS_PER_BATCH:
                    yield batch
                    batch = []
        yield batch

    try:
        version = workspace.replace(EpisodeRef, batches())
    finally:
        digests.save()
    findings = [*_about_others(findings, [ref for ref, _ in kept_out]), *(_kept_out(*one) for one in kept_out)]
    return Listing(episodes, tuple(findings), version)


def _about_others(findings: list[Finding], kept_out: list[EpisodeRef]) -> list[Finding]:
    """Findings that do not name a recording which was taken down: nothing of it comes into the workspace again."""
    names: dict[str, dict[str, str]] = {}
    for ref in kept_out:
        names.setdefault(ref.source, {})[ref.locator] = "locator"
    search = {source: Search(Terms(texts=texts)) for source, texts in names.items()}
    return [
        finding
        for finding in findings
        if finding.source not in search or not any(search[finding.source].in_bytes(finding.message.encode()))
    ]


def _kept_out(ref: EpisodeRef, takedown: Takedown) -> Finding:
    """Says that, and not which: the entry of the takedown list knows."""
    return Finding(
        subject=ref.source,
        source=ref.source,
        stage=DISCOVER,
        check="forgotten",
        verdict=Verdict.DROP,
        message=(
            f"{ref.source}: a recording is on the takedown list since {takedown.at[:10]} and stays out "
            f"({takedown_path(takedown.episode_id)}); delete it from the source too"
        ),
    )


def commit_listing_findings(workspace: Workspace, listing: Listing, ledger: Ledger, run_id: str) -> None:
    """Publish what discovery found out, including recordings that are listed twice."""
    by_source: dict[str, list[Finding]] = {source: [] for source in listing.episodes}
    for finding in [*listing.findings, *map(_duplicate, ledger.duplicates())]:
        by_source[finding.source].append(finding)
    writer = AttemptWriter(workspace)
    done = []
    for source, findings in sorted(by_source.items()):
        key, attempt = digest(DISCOVER, source, run_id), new_attempt()
        writer.add(findings, key, attempt)
        done.append(WorkDone(key, DISCOVER, source, attempt, key, run_id, 0.0))
    workspace.commit([Attempt(writer.finish(), tuple(done), ())])


def _duplicate(row: tuple[str, str, str, str, str]) -> Finding:
    episode_id, source, locator, kept_source, kept_locator = row
    return Finding(
        subject=source,
        source=source,
        stage=DISCOVER,
        check="duplicate_recording",
        verdict=Verdict.DROP,
        message=(
            f"{locator}: the same recording as {kept_locator} of source {kept_source} ({episode_id}); "
            "it is used once, under that name"
        ),
    )
