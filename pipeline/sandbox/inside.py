"""What a decoding process does: it is told of one item, gives everything up, reads, and sends records back.

Nothing here is trusted by the other side. Errors travel as their name and text.
"""

import json
import os
import sqlite3
import tempfile
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from pydantic import BaseModel, TypeAdapter

from pipeline.sandbox.brokered_files import Asking, BrokeredDigests, BrokeredFiles
from pipeline.sandbox.confinement import Allowance, UnconfinedError, confine
from pipeline.sandbox.messages import receive, send, tables_of, unpacked
from pipeline.sources import formats
from pipeline.stage import Bundle, Stage
from schemas.finding import Finding
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef

LISTED = frozenset({EpisodeRef, Finding})
_TRACEBACK = 100_000
_SOURCE: TypeAdapter[Any] = TypeAdapter(SourceSpec)


def decode(pipe: Connection, allowance: Allowance, folder: str, code: Sequence[str]) -> None:
    """Do one item and send what came of it; returns when everything is said."""
    try:
        head, payload = receive(pipe)
        records, kinds = (_listing if head["do"] == "list" else _stage)(pipe, head, payload)
        _temporary_files_in(folder)
        confine(allowance, folder, code)
        _send(pipe, records, kinds, str(head.get("stage", "discover")))
    except UnconfinedError as error:
        send(pipe, {"unconfined": str(error)})
    except EOFError:
        return  # nobody listens
    except Exception as error:  # noqa: BLE001 - the border: whatever it is, the worker is told
        told = "".join(traceback.format_exception(error))
        kind = {"failed": type(error).__name__, "errno": getattr(error, "errno", None) or 0}
        more = {"memory": isinstance(error, MemoryError), "message": str(error), "traceback": told[-_TRACEBACK:]}
        send(pipe, kind | more)


def _temporary_files_in(folder: str) -> None:
    """For Python, for libraries, and for SQLite, which read its environment when it was loaded."""
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    with closing(sqlite3.connect(":memory:")) as sql:
        sql.execute(f"PRAGMA temp_store_directory = '{folder}'")
    os.chdir(folder)


def _send(pipe: Connection, records: Iterable[object], kinds: frozenset[type], stage: str) -> None:
    """Records as they come."""

    def declared() -> Iterable[object]:
        for record in records:
            if type(record) not in kinds:
                raise TypeError(f"stage {stage} wrote ['{type(record).__name__}'], which it does not declare")
            yield record

    for name, table in tables_of(declared()):
        send(pipe, {"records": name}, table)
    send(pipe, {"done": True})


def _stage(pipe: Connection, head: Mapping[str, Any], payload: bytes) -> tuple[Iterable[object], frozenset[type]]:
    stage: Stage = import_module(head["module"]).STAGE
    spec = _model(head["spec"]).model_validate_json(json.dumps(head["slice"]))
    (ref,) = unpacked({"EpisodeRef": EpisodeRef}, "EpisodeRef", payload)
    records: dict[type, list[Any]] = {read.record: [] for read in stage.reads}
    known = {record.__name__: record for record in records}
    for _ in range(head["tables"]):
        table, rows = receive(pipe)
        records[known[table["records"]]] += unpacked(known, table["records"], rows)
    files = BrokeredFiles(ref.root, asking=Asking(pipe))
    bundle = Bundle(head["item"], head["work_key"], ref=ref, files=files, records=records)
    return _lazily(lambda: stage.run(bundle, spec)), frozenset(stage.writes)


def _listing(pipe: Connection, head: Mapping[str, Any], _payload: bytes) -> tuple[Iterable[object], frozenset[type]]:
    spec = _SOURCE.validate_python(head["source"])
    asking = Asking(pipe)
    files = BrokeredFiles(head["root"], asking=asking)
    return _lazily(lambda: formats.discover(spec, files, BrokeredDigests(asking))), LISTED


def _lazily(call: Any) -> Iterable[object]:
    """Nothing is called before the process has given everything up."""
    yield from call()


def _model(name: str) -> type[BaseModel]:
    module, _, attribute = name.partition(":")
    model: type[BaseModel] = getattr(import_module(module), attribute)
    return model
