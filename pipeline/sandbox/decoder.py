"""Records of one item or one listing, made by a process that can do nothing else. What a worker calls.

Whatever a source file does to the library that reads it, one item pays: a crash, a loop, a bomb, even code that runs.
The same records come out as without the sandbox, through the same codec that tables are written with.
"""

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from pydantic import BaseModel

from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sandbox.broker import Broker
from pipeline.sandbox.confinement import Allowance
from pipeline.sandbox.ended import KilledError, died, told_error
from pipeline.sandbox.inside import LISTED
from pipeline.sandbox.messages import MisbehavedError, packed, receive, send, tables_of, unpacked
from pipeline.sandbox.nursery import Ended
from pipeline.sandbox.nursery_process import LostError, NurseryProcess
from pipeline.sources.reference import format_of, reading_part, stated_part
from pipeline.stage import Bundle, Stage
from schemas.finding import Finding
from schemas.recipe_sandbox import GIB, SandboxSpec
from schemas.recipe_source import SourceSection
from schemas.source import EpisodeRef

_BY_THE_CLOCK = 4
"""Wall seconds per CPU second: machines are busy and object stores slow."""
_ALIVE_EVERY_S = 1.0


@dataclass(frozen=True)
class _Wanted:
    """One item of work for a decoding process."""

    name: str
    """For messages."""
    format: str
    """Of its source."""
    allowance: Allowance
    begin: Callable[[Connection], None]
    """Says what is to be done."""
    kinds: Mapping[str, type]
    """What may come back, by name."""
    check: Callable[[Any], None] = lambda _record: None
    """Raises MisbehavedError for a record that cannot be right."""


class Decoder:
    """Decoding processes of one worker, made when they are needed and kept for the next item."""

    def __init__(self, spec: SandboxSpec) -> None:
        self._spec = spec
        self._idle: list[NurseryProcess] = []

    def records(self, stage: Stage, bundle: Bundle, spec: BaseModel) -> Iterator[object]:
        """What ``stage.run(bundle, spec)`` yields, or raises.

        Raises DecoderDiedError when the item broke its process or a limit, KilledError when somebody else did: that may
        be tried again.
        """
        ref, files = bundle.episode_ref(), bundle.source_files()
        head = {
            "do": "stage",
            "module": stage.run.__module__,
            "stage": stage.name,
            "item": bundle.item,
            "work_key": bundle.work_key,
            "spec": f"{type(spec).__module__}:{type(spec).__qualname__}",
            "slice": json.loads(spec.model_dump_json()),
        }
        inputs = list(tables_of(record for records in bundle.records.values() for record in records))

        def begin(pipe: Connection) -> None:
            send(pipe, {**head, "tables": len(inputs)}, packed(EpisodeRef, [ref]))
            for name, table in inputs:
                send(pipe, {"records": name}, table)

        n_bytes = sum(file.n_bytes for file in ref.files)
        name, allowance = f"{ref.source}, {ref.locator}", self._allowance(n_bytes)
        wanted = _Wanted(name, format_of(ref), allowance, begin, _by_name(stage.writes))
        yield from self._made(wanted, Broker(files))

    def listing(self, spec: SourceSection, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
        """What `pipeline.sources.formats.discover` yields, or raises; a listing that dies is a SourceError.

        Ended by silence alone: how long a listing takes depends on how much there is.
        """
        source = spec.model_dump(mode="json")
        head = {"do": "list", "source": source, "root": files.root}

        def check(row: Any) -> None:
            check_listed(row, spec, files)

        allowance = self._allowance(0, listing=True)
        wanted = _Wanted(spec.name, source["format"], allowance, lambda pipe: send(pipe, head), _by_name(LISTED), check)
        for row in self._made(wanted, Broker(files, digests)):
            assert isinstance(row, EpisodeRef | Finding)
            yield row

    def close(self) -> None:
        """End the processes there are."""
        while self._idle:
            self._idle.pop().close()

    def _allowance(self, n_bytes: int, *, listing: bool = False) -> Allowance:
        spec = self._spec
        seconds = spec.seconds + round(spec.seconds_per_mib * n_bytes / (1 << 20))
        return Allowance(
            memory_bytes=round(spec.memory_gib * GIB),
            cpu_s=0 if listing else seconds,
            wall_s=float(_BY_THE_CLOCK * seconds),
            disk_bytes=round(spec.disk_gib * GIB),
            required=spec.mode == "required",
        )

    def _made(self, wanted: "_Wanted", broker: Broker) -> Iterator[object]:
        name, allowance = wanted.name, wanted.allowance
        nursery = self._idle.pop() if self._idle else NurseryProcess()
        ended: Ended | None = None
        try:
            with closing(nursery.begin(allowance, wanted.format)) as pipe, closing(broker):
                wrong = yield from _heard(pipe, broker, nursery, wanted)
            ended = nursery.ended()
        except LostError as error:
            raise KilledError(f"{name}: the nursery of decoders was killed from outside") from error
        finally:
            ended = ended or _collected(nursery)
            if ended is None:
                nursery.close()
            else:
                self._idle.append(nursery)
        if wrong is not None and ended is not None:
            raise died(name, ended, allowance, broker.last_opened, wrong)


def _heard(
    pipe: Connection, broker: Broker, nursery: NurseryProcess, wanted: _Wanted
) -> Generator[object, None, str | None]:
    """The records. Returns None when all are said, else what was done wrong; empty when it just ended."""
    try:
        wanted.begin(pipe)
        for head, payload in _told(pipe, broker, nursery, wanted.allowance):
            if "done" in head:
                return None
            if "records" not in head:
                raise told_error(wanted.name, head, wanted.allowance)
            rows = unpacked(wanted.kinds, head["records"], payload)
            for row in rows:
                wanted.check(row)
            yield from rows
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return ""
    except MisbehavedError as error:
        return str(error)
    finally:
        nursery.stop()  # after the last word there is nothing to wait for
    return ""


def _told(
    pipe: Connection, broker: Broker, nursery: NurseryProcess, allowance: Allowance
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What the decoder has to say besides its questions, which are answered on the way."""
    left, heard = allowance.disk_bytes, time.monotonic()
    while True:
        head, payload = receive(pipe)
        left -= len(payload)
        if left < 0:
            raise MisbehavedError(f"more than {allowance.disk_bytes / GIB:g} GiB of records (run.sandbox.disk_gib)")
        if not allowance.cpu_s and time.monotonic() - heard > _ALIVE_EVERY_S:
            nursery.alive()
            heard = time.monotonic()
        if "ask" in head:
            broker.answer(pipe, head)
        else:
            yield head, payload


def _collected(nursery: NurseryProcess) -> Ended | None:
    """The end of an item that nobody waits for any more."""
    nursery.stop()
    try:
        return nursery.ended()
    except LostError:
        return None


def _by_name(kinds: Any) -> dict[str, type]:
    return {kind.__name__: kind for kind in kinds}


def check_listed(found: EpisodeRef | Finding, spec: SourceSection, files: SourceFiles) -> None:
    """What a listing says of its source is the recipe's to say: whose it is, where it lies, how it may be used.

    Raises MisbehavedError.
    """
    if found.source != spec.name:
        raise MisbehavedError(f"a listing of {spec.name!r} that speaks of {found.source[:64]!r}")
    if isinstance(found, Finding):
        return
    try:
        told = (found.root, found.kind, found.dataset, stated_part(found))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MisbehavedError(f"{found.locator[:200]!r}: metadata that are none") from error
    if told != (files.root, spec.kind, spec.name, json.loads(json.dumps(reading_part(spec)))):
        raise MisbehavedError(f"{found.locator[:200]!r}: a reference that is not of the recipe's source {spec.name!r}")


@cache
def decoder_of(spec: SandboxSpec) -> Decoder:
    """The decoder of this process. Kept like a model: starting one takes a second."""
    return Decoder(spec)
