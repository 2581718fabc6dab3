"""Doing one batch of work: load the inputs, call the stage, write an attempt. The same on every executor.

Here exceptions become values: whatever one item raises is quarantined with its traceback and loses nothing else.
Numeric libraries run on one thread, because results must not depend on how many cores a machine has.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

import cv2
import pyarrow as pa
from threadpoolctl import threadpool_limits

from annotators.vlm.endpoint import Server
from jobs.asking import asker_of
from jobs.meter import Meter
from jobs.river import stage_named
from jobs.telemetry.captured import captured
from pipeline.attempt import Attempt, AttemptWriter, new_attempt
from pipeline.errors import ServiceError, StoreError, UnreachableError, store_fault
from pipeline.heap import large_blocks_kept
from pipeline.input_listing import listed_attempts
from pipeline.sandbox.decoder import decoder_of
from pipeline.sandbox.ended import KilledError, ToldError
from pipeline.stage import Bundle, Match, Model, Question, Scope, Stage
from pipeline.store import Workspace, one_of, stream_rows
from pipeline.work_item import WorkItem
from schemas import arrow
from schemas.finding import Failure
from schemas.identity import digest
from schemas.model_call import ModelCall
from schemas.plan import Draw
from schemas.recipe import Recipe
from schemas.run import WorkDone

RECORDS_AT_ONCE = 4096
"""Records turned into Arrow at a time; as Python objects they take ten times the memory."""
LOADED_AT_ONCE = 32
"""Items of a stage with a model whose inputs are in memory together, however many share its batches."""
DECODER_DEATHS = 2
"""How often an item is begun again when its decoding process is killed from outside; then it is taken for its fault."""


@dataclass(frozen=True)
class Batch:
    """A few items of one stage, picklable: what an executor sends to a worker."""

    workspace: Workspace
    recipe: Recipe
    run_id: str
    stage: str
    items: tuple[WorkItem, ...]
    servers: tuple[Server, ...] = ()
    """Those that the stage asks."""
    gpus: float = 0.0
    """What the worker holds of them (`jobs.placement`)."""


def run_batch(batch: Batch) -> Attempt:
    """Do a batch. A bad item becomes a value, and so does a service that is down: what was done before it is kept.

    Raises StoreError when storage or the machine failed.
    """
    stage = stage_named(batch.stage)
    spec = stage.recipe_slice(batch.recipe)
    writer, meter = AttemptWriter(batch.workspace), Meter(batch.run_id, batch.stage, batch.gpus)
    done: list[WorkDone] = []
    failures: list[Failure] = []
    calls: list[ModelCall] = []
    stopped = ""

    def write_down(call: ModelCall) -> None:
        calls.append(replace(call, run_id=batch.run_id))

    def completed(bundle: Bundle) -> Bundle:
        blobs = None if bundle.blobs is None else meter.blobs(bundle.blobs)
        return replace(bundle, asker=asker(bundle.item), blobs=blobs)

    with ExitStack() as open_here:
        open_here.enter_context(one_thread())
        if stage.holds_model(spec) or (stage.reads_source and batch.recipe.run.sandbox.mode == "off"):
            open_here.enter_context(large_blocks_kept())
        notes = open_here.enter_context(captured())
        asker = open_here.enter_context(asker_of(stage, batch.recipe, batch.workspace, batch.servers, write_down))
        work = _asked(batch, stage, spec, completed) if stage.model else _begun(batch, stage, spec, completed)
        for item, records_of in open_here.enter_context(closing(work)):
            started = time.monotonic()
            try:
                attempt, output_key = _written(stage, records_of, writer, item.work_key)
            except UnreachableError:
                raise  # what this batch did cannot be written either
            except ServiceError as error:
                stopped = str(error)
                break
            except (MemoryError, OSError) as error:
                raise _not_the_items_fault(f"stage {stage.name}, {item.item}", error) from error
            except Exception as error:  # the stage boundary: any error of one item becomes a value
                if (fault := store_fault(error)) is not None:
                    raise fault from error
                failures.append(_failure(batch, item, error))
                continue
            seconds = round(time.monotonic() - started, 3)
            done.append(
                WorkDone(
                    item.work_key, stage.name, item.item, attempt, output_key, batch.run_id, seconds, item.continues
                )
            )
            with _told_of(batch):
                writer.flush_if_large()
    with _told_of(batch):
        fragments = writer.finish()
    cost = meter.cost(len(done), len(failures), [item.ref for item in batch.items], fragments, calls)
    return Attempt(fragments, tuple(done), tuple(failures), tuple(calls), stopped, cost, notes.notes())


Completed: TypeAlias = Callable[[Bundle], Bundle]
"""Gives an item's bundle whom it may ask, and blobs that are counted."""
Work: TypeAlias = Generator[tuple[WorkItem, Callable[[], Iterable[object]]], None, None]
"""Every item of a batch, in order, with the call that gives its records or raises what is wrong with it."""


def _begun(batch: Batch, stage: Stage, spec: Any, completed: Completed) -> Work:
    """Items one after the other, or several at once in threads."""
    load, items = _loader(batch, stage, completed), batch.items
    at_once = min(stage.at_once(spec), len(items))
    if at_once <= 1:
        for item in items:
            yield item, partial(_records, batch.recipe, stage, spec, load, item)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        futures = [
            pool.submit(lambda item: list(_records(batch.recipe, stage, spec, load, item)), item) for item in items
        ]
        for item, future in zip(items, futures, strict=True):
            yield item, future.result
    finally:
        pool.shutdown(cancel_futures=True)


def _asked(batch: Batch, stage: Stage, spec: Any, completed: Completed) -> Work:
    """Items whose stage has a model: questions are brought together until it has enough to look at.

    Inputs are loaded for a few items at a time; what waits for the model is its inputs alone.
    """
    assert stage.model is not None
    model = stage.model(spec)
    waiting: list[tuple[WorkItem, Future[Question[object]]]] = []
    n_inputs = 0
    for start in range(0, len(batch.items), LOADED_AT_ONCE):
        part = replace(batch, items=batch.items[start : start + LOADED_AT_ONCE])
        load = _loader(part, stage, completed)
        for item in part.items:
            question = _tried(partial(lambda item, load: model.question(load(item), spec), item, load))
            waiting.append((item, question))
            n_inputs += 0 if question.exception() else len(question.result().inputs)
            if n_inputs >= model.n_at_once:
                yield from _answered(model, waiting)
                waiting, n_inputs = [], 0
    yield from _answered(model, waiting)


def _answered(model: Model, waiting: Sequence[tuple[WorkItem, Future[Question[object]]]]) -> Work:
    asked = [() if question.exception() else question.result().inputs for _, question in waiting]
    answers = iter(model.answers([single for inputs in asked for single in inputs]))
    for (item, question), inputs in zip(waiting, asked, strict=True):
        yield item, partial(_finished, question, list(islice(answers, len(inputs))))


def _finished(question: Future[Question[object]], answers: Sequence[Any]) -> Iterable[object]:
    return question.result().finish(answers)


def _tried(call: Callable[[], Question[object]]) -> Future[Question[object]]:
    """A call's result or what it raised, to be asked for when the item's turn comes."""
    tried: Future[Question[object]] = Future()
    try:
        tried.set_result(call())
    except Exception as error:  # noqa: BLE001 - the stage boundary: raised again where the item is written
        tried.set_exception(error)
    return tried


def _records(
    recipe: Recipe, stage: Stage, spec: Any, load: Callable[[WorkItem], Bundle], item: WorkItem
) -> Iterable[object]:
    """An item's records; where source files are opened for them, another process does that (`pipeline.sandbox`)."""
    bundle, sandbox = load(item), recipe.run.sandbox
    if stage.reads_source and sandbox.mode != "off":
        return decoder_of(sandbox).records(stage, bundle, spec)
    return stage.run(bundle, spec)


def _written(
    stage: Stage, records_of: Callable[[], Iterable[object]], writer: AttemptWriter, work_key: str
) -> tuple[str, str]:
    """Attempt and output key of an item. One whose decoding process was killed from outside is begun again."""
    for _ in range(DECODER_DEATHS):
        attempt = new_attempt()
        with suppress(KilledError):
            return attempt, _write(stage, records_of(), writer, work_key, attempt)
    attempt = new_attempt()
    return attempt, _write(stage, records_of(), writer, work_key, attempt)


def _write(stage: Stage, made: Iterable[object], writer: AttemptWriter, work_key: str, attempt: str) -> str:
    """Hand an item's records to the writer as they come; returns the output key."""
    contents: list[bytes] = []
    records = iter(made)
    while part := list(islice(records, RECORDS_AT_ONCE)):
        _check_types(stage, part)
        writer.add(part, work_key, attempt)
        if stage.content_keyed:
            contents += [_content_of(record) for record in part if type(record) not in stage.notes]
    return digest(*contents) if stage.content_keyed else work_key


def _not_the_items_fault(what: str, error: Exception) -> StoreError:
    """Readers raise SourceError for a bad recording; what else the system refuses would refuse other items too."""
    return StoreError(
        f"{what}: {type(error).__name__}: {error}; storage or memory failed, not the recording: nothing is quarantined "
        "for it; run again once that is mended"
    )


@contextmanager
def _told_of(batch: Batch) -> Iterator[None]:
    """While a batch's results are written: what the system refuses then is told in one line, on every executor."""
    try:
        yield
    except (MemoryError, OSError) as error:
        others = len(batch.items) - 1
        more = f" and {others} other{'s' * (others > 1)}" if others else ""
        what = f"stage {batch.stage}: the results of {batch.items[0].item}{more} cannot be written"
        raise _not_the_items_fault(what, error) from error


class one_thread:  # noqa: N801 - reads as a statement: ``with one_thread():``
    """BLAS, OpenMP and OpenCV on a single thread; restored on leaving. The one user of torch sees to itself."""

    def __enter__(self) -> None:
        self._pools = threadpool_limits(1)
        self._cv2 = cv2.getNumThreads()
        cv2.setNumThreads(1)

    def __exit__(self, *_: object) -> None:
        cv2.setNumThreads(self._cv2)
        self._pools.restore_original_limits()


def _loader(batch: Batch, stage: Stage, completed: Completed) -> Callable[[WorkItem], Bundle]:
    """What an item of the stage gets to see, and whom it may ask."""
    inputs_of = _inputs(batch, stage)
    return lambda item: completed(inputs_of(item))


def _inputs(batch: Batch, stage: Stage) -> Callable[[WorkItem], Bundle]:
    match stage.scope:
        case Scope.EPISODE:
            return _episode_loader(batch, stage)
        case Scope.SHARD:
            return partial(_shard_bundle, batch, stage)
        case Scope.GROUP | Scope.CORPUS:
            return partial(_streaming_bundle, batch, stage)


def _episode_loader(batch: Batch, stage: Stage) -> Callable[[WorkItem], Bundle]:
    """Reads each input table once for the whole batch, then deals the rows out to the items."""
    loaded: dict[tuple[type, str], dict[str, list[Any]]] = {}
    reads = stage.under(batch.recipe).reads
    for read in reads:
        attempts = sorted({attempt for item in batch.items for attempt in item.attempts[read.stage]})
        loaded[read.record, read.stage] = batch.workspace.read(read.record, attempts)

    def bundle(item: WorkItem) -> Bundle:
        records: dict[type, list[Any]] = {read.record: [] for read in stage.reads}
        for read in reads:
            for attempt in item.attempts[read.stage]:
                records[read.record] += loaded[read.record, read.stage][attempt]
        return _bundle(batch, stage, item, records=records)

    return bundle


def _shard_bundle(batch: Batch, stage: Stage, item: WorkItem) -> Bundle:
    """A shard's draws first; they say which clips to fetch."""
    schedule = next(read for read in stage.reads if read.match is Match.SHARD)
    draws = _rows(batch, Draw, item.attempts[schedule.stage], one_of("shard", [item.item]))
    drawn = one_of("event_id", sorted({draw.event_id for draw in draws}))
    records: dict[type, list[Any]] = {}
    for read in stage.reads:
        match read.match:
            case Match.SHARD:
                records[read.record] = sorted(draws, key=lambda draw: draw.position)
            case Match.DRAWN:
                records[read.record] = _rows(batch, read.record, item.attempts[read.stage], drawn)
            case Match.ALL:
                records[read.record] = _rows(batch, read.record, item.attempts[read.stage], None)
    return _bundle(batch, stage, item, records=records)


def _streaming_bundle(batch: Batch, stage: Stage, item: WorkItem) -> Bundle:
    """Wide inputs are streamed chunk by chunk and may be read several times."""

    def stream(record: type) -> Iterator[list[Any]]:
        for read in stage.reads:
            if read.record is record:
                attempts = listed_attempts(batch.workspace, item.listing, read.stage)
                yield from stream_rows(batch.workspace, record, attempts)

    streams = {read.record: partial(stream, read.record) for read in stage.reads}
    kept = {record: partial(batch.workspace.batches, record, item.previous) for record in stage.keeps}
    return _bundle(batch, stage, item, streams=streams | kept)


def _bundle(batch: Batch, stage: Stage, item: WorkItem, **inputs: Any) -> Bundle:
    blobs = batch.workspace.blobs if stage.writes_blobs else None
    storage = batch.workspace.storage if stage.reads_source else {}
    return Bundle(
        item=item.item,
        work_key=item.work_key,
        ref=item.ref,
        review=item.review,
        blobs=blobs,
        storage=storage,
        **inputs,
    )


def _rows(batch: Batch, record: type, attempts: Sequence[str], where: str | None) -> list[Any]:
    by_attempt: dict[str, list[Any]] = batch.workspace.read(record, attempts, where)
    return [row for attempt in attempts for row in by_attempt[attempt]]


def _check_types(stage: Stage, records: Sequence[object]) -> None:
    strangers = {type(record).__name__ for record in records if type(record) not in stage.writes}
    if strangers:
        raise TypeError(f"stage {stage.name} wrote {sorted(strangers)}, which it does not declare")


def _content_of(record: object) -> bytes:
    """What a record says, as bytes that are the same whenever it says the same."""
    table = arrow.to_table(type(record), [record])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _failure(batch: Batch, item: WorkItem, error: Exception) -> Failure:
    return Failure(
        stage=batch.stage,
        item=item.item,
        source=item.ref.source if item.ref else "",
        work_key=item.work_key,
        error=error.name if isinstance(error, ToldError) else type(error).__name__,
        message=str(error),
        traceback="".join(traceback.format_exception(error)),
        run_id=batch.run_id,
    )
