"""The proof: every file of a folder searched, as it lies there and opened, and whatever is found named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.forget.contents import UnopenedError, Values, values_in, values_of_batches
from pipeline.forget.search import Search
from schemas.takedown import FOLDER, Proof, Terms

MOST_SHOWN = 3
LANCE = ".lance"
_BOOKKEEPING = re.compile(r"tables/[^/]+/_|at_work/")
"""Searched, but not counted: how many versions a table has gone through is chance, and a proof says the same twice."""


@dataclass(frozen=True)
class Remaining:
    """One file that still holds something, or could not be looked into."""

    path: str
    """Below the folder that was searched."""
    why: str


@dataclass(frozen=True)
class Searched:
    """What a search saw."""

    n_files: int
    n_bytes: int
    n_values: int
    remaining: tuple[Remaining, ...]

    def __add__(self, other: Searched) -> Searched:
        return Searched(
            self.n_files + other.n_files,
            self.n_bytes + other.n_bytes,
            self.n_values + other.n_values,
            self.remaining + other.remaining,
        )

    def proof(self, terms: Terms) -> Proof:
        """The record of a search that found nothing. Raises StoreError when it found something."""
        if self.remaining:
            raise StoreError(f"{self.remaining[0].path}: {self.remaining[0].why}")
        kinds = Counter([*terms.ids.values(), *terms.texts.values(), *terms.contents.values()])
        return Proof(
            terms=dict(sorted(kinds.items())), n_files=self.n_files, n_bytes=self.n_bytes, n_values=self.n_values
        )


Decode = Callable[[str], Iterator[pa.RecordBatch]]
"""The rows of one of the workspace's data files (`pipeline.store.Workspace.rows_of_file`)."""


def search_folder(
    blobs: Blobs, terms: Terms, decode: Decode | None = None, skip: Sequence[str] = (f"{FOLDER}/",)
) -> Searched:
    """Every file below a folder but those whose path begins with one of ``skip``, unfinished ones too."""
    search, found = Search(terms), Searched(0, 0, 0, ())
    for path in blobs.list("", unfinished=True):
        if not path.startswith(tuple(skip)):
            found += _search_file(blobs, path, search, decode)
    return found


def _search_file(blobs: Blobs, path: str, search: Search, decode: Decode | None) -> Searched:
    kinds, size, seen = Counter[str](), [0], [0]
    kinds.update(f"{what} in its name" for what in search.in_bytes(path.encode()))
    unopened = ""
    try:
        with blobs.open(path) as stream:
            kinds.update(search.in_stream(stream, size))
        for value in _values(blobs, path, decode):
            seen[0] += len(value)
            kinds.update(search.in_value(value))
    except UnopenedError as error:
        unopened = f"cannot be looked into ({error})"
    except FileNotFoundError:  # gone since it was listed
        return Searched(0, 0, 0, ())
    said = "; ".join([f"{n} × {what}" for what, n in sorted(kinds.items())[:MOST_SHOWN]] + [unopened] * bool(unopened))
    counts = (0, 0) if _BOOKKEEPING.match(path) else (1, size[0])
    return Searched(*counts, seen[0], (Remaining(path, said),) if said else ())


def _values(blobs: Blobs, path: str, decode: Decode | None) -> Values:
    if path.endswith(LANCE) and decode is not None:
        return values_of_batches(decode(path))
    return _opened(blobs, path)


def _opened(blobs: Blobs, path: str) -> Values:
    with blobs.open(path) as stream:
        yield from values_in(stream)
