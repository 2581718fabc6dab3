"""The load plan: which windows of which events every optimiser step of a training run reads, compiled ahead of time.

A folder (docs/load_plan.md): ``plan.json`` is a `LoadPlanHeader`, ``cells-NNNNNN.npz`` the cells of a chapter,
``segment-NNNNNN.npz`` draws in the order of their packs. Nothing in it knows of shard names, worker counts or world
sizes, so resuming and resharding are array slicing. Every segment's hash covers all before it: the last one, the
plan's, is the identity of everything the run will read.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from pydantic import Field

from schemas.identity import canonical_json, digest
from schemas.recipe_load import LoadSpec
from schemas.recipe_section import Section

FORMAT = 1
HEADER = "plan.json"


def superseded_header(plan_hash: str) -> str:
    """Where the header of a plan stays when something is appended to it."""
    return f"plan-{plan_hash}.json"


class WindowKind(IntEnum):
    """Which part of an event a draw shows."""

    EVENT = 0
    """All of it."""
    SUFFIX = 1
    """From anywhere to its end."""
    CHUNK = 2
    """A fixed number of frames inside of it."""


@dataclass(frozen=True, slots=True)
class PlannedDraw:
    """One window of one event."""

    draw: int
    """Its number in the order of draws, which packing changes a little."""
    event: int
    """Row of the catalogue."""
    cell: int
    """Row of the chapter's cells."""
    kind: WindowKind
    first_frame: int
    """Of the master view's, counted from the event's first."""
    n_frames: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class PlannedPack:
    """Draws that share one sequence."""

    slot: int
    """Its place in the step."""
    draws: tuple[PlannedDraw, ...]

    @property
    def n_tokens(self) -> int:
        return sum(draw.n_tokens for draw in self.draws)


class Chapter(Section):
    """Steps made by one specification: changing weights, windows or packs begins another."""

    first_step: int
    first_draw: int = Field(description="Number of the first draw; the chapter's shares are counted from there.")
    spec: LoadSpec
    catalogue: str = Field(description="Digest of the events draws are rows of (`pipeline.loader.catalogue`).")
    n_events: int
    n_cells: int
    cells_file: str
    cells_sha256: str = Field(description="`arrays_digest` of the cells and their shares.")
    sampling_plan_id: str = Field(description="Where the shares are from; for people, no part of any hash.")
    stages_left: int = Field(default=0, description="Stages of the sampling plan's curriculum that are still to come.")
    events_file: str
    events_sha256: str = Field(description="`arrays_digest` of what the compiler needs of every event; for extending.")
    shard_set_id: str = Field(description="What it was compiled from; for people, no part of any hash.")

    @property
    def spec_hash(self) -> str:
        """Identity of what the chapter was asked to do, whatever the shards are called."""
        said = self.model_dump(mode="json", include={"first_step", "first_draw", "spec", "catalogue", "cells_sha256"})
        return digest(canonical_json(said))


class Segment(Section):
    """One file of draws: whole steps of one chapter."""

    file: str
    chapter: int
    first_step: int
    n_steps: int = Field(description="Steps of the file that count; fewer than it has when weights changed inside it.")
    n_draws: int = Field(description="Draws in these steps.")
    sha256: str = Field(description="`arrays_digest` of the whole file.")
    chained: str = Field(description="Hash of the segment before, the chapter's specification, sha256 and n_steps.")


class Superseded(Section):
    """A plan this one was before something was appended: the audit trail. Its own header stays beside."""

    plan_hash: str
    n_steps: int
    kept_steps: int = Field(description="The first steps of it, which this plan has unchanged.")
    why: str


class LoadPlanHeader(Section):
    """``plan.json``."""

    joinery_load_plan: Literal[1]
    plan_hash: str
    n_steps: int
    n_draws: int
    chapters: tuple[Chapter, ...]
    segments: tuple[Segment, ...]
    history: tuple[Superseded, ...] = ()


def chained(before: str, chapter: Chapter, sha256: str, n_steps: int) -> str:
    """The chained hash of a segment; ``before`` is that of the segment in front of it, empty for the first."""
    return digest("load-plan", str(FORMAT), before, chapter.spec_hash, sha256, str(n_steps))
