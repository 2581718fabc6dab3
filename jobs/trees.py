"""``joinery verify``, the part about event trees: every tree ever committed nests and covers, and templates moved none.

Trees of the present recipe are held to their recording: its frames, what align kept, whether it has actions. Trees of
earlier recipes stay in the workspace, and what they were cut from may be gone; they are held to themselves. A model may
group events anew, but for what people and sources have settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from annotators.tracks.untouched import settled_touched, touched
from annotators.tree.ranges import usable_ranges
from annotators.tree.rests import covered_ranges
from jobs.river import RIVER
from pipeline.aligned import aligned_actions
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event
from schemas.finding import Finding
from schemas.recipe_caption import TemplateCaption, VlmCaption
from schemas.run import WorkDone
from schemas.tree import own_violations, violations

CHUNK = 64
MAX_PROBLEMS = 1000
R = TypeVar("R")


@dataclass(frozen=True)
class TreesReport:
    """What was looked at and what is wrong."""

    n_trees: int
    n_events: int
    """Of all trees together."""
    problems: tuple[str, ...]


def verify_trees(workspace: Workspace, ledger: Ledger, by: TemplateCaption | VlmCaption) -> TreesReport:
    """Every tree that any stage has committed, a few episodes in memory at a time. ``by``: who writes the captions."""
    n_trees = n_events = 0
    problems: list[str] = []
    stages = [stage.name for stage in RIVER if Event in stage.writes]
    for stage, before in zip(stages, ("", *stages), strict=False):
        for found in _checked(workspace, _Inputs(workspace, ledger, before, by), ledger, stage):
            n_trees, n_events = n_trees + bool(found.n_events), n_events + found.n_events
            problems += found.problems
    return TreesReport(n_trees, n_events, tuple(problems[:MAX_PROBLEMS]))


@dataclass(frozen=True)
class _Checked:
    """One tree."""

    n_events: int
    problems: list[str]


def _checked(workspace: Workspace, inputs: _Inputs, ledger: Ledger, stage: str) -> Iterator[_Checked]:
    """Every tree of one stage; the present ones also against what they were made from."""
    done = workspace.scan(WorkDone, columns=["item", "attempt"], where=f"stage = '{stage}'").read_all().to_pylist()
    every = sorted({(row["item"], row["attempt"]) for row in done})
    present = dict(ledger.done_attempts(stage))
    for i in range(0, len(every), CHUNK):
        chunk = every[i : i + CHUNK]
        trees = workspace.read(Event, [attempt for _, attempt in chunk])
        now = [item for item, attempt in chunk if present.get(item) == attempt]
        against = inputs.of(now)
        for item, attempt in chunk:
            tree = trees[attempt]
            found = against[item].problems(tree) if item in now and present[item] == attempt else own_violations(tree)
            yield _Checked(len(tree), [f"{stage}, {item}: {problem}" for problem in found])


@dataclass(frozen=True)
class _Against:
    """What one present tree is held to."""

    episode: Episode | None
    alignment: Alignment | None
    actions: ActionTrack | None
    placed: Sequence[Event] | None
    """The tree as the stage before left it; None for the first."""
    moves_events: bool
    """Whether the stage may."""
    pruned: Sequence[Finding]

    def problems(self, tree: Sequence[Event]) -> list[str]:
        unlike = settled_touched if self.moves_events else touched
        found = [] if self.placed is None else unlike(self.placed, tree)
        if not tree:
            return found
        if self.episode is None or self.alignment is None or not self.episode.cameras:
            return [*found, "events of an episode without pictures, or that is not there"]
        episode, clock = self.episode, self.episode.master.clock
        actions = None if episode.action_kind is ActionKind.NONE else aligned_actions(self.actions, self.alignment)
        kept = covered_ranges(usable_ranges(self.alignment, clock, actions), self.pruned, clock)
        return found + violations(tree, clock, kept, episode.action_kind)


class _Inputs:
    """The present results a tree was made from."""

    def __init__(self, workspace: Workspace, ledger: Ledger, before: str, by: TemplateCaption | VlmCaption) -> None:
        self._workspace = workspace
        names = ("ingest", "align", "segment", *([before] if before else []))
        self._done: dict[str, Mapping[str, str]] = {name: dict(ledger.done_attempts(name)) for name in names}
        self._before, self._moves_events = before, isinstance(by, VlmCaption)

    def of(self, episodes: Sequence[str]) -> dict[str, _Against]:
        found = self._rows(Episode, "ingest", episodes)
        tracks = self._rows(ActionTrack, "ingest", episodes)
        alignments = self._rows(Alignment, "align", episodes)
        pruned = self._rows(Finding, "segment", episodes)
        placed = self._rows(Event, self._before, episodes) if self._before else {}
        return {
            item: _Against(
                next(iter(found[item]), None),
                next(iter(alignments[item]), None),
                next(iter(tracks[item]), None),
                placed.get(item),
                self._moves_events,
                pruned[item],
            )
            for item in episodes
        }

    def _rows(self, record: type[R], stage: str, episodes: Sequence[str]) -> dict[str, list[R]]:
        done = self._done[stage]
        rows = self._workspace.read(record, [done[item] for item in episodes if item in done])
        return {item: rows.get(done.get(item, ""), []) for item in episodes}
