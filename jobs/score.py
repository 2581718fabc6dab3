"""``joinery score``: how good the events of a run are, against a truth file, with the baselines beside.

Episodes are joined to the truth by source and locator. What has truth and no events (in quarantine, dropped, of a
source the recipe does not name) is listed and not scored: cutting is judged here, not cleaning. Several annotators of
one episode are several cases of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from annotators.scores.baselines import SAME_COUNT, UNIFORM, same_count, signal_baselines, uniform
from annotators.scores.bootstrap import RESAMPLES
from annotators.scores.marks import OURS, Case, Mark, Part, Person, inside
from annotators.scores.recoveries import true_recoveries
from annotators.scores.report import GroupScore, group_score
from annotators.tree.ranges import usable_ranges
from annotators.tree.rests import covered_ranges
from jobs.human_truth import HUMAN, human_truth
from jobs.river import RIVER
from jobs.track_truth import TRACK, refuse_own_cuts, track_truth
from pipeline.aligned import aligned_actions
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.pseudo.scale import calibration_for
from pipeline.store import Workspace
from schemas.calibration import Calibration, calibration_group
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import BoundaryKind, Event, Level, RecoveryKind
from schemas.finding import Finding
from schemas.recipe import Recipe, SegmentSpec
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S
from schemas.tree import violations
from schemas.truth import Truth, TruthEpisode

CHUNK = 64
ARMS, PICTURES = "episodes with actions", "episodes without actions (pictures only)"
DURATIONS_S = {5: "00–05 s", 15: "05–15 s", 60: "15–60 s"}
"""Slices by kept duration: below so many seconds. Named so that they sort."""
LONGEST = "60 s and more"
R = TypeVar("R")


@dataclass(frozen=True)
class Unscored:
    """An episode that has truth and no events."""

    source: str
    locator: str
    reason: str


@dataclass(frozen=True)
class ScoreReport:
    """Everything ``joinery score`` says."""

    truth: str
    level: Level
    stage: str
    """Whose events were scored: the last stage that writes any."""
    seed: int
    resamples: int
    groups: tuple[GroupScore, ...]
    unscored: tuple[Unscored, ...]


@dataclass(frozen=True)
class Reviews:
    """Where people's truth is."""

    folder: Path
    everything: bool
    """Whether all that is finished counts, or the audit alone."""


def score(
    workspace: Workspace,
    ledger: Ledger,
    recipe: Recipe,
    named: str,
    *,
    level: Level | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    reviews: Reviews | None = None,
) -> ScoreReport:
    """Score the present events of a recipe against a truth file, ``track:NAME`` of the source's own annotations, or
    ``human``: what people have said in ``reviews``.

    Without a ``level`` it is that of the track, and the action for files. Raises JoineryError when truth is unreadable
    or nothing can be scored.
    """
    track = named.removeprefix(TRACK) if named.startswith(TRACK) else ""
    if named == HUMAN and reviews is not None:
        meant = Level.ACTION
        truth = human_truth(workspace, ledger, reviews.folder, level or meant, everything=reviews.everything)
    elif track:
        truth, meant = track_truth(ledger, track)
    else:
        truth, meant = read_truth(Path(named)), Level.ACTION
    level = level or meant
    stage, groups, unscored = cases_of(workspace, ledger, recipe, truth, level, track=track)
    if not any(groups.values()):
        raise JoineryError(
            f"{named}: none of its {len(truth.episodes)} episodes has events under this recipe; "
            "run `joinery run` with it first, and compare the sources' names and locators"
        )
    scored = tuple(
        group_score(name, cases, truth.kinds, seed=seed, resamples=resamples) for name, cases in groups.items() if cases
    )
    return ScoreReport(named, level, stage, seed, resamples, scored, tuple(unscored))


def cases_of(
    workspace: Workspace, ledger: Ledger, recipe: Recipe, truth: Truth, level: Level, *, track: str = ""
) -> tuple[str, dict[str, list[Case]], list[Unscored]]:
    """The stage whose events are scored, the cases of each group, and the episodes that have truth and no events."""
    stage = [stage.name for stage in RIVER if Event in stage.writes][-1]
    done = dict(ledger.done_attempts(stage))
    listed = _listed(workspace)
    wanted: dict[str, list[TruthEpisode]] = {}
    unscored = []
    for entry in truth.episodes:
        episode_id = listed.get((entry.source, entry.locator))
        if episode_id in done:
            wanted.setdefault(episode_id, []).append(entry)
        else:
            reason = "not listed by this recipe's last run" if episode_id is None else f"not done by {stage}"
            unscored.append(Unscored(entry.source, entry.locator, reason + _broken(entry)))
    groups: dict[str, list[Case]] = {ARMS: [], PICTURES: []}
    for made in _Scored(workspace, ledger, recipe.segment, stage, level, track).cases(wanted):
        if isinstance(made, Unscored):
            unscored.append(made)
        else:
            name, case = made
            groups[name].append(case)
    return stage, groups, unscored


def read_truth(path: Path) -> Truth:
    """The truth file. Raises JoineryError that names the first thing that is wrong."""
    if not path.is_file():
        raise JoineryError(f"{path}: no such file; expected a truth file (docs/score.md) or {TRACK}NAME")
    try:
        return Truth.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise JoineryError(
            f"{path}: {where}: {first['msg']} ({error.error_count()} problems in all); expected a truth file as "
            "docs/score.md describes it"
        ) from error


def _broken(entry: TruthEpisode) -> str:
    return "" if entry.defect is None else f" (broken on purpose: {entry.defect})"


def _listed(workspace: Workspace) -> dict[tuple[str, str], str]:
    rows = workspace.scan(EpisodeRef, columns=["episode_id", "source", "locator"]).read_all().to_pylist()
    return {(row["source"], row["locator"]): row["episode_id"] for row in rows}


@dataclass(frozen=True)
class _Scored:
    """What is scored, for all episodes alike."""

    workspace: Workspace
    ledger: Ledger
    spec: SegmentSpec
    stage: str
    level: Level
    track: str
    """The track that is the truth; empty for a file."""

    def cases(self, wanted: Mapping[str, Sequence[TruthEpisode]]) -> Iterator[tuple[str, Case] | Unscored]:
        """One case per episode, with the name of its group; a few episodes are in memory at a time."""
        done = {name: dict(self.ledger.done_attempts(name)) for name in ("ingest", "align", "segment", self.stage)}
        calibrations = _calibrations(self.workspace, self.ledger)
        ids = sorted(wanted)
        for i in range(0, len(ids), CHUNK):
            chunk = ids[i : i + CHUNK]
            episodes = _by_episode(self.workspace, Episode, done["ingest"], chunk)
            tracks = _by_episode(self.workspace, ActionTrack, done["ingest"], chunk)
            alignments = _by_episode(self.workspace, Alignment, done["align"], chunk)
            events = _by_episode(self.workspace, Event, done[self.stage], chunk)
            findings = _by_episode(self.workspace, Finding, done["segment"], chunk)
            for episode_id in chunk:
                entry = wanted[episode_id][0]
                if not events[episode_id]:
                    reason = "no events: nothing of it was kept" + _broken(entry)
                    yield Unscored(entry.source, entry.locator, reason)
                    continue
                (episode,), (alignment,) = episodes[episode_id], alignments[episode_id]
                track = tracks[episode_id][0] if tracks[episode_id] else None
                read = _Read(
                    episode,
                    alignment,
                    None if episode.action_kind is ActionKind.NONE else aligned_actions(track, alignment),
                    calibrations.get(calibration_group(episode.dataset, episode.embodiment)),
                    findings[episode_id],
                )
                name = PICTURES if read.actions is None else ARMS
                for entry in wanted[episode_id]:
                    others = [other for other in wanted[episode_id] if other is not entry]
                    yield name, self.case(entry, others, read, events[episode_id])

    def case(self, entry: TruthEpisode, others: Sequence[TruthEpisode], read: _Read, events: Sequence[Event]) -> Case:
        """What is true and what everybody says, inside the parts that were kept."""
        refuse_own_cuts(self.track, events)
        clock = read.episode.master.clock
        frames = covered_ranges(usable_ranges(read.alignment, clock, read.actions), read.findings, clock)
        ranges = tuple((clock.edge_ns(first), clock.edge_ns(last)) for first, last in frames)
        true = _said(entry, ranges)
        at_level = [event for event in events if event.level is self.level]
        proposed = {OURS: _marks(at_level), UNIFORM: uniform(ranges)}
        proposed[SAME_COUNT] = same_count(ranges, proposed[OURS])
        if read.actions is not None:
            scales = None if read.calibration is None else calibration_for(read.actions, read.calibration)
            proposed |= signal_baselines(read.actions, scales, self.spec)
        return Case(
            name=f"{entry.source}: {entry.locator}",
            ranges_ns=ranges,
            true=true.marks,
            systems={name: inside(marks, ranges) for name, marks in proposed.items()},
            slices=_slices(entry, sum(end - start for start, end in ranges)),
            true_parts=true.parts,
            parts=tuple(Part(e.span.start_ns, e.span.end_ns, e.verb.value, e.arm) for e in at_level),
            violations=len(violations(events, clock, frames, read.episode.action_kind)),
            left_out=len(entry.boundaries) - len(true.marks),
            others=tuple(_said(other, ranges) for other in others),
            true_recoveries=true_recoveries([mark for mark in entry.boundaries if _within(mark.t_ns, ranges)]),
            recoveries=frozenset(event.recovery for event in at_level) - {RecoveryKind.NONE},
        )


@dataclass(frozen=True)
class _Read:
    """One episode as the stages left it."""

    episode: Episode
    alignment: Alignment
    actions: ActionTrack | None
    """On the video clock; None for pictures only."""
    calibration: Calibration | None
    findings: Sequence[Finding]
    """Of segment: what it has pruned."""


def _said(entry: TruthEpisode, ranges_ns: Sequence[tuple[int, int]]) -> Person:
    """What one annotator says of the parts that were kept."""
    marks = inside([Mark(mark.t_ns, mark.kind, mark.arm) for mark in entry.boundaries], ranges_ns)
    return Person(marks, tuple(Part(part.start_ns, part.end_ns, part.phase, part.arm) for part in entry.phases))


def _marks(events: Sequence[Event]) -> list[Mark]:
    """Every inner boundary once; the edges of kept ranges are given and not found."""
    starts = {event.start.frame: event.start for event in events if event.start.kind is not BoundaryKind.RANGE_EDGE}
    return [Mark(b.t_ns, b.kind, b.arm, b.confidence, b.sigma_s) for _, b in sorted(starts.items())]


def _within(t_ns: int, ranges: Sequence[tuple[int, int]]) -> bool:
    return any(start < t_ns < end for start, end in ranges)


def _slices(entry: TruthEpisode, kept_ns: int) -> dict[str, str]:
    """Where an episode belongs, by each way of slicing."""
    arms = sorted({mark.arm.value for mark in entry.boundaries if mark.arm is not None})
    outcome = {True: "success", False: "failure", None: "unknown"}[entry.success]
    duration = next((name for below, name in DURATIONS_S.items() if kept_ns < below * NS_PER_S), LONGEST)
    found = {"source": entry.source, "duration": duration, "outcome": outcome, "arm": " and ".join(arms) or "none"}
    return found | {by: value for by, value in (("task", entry.task), ("split", entry.split)) if value}


def _calibrations(workspace: Workspace, ledger: Ledger) -> dict[str, Calibration]:
    attempts = [attempt for _, attempt in ledger.done_attempts("calibrate")]
    rows = [row for found in workspace.read(Calibration, attempts).values() for row in found]
    return {row.group: row for row in rows}


def _by_episode(
    workspace: Workspace, record: type[R], done: Mapping[str, str], episodes: Sequence[str]
) -> dict[str, list[R]]:
    """Records of each of these episodes; an attempt is one episode's."""
    rows = workspace.read(record, [done[episode] for episode in episodes if episode in done])
    return {episode: rows.get(done.get(episode, ""), []) for episode in episodes}
