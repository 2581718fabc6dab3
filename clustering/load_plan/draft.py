"""A load plan while it is compiled: chapters and segments so far, and where the last one stands."""

from collections import Counter
from dataclasses import dataclass
from typing import cast

import numpy as np

from clustering.load_plan.cells import cell_arrays, cell_names, members_of
from clustering.load_plan.corpus import Corpus
from clustering.load_plan.measure import Realised, measure
from clustering.load_plan.order import DrawOrder, Ints, draw_order
from clustering.load_plan.segment import (
    Standing,
    Steps,
    beginning,
    compile_steps,
    joined,
    segment_arrays,
    standing_of,
    steps_of,
)
from pipeline.blobs import Blobs
from pipeline.loader.plan import Arrays, LoadPlan, PlanCells, arrays_digest
from pipeline.shards.npz import write_npz
from schemas.load_plan import HEADER, Chapter, LoadPlanHeader, Segment, Superseded, chained
from schemas.recipe_load import LoadSpec

ENDLESS = 1 << 40
NAME_DIGITS = 16


@dataclass(frozen=True)
class Target:
    """How long a plan is to be in all: at least so many draws, or exactly so many steps."""

    draws: int = 0
    steps: int = 0

    def reached(self, n_draws: int, n_steps: int) -> bool:
        return n_draws >= self.draws and n_steps >= self.steps


class Draft:
    """Grows by `open_chapter` and `extend`; `write` makes it the plan of its folder."""

    def __init__(self, out: Blobs, segment_draws: int) -> None:
        self.chapters: list[Chapter] = []
        self.segments: list[Segment] = []
        self.realised = Realised()
        self._out, self._segment_draws, self._over = out, segment_draws, out.version(HEADER)
        self._before: Counter[tuple[str, object]] = Counter()
        """Draws of earlier chapters by catalogue and name of the cell."""
        self._cells: PlanCells | None = None
        self._uses = np.zeros(0, np.int64)
        """Draws of the last chapter by cell."""
        self._next_draw = 0
        """More than the number of any draw in a pack."""
        self._standing: Standing | None = None
        self._open: Steps | None = None
        """The last segment while it may still grow."""

    @property
    def n_steps(self) -> int:
        return sum(segment.n_steps for segment in self.segments)

    @property
    def n_draws(self) -> int:
        return sum(segment.n_draws for segment in self.segments)

    def take_over(self, plan: LoadPlan, cut: int) -> None:
        """Everything of a plan before step ``cut``."""
        for number, segment in enumerate(plan.header.segments):
            if segment.first_step >= cut:
                break
            chapter = plan.header.chapters[segment.chapter]
            if len(self.chapters) == segment.chapter:
                self._begin(chapter, plan.cells(chapter))
            columns = plan.segment_arrays(number)
            n_steps = min(segment.n_steps, cut - segment.first_step)
            n_draws = int(columns["pack_start"][n_steps * chapter.spec.packs_per_step])
            self._count(columns["cell"][:n_draws], columns["draw"][:n_draws])
            self._add(segment.file, segment.sha256, n_steps, n_draws)
        if self.segments and cut == plan.n_steps:
            arrays = plan.stored_segment(len(self.segments) - 1)
            self._standing = standing_of(arrays, self._uses)
            self._open = steps_of(arrays) if self.segments[-1].n_draws < self._segment_draws else None

    def open_chapter(self, corpus: Corpus, spec: LoadSpec, stages_left: int) -> None:
        """Begin steps of another kind after the last one."""
        cells = corpus.shares(stages_left)
        cells_file, cells_sha256 = self._put("cells", cell_arrays(cells))
        events_file, events_sha256 = self._put("events", corpus.arrays())
        chapter = Chapter(
            first_step=self.n_steps,
            first_draw=self._next_draw,
            spec=spec,
            catalogue=corpus.catalogue,
            n_events=len(corpus.cell_of_event),
            n_cells=len(cells.mass),
            cells_file=cells_file,
            cells_sha256=cells_sha256,
            sampling_plan_id=corpus.sampling_plan_id,
            stages_left=stages_left,
            events_file=events_file,
            events_sha256=events_sha256,
            shard_set_id=corpus.shard_set_id,
        )
        self._begin(chapter, cells)

    def extend(self, corpus: Corpus, target: Target) -> None:
        """Compile steps until the plan is as long as ``target`` says; the last chapter's are of ``corpus``."""
        order: DrawOrder | None = None
        while not target.reached(self.n_draws, self.n_steps):
            chapter = self.chapters[-1]
            left = self._draws_left(corpus, chapter)
            if left <= 0:
                self.open_chapter(corpus, chapter.spec, chapter.stages_left - 1)
                order = None
                continue
            order = order or self._order(corpus)
            self._grow(order, target, left)

    def _draws_left(self, corpus: Corpus, chapter: Chapter) -> int:
        """Draws until the next stage of the curriculum; the last one has no end."""
        if not chapter.stages_left:
            return ENDLESS
        return corpus.rise[-chapter.stages_left].n_draws - int(self._uses.sum())

    def write(self, history: tuple[Superseded, ...]) -> LoadPlanHeader:
        """Write the header: from here on the folder holds this plan.

        Raises ConflictError when another plan has come into the folder since the draft was begun.
        """
        before, segments = "", []
        for segment in self.segments:
            before = chained(before, self.chapters[segment.chapter], segment.sha256, segment.n_steps)
            segments.append(segment.model_copy(update={"chained": before}))
        header = LoadPlanHeader(
            joinery_load_plan=1,
            plan_hash=before,
            n_steps=self.n_steps,
            n_draws=self.n_draws,
            chapters=tuple(self.chapters),
            segments=tuple(segments),
            history=history,
        )
        text = header.model_dump_json(indent=1).encode()
        self._out.put_over(self._over, HEADER, lambda stream: cast(None, stream.write(text)))
        return header

    def _grow(self, order: DrawOrder, target: Target, left: int) -> None:
        """One compilation: the last segment filled up, or another one begun."""
        standing = self._standing or beginning(len(self._uses))
        room = self._segment_draws - (self._open.n_draws if self._open else 0)
        wanted = target.draws - self.n_draws if target.draws > self.n_draws else room
        at_most = (target.steps or ENDLESS) - self.n_steps
        steps, after = compile_steps(order, standing, min(room, wanted, left), at_most)
        measure(self.realised, order, steps, before=standing, after=after, uses=self._uses)
        self._count(steps.columns["cell"], steps.columns["draw"])
        if self._open:
            steps = joined(self._open, steps)
            self.segments.pop()
        file, sha256 = self._put(f"segment-{len(self.segments):06d}", segment_arrays(steps, after))
        self._add(file, sha256, steps.n_packs // order.spec.packs_per_step, steps.n_draws)
        self._standing = after
        self._open = steps if steps.n_draws < self._segment_draws else None

    def _order(self, corpus: Corpus) -> DrawOrder:
        chapter, cells = self.chapters[-1], self._cells
        if cells is None:
            raise AssertionError("a chapter is open")
        before = [self._before[chapter.catalogue, name] for name in cell_names(cells)]
        members = members_of(corpus.cell_of_event, cells)
        return draw_order(
            chapter.spec,
            cells,
            members,
            corpus.sizes,
            first_draw=chapter.first_draw,
            uses_before=np.array(before, np.int64),
        )

    def _begin(self, chapter: Chapter, cells: PlanCells) -> None:
        if self._cells is not None:
            catalogue = self.chapters[-1].catalogue
            for name, count in zip(cell_names(self._cells), self._uses.tolist(), strict=True):
                self._before[catalogue, name] += count
        self.chapters.append(chapter)
        self._cells, self._uses = cells, np.zeros(chapter.n_cells, np.int64)
        self._standing, self._open = None, None

    def _count(self, cell: Ints, draw: Ints) -> None:
        self._uses = self._uses + np.bincount(cell, minlength=len(self._uses))
        self._next_draw = max(self._next_draw, int(draw.max()) + 1)

    def _add(self, file: str, sha256: str, n_steps: int, n_draws: int) -> None:
        chapter = len(self.chapters) - 1
        self.segments.append(
            Segment(
                file=file,
                chapter=chapter,
                first_step=self.n_steps,
                n_steps=n_steps,
                n_draws=n_draws,
                sha256=sha256,
                chained="",
            )
        )

    def _put(self, stem: str, arrays: Arrays) -> tuple[str, str]:
        """Write arrays under a name made of their contents; name and digest."""
        sha256 = arrays_digest(arrays)
        name = f"{stem}-{sha256[:NAME_DIGITS]}.npz"
        if not self._out.exists(name):
            self._out.put_bytes(name, write_npz(arrays))
        return name, sha256
