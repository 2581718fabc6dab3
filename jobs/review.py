"""Episodes of a workspace as reviews want them: the tree as a document, and what the machine saw and thought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from annotators.review.agenda import risk_of
from annotators.review.from_tree import document_of
from annotators.review.preparing import EpisodeSource, SourceOf
from annotators.review.sheet import Imported, Sheet, SheetFinding, SheetView
from annotators.review.sheet_evidence import alternatives_of, evidence_of
from annotators.review.sheet_signals import signals_of
from jobs.river import RIVER
from pipeline.aligned import aligned_actions
from pipeline.errors import JoineryError
from pipeline.files import SourceFiles
from pipeline.ledger import Ledger
from pipeline.sources.reference import common_part
from pipeline.stage import Scope
from pipeline.store import Workspace, one_of
from schemas.calibration import Calibration, calibration_group
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding
from schemas.recipe import Recipe
from schemas.source import EpisodeRef
from schemas.source_card import PersonalData
from schemas.time import NS_PER_S

CHUNK = 16
R = TypeVar("R")


@dataclass(frozen=True)
class Wanted:
    """Which episodes; empty takes all."""

    episodes: tuple[str, ...] = ()
    """Beginnings of ids, or parts of locators."""

    def takes(self, episode: Episode) -> bool:
        """Whether this one is meant."""
        return not self.episodes or any(
            episode.episode_id.startswith(name) or name in episode.locator for name in self.episodes
        )


def imported(workspace: Workspace, ledger: Ledger, recipe: Recipe, wanted: Wanted) -> Iterator[Imported]:
    """Every episode that has events under this recipe, in order of id, a few in memory at a time.

    Raises JoineryError when nothing has events or nothing is meant.
    """
    stage = [stage.name for stage in RIVER if Event in stage.writes][-1]
    done = ledger.done_attempts(stage)
    if not done:
        raise JoineryError("no episode has events under this recipe; run `joinery run` with it first")
    personal = {source.name: source.card.personal_data is not PersonalData.NONE for source in recipe.sources}
    reader = _Reader(workspace, ledger)
    found = 0
    for i in range(0, len(done), CHUNK):
        attempts = dict(done[i : i + CHUNK])
        trees = workspace.read(Event, list(attempts.values()))
        beside = reader.of(list(attempts))
        for episode_id, attempt in attempts.items():
            tree, about = trees[attempt], beside[episode_id]
            if tree and about.episode is not None and wanted.takes(about.episode):
                found += 1
                shown = personal.get(about.episode.source, True)
                yield _imported(about, tree, attempt, recipe, personal=shown)
    if not found:
        raise JoineryError(f"no episode with events is meant by {', '.join(wanted.episodes) or 'this recipe'}")


def sources(workspace: Workspace, ledger: Ledger, recipe: Recipe) -> SourceOf:
    """Where an episode's pictures are; asks the workspace when it is called."""
    done = dict(ledger.done_attempts("ingest"))

    def source_of(episode_id: str) -> EpisodeSource:
        if episode_id not in done:
            raise JoineryError(f"{episode_id}: no longer listed; run `joinery run` with its source")
        episode = workspace.read(Episode, [done[episode_id]])[done[episode_id]][0]
        refs = workspace.rows(EpisodeRef, one_of("episode_id", [episode_id]))
        ref = min(refs, key=lambda ref: (ref.source, ref.locator))
        files = SourceFiles(ref.root, dict(recipe.workspace.storage), common_part(ref).follow_links)
        return EpisodeSource(ref, files, episode)

    return source_of


@dataclass(frozen=True)
class _Beside:
    """What is known of one episode besides its events."""

    episode: Episode | None
    alignment: Alignment | None
    actions: ActionTrack | None
    strips: Sequence[Filmstrip]
    calibrations: Mapping[str, Calibration]
    """Of all groups."""
    findings: Sequence[Finding]

    def strip_of(self, view: str) -> Filmstrip | None:
        """What was seen in a view."""
        return next((strip for strip in self.strips if strip.camera == view), None)


class _Reader:
    """Reads what is beside the events, for several episodes at once."""

    def __init__(self, workspace: Workspace, ledger: Ledger) -> None:
        self._workspace = workspace
        writers = [stage.name for stage in RIVER if Finding in stage.writes and stage.scope is Scope.EPISODE]
        self._writers = writers
        self._done: dict[str, Mapping[str, str]] = {
            name: dict(ledger.done_attempts(name)) for name in {"ingest", "align", *writers}
        }
        groups = ledger.done_attempts("calibrate")
        rows = workspace.read(Calibration, [attempt for _, attempt in groups])
        self._calibrations = {row.group: row for found in rows.values() for row in found}

    def of(self, episodes: Sequence[str]) -> dict[str, _Beside]:
        recordings = self._rows(Episode, "ingest", episodes)
        alignments = self._rows(Alignment, "align", episodes)
        actions = self._rows(ActionTrack, "ingest", episodes)
        strips = self._rows(Filmstrip, "ingest", episodes)
        findings = [self._rows(Finding, name, episodes) for name in self._writers]
        return {
            item: _Beside(
                next(iter(recordings[item]), None),
                next(iter(alignments[item]), None),
                next(iter(actions[item]), None),
                strips[item],
                self._calibrations,
                [finding for found in findings for finding in found[item] if finding.subject == item],
            )
            for item in episodes
        }

    def _rows(self, record: type[R], stage: str, episodes: Sequence[str]) -> dict[str, list[R]]:
        done = self._done[stage]
        rows = self._workspace.read(record, [done[item] for item in episodes if item in done])
        return {item: rows.get(done.get(item, ""), []) for item in episodes}


def _imported(about: _Beside, tree: Sequence[Event], attempt: str, recipe: Recipe, *, personal: bool) -> Imported:
    episode = about.episode
    assert episode is not None
    document = document_of(episode.episode_id, episode.master.n_frames, tree)
    actions = None if episode.action_kind is ActionKind.NONE or about.alignment is None else about.actions
    if actions is not None and about.alignment is not None:
        actions = aligned_actions(actions, about.alignment)
    calibration = about.calibrations.get(calibration_group(episode.dataset, episode.embodiment))
    strip = about.strip_of(episode.master.name)
    sheet = Sheet(
        source=episode.source,
        kind=str(episode.kind),
        dataset=episode.dataset,
        locator=episode.locator,
        instruction=episode.instruction,
        embodiment=episode.embodiment,
        licence=episode.licence,
        personal=personal,
        duration_s=episode.master.end_ns / NS_PER_S,
        views=tuple(
            SheetView(camera.name, str(camera.role), camera.width, camera.height, camera.n_frames)
            for camera in episode.cameras
        ),
        master=episode.master.name,
        signals=signals_of(episode, actions, calibration, strip, recipe.segment),
        evidence=evidence_of(episode.episode_id, tree),
        alternatives=alternatives_of(document, episode, tree),
        findings=tuple(SheetFinding(found.check, str(found.verdict), found.message) for found in about.findings),
    )
    return Imported(document, sheet, risk_of(tree), attempt)
