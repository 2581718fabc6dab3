"""Reading a load plan: step i is a slice of arrays, whoever asks and whenever.

A run's state is {plan_hash, step}; `LoadPlan.continues` says whether a run stopped under an older hash may go on here.
Every file is checked against the chain of hashes before anything of it is used: a plan is what it says, or an error.
"""

import json
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.ranks import assign, cost
from pipeline.shards.npz import read_npz
from schemas.identity import digest
from schemas.load_plan import (
    FORMAT,
    HEADER,
    Chapter,
    LoadPlanHeader,
    PlannedDraw,
    PlannedPack,
    WindowKind,
    chained,
    superseded_header,
)

Arrays = dict[str, NDArray[Any]]
COLUMNS = ("draw", "event", "cell", "kind", "first_frame", "n_frames", "n_tokens")
KEPT_SEGMENTS = 2


def arrays_digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and values of arrays, in the order of their names."""
    parts: list[str | bytes] = []
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        parts += [name, array.dtype.str, str(array.shape), array.tobytes()]
    return digest(*parts)


@dataclass(frozen=True, eq=False)
class PlanCells:
    """The cells of a chapter, one row each."""

    vision_language: NDArray[np.int64]
    action: NDArray[np.int64]
    source: NDArray[np.str_]
    """Empty where cells are not told apart by source."""
    recovery: NDArray[np.int8]
    """-1 where cells are not told apart by recovery, else 0 or 1."""
    n_events: NDArray[np.int64]
    mass: NDArray[np.float64]
    """Share of draws; adds up to 1."""


class LoadPlan:
    """An open load plan. Picklable; segments are read when a step of theirs is asked for."""

    def __init__(self, blobs: Blobs, header: LoadPlanHeader) -> None:
        self._blobs = blobs
        self.header = header
        self._starts = [segment.first_step for segment in header.segments]
        self._segments: OrderedDict[int, Arrays] = OrderedDict()

    @staticmethod
    def open(path: str, storage: dict[str, str] | None = None, plan_hash: str | None = None) -> "LoadPlan":
        """Open a plan's folder, local or on an object store; with ``plan_hash`` what it was when it had that hash.

        Raises StoreError when there is none or it is damaged.
        """
        blobs = Blobs(path.rstrip("/"), storage or {})
        if plan_hash is not None and blobs.exists(superseded_header(plan_hash)):
            return LoadPlan(blobs, _header(path, superseded_header(plan_hash), blobs))
        if not blobs.exists(HEADER):
            raise StoreError(
                f"{path}: found no {HEADER}; expected the folder of a load plan (`joinery compile` makes one)"
            )
        plan = LoadPlan(blobs, _header(path, HEADER, blobs))
        if plan_hash not in (None, plan.plan_hash):
            raise StoreError(
                f"{path}: the plan {plan.plan_hash} never had the hash {plan_hash}; open the run's own plan"
            )
        return plan

    @property
    def plan_hash(self) -> str:
        """Identity of every step of the plan."""
        return self.header.plan_hash

    @property
    def n_steps(self) -> int:
        return self.header.n_steps

    def n_draws_before(self, step: int) -> int:
        """Draws in the packs of the first ``step`` steps."""
        if step == self.n_steps:
            return self.header.n_draws
        number = self._segment_of(step)
        segment = self.header.segments[number]
        packs = (step - segment.first_step) * self.header.chapters[segment.chapter].spec.packs_per_step
        earlier = sum(before.n_draws for before in self.header.segments[:number])
        return earlier + int(self._segment(number)["pack_start"][packs])

    def chapter(self, step: int) -> Chapter:
        """What step ``step`` was made by."""
        return self.header.chapters[self.header.segments[self._segment_of(step)].chapter]

    def cells(self, chapter: Chapter) -> PlanCells:
        """The cells of a chapter and their shares."""
        return PlanCells(**self._arrays(chapter.cells_file, chapter.cells_sha256))

    def events(self, chapter: Chapter) -> Arrays:
        """What the compiler needs of every event of a chapter's catalogue: cell, frames, views, action rows."""
        return self._arrays(chapter.events_file, chapter.events_sha256)

    def stored_segment(self, number: int) -> Arrays:
        """A segment's file as it is, for extending it."""
        return self._segment(number)

    def step(self, step: int) -> tuple[PlannedPack, ...]:
        """All packs of a step, by slot. Raises IndexError past the plan's end: extend it with `joinery compile`."""
        number = self._segment_of(step)
        segment, arrays = self.header.segments[number], self._segment(number)
        per_step = self.header.chapters[segment.chapter].spec.packs_per_step
        first = (step - segment.first_step) * per_step
        edges = arrays["pack_start"][first : first + per_step + 1].tolist()
        rows = zip(*(arrays[name][edges[0] : edges[-1]].tolist() for name in COLUMNS), strict=True)
        draws = [
            PlannedDraw(draw + segment_base(arrays), event, cell, WindowKind(kind), first_frame, n_frames, n_tokens)
            for draw, event, cell, kind, first_frame, n_frames, n_tokens in rows
        ]
        return tuple(
            PlannedPack(slot, tuple(draws[start - edges[0] : end - edges[0]]))
            for slot, (start, end) in enumerate(pairwise(edges))
        )

    def rank_packs(self, step: int, rank: int, world: int) -> tuple[PlannedPack, ...]:
        """The packs of a step that ``rank`` of ``world`` takes; together the ranks take each exactly once."""
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}: expected 0 ≤ rank < world")
        packs, spec = self.step(step), self.chapter(step).spec
        return tuple(packs[slot] for slot in assign([cost(pack, spec) for pack in packs], world)[rank])

    def segment_arrays(self, number: int) -> Arrays:
        """The columns of a segment in pack order, cut to the steps that count, ``draw`` as numbers of the plan."""
        segment, arrays = self.header.segments[number], self._segment(number)
        packs = segment.n_steps * self.header.chapters[segment.chapter].spec.packs_per_step
        found: Arrays = {name: arrays[name][: segment.n_draws] for name in COLUMNS}
        found["draw"] = found["draw"].astype(np.int64) + segment_base(arrays)
        found["pack_start"] = arrays["pack_start"][: packs + 1].astype(np.int64)
        return found

    def continues(self, plan_hash: str, step: int) -> bool:
        """Whether a run that has done ``step`` steps of the plan with this hash finds the same steps here."""
        if plan_hash == self.plan_hash:
            return step <= self.n_steps
        kept = None
        for older in self.header.history:
            if older.plan_hash == plan_hash:
                kept = older.kept_steps
            elif kept is not None:
                kept = min(kept, older.kept_steps)
        return kept is not None and step <= kept

    def _segment_of(self, step: int) -> int:
        if not 0 <= step < self.n_steps:
            raise IndexError(
                f"{self._blobs.url}: step {step} of a plan of {self.n_steps}; extend it with `joinery compile --append`"
            )
        return bisect_right(self._starts, step) - 1

    def _segment(self, number: int) -> Arrays:
        arrays = self._segments.get(number)
        if arrays is None:
            segment = self.header.segments[number]
            arrays = self._segments[number] = self._arrays(segment.file, segment.sha256)
            if len(self._segments) > KEPT_SEGMENTS:
                self._segments.popitem(last=False)
        self._segments.move_to_end(number)
        return arrays

    def _arrays(self, file: str, sha256: str) -> Arrays:
        try:
            arrays = read_npz(self._blobs.read(file))
        except (FileNotFoundError, ValueError) as error:
            raise StoreError(f"{self._blobs.url}/{file}: {error}; compile the plan again") from error
        if arrays_digest(arrays) != sha256:
            raise StoreError(f"{self._blobs.url}/{file}: {HEADER} says other contents; compile the plan again")
        return arrays

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_segments": OrderedDict()}


def segment_base(arrays: Arrays) -> int:
    """What to add to a segment's ``draw`` column, which is kept short."""
    return int(arrays["first_draw"][0])


def _header(path: str, name: str, blobs: Blobs) -> LoadPlanHeader:
    raw = json.loads(blobs.read(name))
    if raw.get("joinery_load_plan") != FORMAT:
        found = raw.get("joinery_load_plan")
        raise StoreError(f"{path}/{name}: format {found!r}, expected {FORMAT}; compile the plan again")
    try:
        header = LoadPlanHeader.model_validate(raw)
    except ValidationError as error:
        raise StoreError(f"{path}/{name}: no load plan: {error.errors()[0]['msg']}; compile it again") from error
    _check_chain(path, header)
    return header


def _check_chain(path: str, header: LoadPlanHeader) -> None:
    before, steps = "", 0
    for segment in header.segments:
        chapter = header.chapters[segment.chapter]
        before = chained(before, chapter, segment.sha256, segment.n_steps)
        if (segment.chained, segment.first_step) != (before, steps):
            raise StoreError(
                f"{path}/{HEADER}: {segment.file} does not follow from what is before it; compile it again"
            )
        steps += segment.n_steps
    if (header.plan_hash, header.n_steps) != (before, steps):
        raise StoreError(f"{path}/{HEADER}: its hash is not that of its last segment; compile it again")
