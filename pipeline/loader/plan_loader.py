"""Reading a load plan: the packs of one rank, step by step, decoded ahead of time, the same whoever reads them how.

Nothing here decides anything: the plan says which windows make a step, ranks share its packs by cost, workers read
them in any order, and results are joined by draw. So the number of workers and of ranks, a kill and a resume change
neither a draw nor its place. A window that cannot be read is replaced by one the plan itself implies
(`pipeline.loader.substitute`), and the ledger says so.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from pipeline.errors import StoreError
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.consumption import Consumed, ConsumptionLedger, Substitution
from pipeline.loader.decode import Decoder
from pipeline.loader.locations import Locations, read_locations
from pipeline.loader.plan import LoadPlan
from pipeline.loader.pool import DEFAULT_PATIENCE, Patience, WorkerPool
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.reader import shard_set_folder
from pipeline.loader.signed_folder import SignedBlobs
from pipeline.loader.substitute import Substitute, substitutes
from pipeline.loader.timeline import Captions, Named, Timeline, pieces_of, read_timeline
from pipeline.loader.window import CHECKSUM, Damaged, KnownPictures, Piece, Refused, Request, Seen
from pipeline.loader.worker import Job
from schemas.load_plan import PlannedDraw, PlannedPack
from schemas.recipe_load import Caption


@dataclass(frozen=True)
class LoaderState:
    """Where a run stands: all there is to save, beside the model."""

    plan_hash: str
    step: int
    """Steps done."""
    ledger: str = ""
    """Hash of the ledger of the rank that saved this; empty without a ledger."""
    rank: int = 0

    def plain(self) -> dict[str, Any]:
        """For a checkpoint; ``LoaderState(**plain)`` is the way back."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LoadedPack:
    """Windows that share one sequence."""

    slot: int
    """Its place in the step, over all ranks."""
    windows: tuple[Any, ...]
    """`Window`s, or what the transform has made of them, in the order of the plan."""


@dataclass(frozen=True, eq=False)
class LoadedStep:
    """What one rank trains on in one step."""

    step: int
    packs: tuple[LoadedPack, ...]
    draws: tuple[int, ...]
    """Numbers of the draws, pack by pack."""
    substitutions: tuple[Substitution, ...]


@dataclass
class _Asked:
    """A draw on its way."""

    draw: PlannedDraw
    request: Request
    refused: list[Refused] = field(default_factory=list)
    others: Iterator[Substitute] | None = None


class PlanLoader:
    """Iterates over the steps of a plan from where a run stands. Use it in a ``with``, or `close` it."""

    def __init__(
        self,
        plan: str,
        shards: str,
        *,
        rank: int = 0,
        world: int = 1,
        start: int | LoaderState = 0,
        workers: int = 0,
        ahead: int = 2,
        ledger: str | Path | None = None,
        transform: Callable[..., Any] | None = None,
        known: KnownPictures | None = None,
        decoder: Decoder = "auto",
        patience: Patience = DEFAULT_PATIENCE,
        cache_bytes: int = 0,
        storage: dict[str, str] | None = None,
    ) -> None:
        """Open a plan's folder and the shard set's (or the ``shards`` folder above it); both local or on a store.

        ``start`` is a step or the state of a run. ``workers`` processes read ``ahead`` steps in advance; 0 reads where
        it is called. ``ledger`` is the folder all ranks write what they consumed to. ``transform`` is applied to
        every `Window` where it is read and must be importable there, and so must ``known``, which says of which
        pictures it needs no pixels. Raises StoreError when plan, shards, state and
        ledger do not belong together.
        """
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}: expected 0 ≤ rank < world")
        if ahead < 1:
            raise ValueError(f"ahead: found {ahead}, expected at least 1 step")
        self.plan = LoadPlan.open(plan, storage)
        self._rank, self._world, self._ahead = rank, world, ahead
        blobs = self._blobs = shard_set_folder(shards, storage)
        self._captions: dict[str, Captions] = {}
        self._where = blobs.url
        self._locations: Locations = read_locations(blobs)
        self._catalogue = read_catalogue(blobs).digest
        state = start if isinstance(start, LoaderState) else LoaderState(self.plan.plan_hash, start)
        self._step = _first_step(self.plan, state, plan)
        self._ledger = _ledger_of(ledger, self.plan, state, rank)
        self._bad: dict[tuple[int, Seen], tuple[Refused, ...]] = {}
        """Events whose bytes are wrong: they will be no better the next time."""
        self._asked: dict[int, _Asked] = {}
        self._requested = self._step
        reader = RangeReader(blobs, cache_bytes=cache_bytes)
        self.pool = WorkerPool(Job(reader, decoder, transform, known), workers, patience)

    def __iter__(self) -> Iterator[LoadedStep]:
        while self._step < self.plan.n_steps:
            yield self._next()

    def state(self) -> LoaderState:
        """Where the run stands after the last step handed over; the ledger is on disk up to there."""
        head = "" if self._ledger is None else self._ledger.sync()
        return LoaderState(self.plan.plan_hash, self._step, head, self._rank)

    def close(self) -> None:
        """End workers and close the ledger."""
        self.pool.close()
        if self._ledger is not None:
            self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> LoadedStep:
        step = self._step
        last = min(step + self._ahead, self.plan.n_steps)
        for coming in range(max(self._requested, step), last):
            for pack in self._packs(coming):
                for draw in pack.draws:
                    self._ask(coming, draw)
        self._requested = max(self._requested, last)
        packs: list[LoadedPack] = []
        substitutions: list[Substitution] = []
        planned = self._packs(step)
        for pack in planned:
            windows = []
            for draw in pack.draws:
                window, substitution = self._take(step, draw)
                windows.append(window)
                if substitution is not None:
                    substitutions.append(substitution)
            packs.append(LoadedPack(pack.slot, tuple(windows)))
        draws = tuple(draw.draw for pack in planned for draw in pack.draws)
        if self._ledger is not None:
            record = Consumed(step, self._world, np.array(draws, np.int64), tuple(substitutions))
            self._ledger.append(record)
        self._step = step + 1
        return LoadedStep(step, tuple(packs), draws, tuple(substitutions))

    def _packs(self, step: int) -> tuple[PlannedPack, ...]:
        chapter = self.plan.chapter(step)
        if chapter.catalogue != self._catalogue:
            raise StoreError(
                f"{self._where}: step {step} of the plan was compiled from other training events (shard set "
                f"{chapter.shard_set_id}); open that set, or compile a plan from this one with `joinery compile`"
            )
        return self.plan.rank_packs(step, self._rank, self._world)

    def _ask(self, step: int, draw: PlannedDraw) -> None:
        planned = Substitute(draw.event, draw.kind, draw.first_frame, draw.n_frames, draw.n_tokens)
        request = self._request(step, draw, 0, planned)
        self._asked[draw.draw] = _Asked(draw, request)
        if (request.row, request.seen) not in self._bad:
            self.pool.submit((draw.draw, 0), request)

    def _take(self, step: int, draw: PlannedDraw) -> tuple[Any, Substitution | None]:
        """What a draw has come to, substitutes tried until one can be read."""
        asked = self._asked.pop(draw.draw)
        while True:
            found = self._answer(asked.request)
            if not isinstance(found, Damaged):
                break
            asked.refused += found.refused
            self._refuse_tampered(found)
            own = asked.request.location.event_id
            if all(refused.why == CHECKSUM and refused.event_id == own for refused in found.refused):
                self._bad[asked.request.row, asked.request.seen] = found.refused
            asked.request = self._substitute(step, asked)
            if (asked.request.row, asked.request.seen) not in self._bad:
                self.pool.submit((draw.draw, asked.request.attempt), asked.request, urgent=True)
        if not asked.refused:
            return found, None
        request = asked.request
        return found, Substitution(
            draw=draw.draw,
            row=request.row,
            kind=int(request.kind),
            first_frame=request.first_frame,
            n_frames=request.n_frames,
            n_tokens=request.n_tokens,
            refused=tuple((item.event_id, item.member, item.why.partition(":")[0]) for item in asked.refused),
        )

    def _answer(self, request: Request) -> Any:
        known = self._bad.get((request.row, request.seen))
        key = request.draw, request.attempt
        if known is not None and not self.pool.asked(key):
            return Damaged(request.draw, request.attempt, known)
        return self.pool.take(key)

    def _refuse_tampered(self, found: Damaged) -> None:
        """In a set whose signature is required, other bytes than those signed are no accident to be made up for."""
        changed = [item for item in found.refused if item.why == CHECKSUM]
        if changed and isinstance(self._blobs, SignedBlobs):
            raise StoreError(
                f"{self._where}: {changed[0].member} of {changed[0].event_id} was changed after signing; do not train "
                "on this set, fetch it again"
            )

    def _substitute(self, step: int, asked: _Asked) -> Request:
        chapter = self.plan.chapter(step)
        if asked.others is None:
            columns = self.plan.segment_arrays(self._segment_of(step))
            asked.others = substitutes(columns, asked.draw, chapter.spec)
        other = next(asked.others, None)
        if other is None:
            cells, cell = self.plan.cells(chapter), asked.draw.cell
            reasons = "; ".join(f"{item.event_id} {item.member}: {item.why}" for item in asked.refused[:4])
            raise StoreError(
                f"{self._where}: draw {asked.draw.draw} of step {step} cannot be read, and nothing can take its place: "
                f"of cell {cells.vision_language[cell]}/{cells.action[cell]} every event this segment draws and that "
                f"is short enough was refused ({asked.request.attempt + 1} tried; {reasons}). Run `joinery verify`, "
                "mend what it names, and publish the set and compile the plan again"
            )
        return self._request(step, asked.draw, asked.request.attempt + 1, other)

    def _segment_of(self, step: int) -> int:
        return bisect_right([segment.first_step for segment in self.plan.header.segments], step) - 1

    def _request(self, step: int, draw: PlannedDraw, attempt: int, window: Substitute) -> Request:
        spec = self.plan.chapter(step).spec
        others = self._pieces(window) if spec.reaches else ()
        return Request(
            draw=draw.draw,
            attempt=attempt,
            row=window.event,
            cell=draw.cell,
            kind=window.kind,
            first_frame=window.first_frame,
            n_frames=window.n_frames,
            n_tokens=window.n_tokens,
            location=self._locations[window.event],
            seen=Seen(spec.max_views, spec.max_frames, spec.frames_per_latent),
            others=tuple(Piece(self._locations[row], *frames) for row, *frames in others),
            named=() if spec.caption == "own" else self._named(spec.caption, [row for row, *_ in others], window),
        )

    def _pieces(self, window: Substitute) -> list[tuple[int, int, int]]:
        """What a window is made of that reaches over the edges of its event; nothing where it does not."""
        timeline = self._timeline
        frames = self._locations.n_frames
        if window.first_frame >= 0 and window.first_frame + window.n_frames <= frames[window.event]:
            return []
        return pieces_of(window.event, window.first_frame, window.n_frames, frames, timeline)

    def _named(self, level: Caption, rows: list[int], window: Substitute) -> tuple[Named, ...]:
        """What the stretch around a window is called at a level."""
        if level not in self._captions:
            self._captions[level] = Captions(self._blobs, level)
        timeline, rows = self._timeline, rows or [window.event]
        first, last = int(timeline.start_ns[rows[0]]), int(timeline.end_ns[rows[-1]])
        return self._captions[level].between(timeline.episode_id[rows[0]], first, last)

    @cached_property
    def _timeline(self) -> Timeline:
        return read_timeline(self._blobs)


def _first_step(plan: LoadPlan, state: LoaderState, where: str) -> int:
    if not 0 <= state.step <= plan.n_steps:
        raise StoreError(f"{where}: step {state.step} of a plan of {plan.n_steps}")
    if not plan.continues(state.plan_hash, state.step):
        raise StoreError(
            f"{where}: its hash is {plan.plan_hash}, the run has done {state.step} steps of {state.plan_hash}, which "
            "is not what this one grew from; resume with the plan the run was begun with"
        )
    return state.step


def _ledger_of(folder: str | Path | None, plan: LoadPlan, state: LoaderState, rank: int) -> ConsumptionLedger | None:
    if folder is None:
        return None
    ledger = ConsumptionLedger(Path(folder), plan.plan_hash, rank)
    if state.ledger and state.rank == rank and state.step:
        found = ledger.head_after(state.step - 1)
        if found != state.ledger:
            ledger.close()
            raise StoreError(
                f"{ledger.path}: after step {state.step - 1} its hash is {found or 'not there'}, the run's state says "
                f"{state.ledger}; this is the ledger of another run"
            )
    return ledger
