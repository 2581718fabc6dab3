"""A shard set's own files, as its card is counted from: tables to query, and the JSON files beside them."""

import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as pads
import yaml

from pipeline.blobs import Blobs
from pipeline.cards.tables import RECORDS
from pipeline.loader.names import SET, STATS
from pipeline.shards.holes import holes_in
from pipeline.sql import Sql, in_memory

PLAN, RECIPE, CARD_SOURCE = "plan.json", "recipe.yaml", "card.yaml"
FACTS, README, CROISSANT, PAGE = "facts.json", "README.md", "croissant.json", "card.html"
PAPERS = (FACTS, README, CROISSANT, PAGE)
"""What is made of all the others, and so counts in no number of theirs."""
_CHUNK = 1 << 20


@dataclass(frozen=True)
class DataFile:
    """A file of the set that is no card."""

    name: str
    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Shard:
    """A tar, as ``set.json`` lists it."""

    shard: str
    split: str
    n_samples: int
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class SetFiles:
    """Everything a card may be counted from."""

    query: Sql
    """Every table under its file's name without the ending."""
    plan: Mapping[str, Any]
    statistics: Mapping[str, Any]
    recipe: Mapping[str, Any]
    shards: tuple[Shard, ...]
    files: tuple[DataFile, ...]
    """All but tars and papers, by name."""
    n_taken_out: int = 0
    """Samples that were taken down since the set was made."""


def tables_at(blobs: Blobs, paths: Mapping[str, str]) -> Sql:
    """A connection that sees each parquet file as a table. One thread, so that the same rows come in the same order.

    Cards ask dozens of questions, each of which reads its tables anew, so those of an object store are fetched first.
    """
    connection = in_memory(threads=1)
    fetched = tempfile.TemporaryDirectory() if blobs.bucket is not None else None
    for name, path in paths.items():
        here = blobs.local(path) if fetched is None else _fetched(blobs, path, Path(fetched.name) / name)
        connection.register(name.removesuffix(".parquet"), pads.dataset(str(here)))
    if fetched is not None:
        weakref.finalize(connection, fetched.cleanup)
    return connection


def _fetched(blobs: Blobs, path: str, here: Path) -> Path:
    with blobs.open(path) as source, here.open("wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
    return here


def files_of(
    blobs: Blobs, tables: Mapping[str, str], texts: Mapping[str, str], shards: Iterable[Shard], n_taken_out: int = 0
) -> SetFiles:
    """A set's before it is written: ``tables`` says where each lies for now, ``texts`` what its other files will be."""
    files = [data_file(blobs, name, path) for name, path in tables.items()]
    files += [text_file(name, text) for name, text in texts.items()]
    return SetFiles(
        query=tables_at(blobs, tables),
        plan=json.loads(texts[PLAN]),
        statistics=json.loads(texts[STATS]),
        recipe=yaml.safe_load(texts[RECIPE]),
        shards=tuple(shards),
        files=tuple(sorted(files, key=lambda file: file.name)),
        n_taken_out=n_taken_out,
    )


def set_files(blobs: Blobs, folder: str) -> SetFiles:
    """A published set's. Raises OSError, KeyError or ValueError where a file is not there or cannot be read."""
    described = json.loads(blobs.read(f"{folder}/{SET}"))
    names = [name for name in sorted(described["files"]) if name not in PAPERS]
    return SetFiles(
        query=tables_at(blobs, {name: f"{folder}/{name}" for name in RECORDS}),
        plan=json.loads(blobs.read(f"{folder}/{PLAN}")),
        statistics=json.loads(blobs.read(f"{folder}/{STATS}")),
        recipe=yaml.safe_load(blobs.read(f"{folder}/{RECIPE}")),
        shards=tuple(Shard(**shard) for shard in described["shards"]),
        files=tuple(data_file(blobs, name, f"{folder}/{name}") for name in names),
        n_taken_out=sum(map(len, holes_in(described).values())),
    )


def data_file(blobs: Blobs, name: str, path: str) -> DataFile:
    """A file's digest and size, from its bytes."""
    hasher, n_bytes = hashlib.sha256(), 0
    with blobs.open(path) as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            n_bytes += len(chunk)
    return DataFile(name, hasher.hexdigest(), n_bytes)


def text_file(name: str, text: str) -> DataFile:
    """The same for a text that is not written yet."""
    data = text.encode()
    return DataFile(name, hashlib.sha256(data).hexdigest(), len(data))
