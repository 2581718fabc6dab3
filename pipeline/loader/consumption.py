"""What a run has really read: an append-only ledger per rank, four bytes a draw, every record chained to those before.

A record is written when a step is handed over. A run that is killed leaves at worst half a record at the end, which is
cut off when the ledger is opened again; any other difference is damage and is named. A run that goes back to an
earlier checkpoint appends the steps again: a record voids those of its own and later steps before it. So nothing is
ever rewritten, and what counts is still one record per step and rank.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from schemas.identity import canonical_json, digest

FORMAT = 1
SUFFIX = ".ledger"
_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<QHIQ")
"""Step, world size, number of draws, smallest draw."""
_CHAIN_BYTES = 16
"""128 bits of SHA-256: enough to make a second history of the same hash impossible to find."""


@dataclass(frozen=True)
class Substitution:
    """A draw whose event could not be read, and what took its place."""

    draw: int
    row: int
    """Of the catalogue: the event that was read."""
    kind: int
    """Of the window (`WindowKind`)."""
    first_frame: int
    n_frames: int
    n_tokens: int
    refused: tuple[tuple[str, str, str], ...]
    """(event id, member, why) of everything that was refused on the way there."""


@dataclass(frozen=True, eq=False)
class Consumed:
    """One step of one rank."""

    step: int
    world: int
    draws: NDArray[np.int64]
    """Numbers of the draws, in the order handed over."""
    substitutions: tuple[Substitution, ...] = ()


class ConsumptionLedger:
    """A rank's ledger, open for appending."""

    def __init__(self, folder: Path, plan_hash: str, rank: int) -> None:
        """Open or begin the ledger. Raises StoreError when it is damaged or of another rank."""
        self.path = folder / f"rank-{rank:05d}{SUFFIX}"
        folder.mkdir(parents=True, exist_ok=True)
        header = canonical_json({"joinery_consumption": FORMAT, "plan_hash": plan_hash, "rank": rank}).encode() + b"\n"
        if not self.path.exists() or b"\n" not in self.path.read_bytes():  # killed amid the first line
            self.path.write_bytes(header)
        found = read_ledger(self.path)
        if found.rank != rank:
            raise StoreError(f"{self.path}: the ledger of rank {found.rank}, expected rank {rank}")
        self._file: BinaryIO = self.path.open("r+b")
        self._file.truncate(found.n_bytes)
        self._file.seek(found.n_bytes)
        self._chain = found.chain
        self._heads = {record.step: head for record, head in zip(found.records, found.heads, strict=True)}

    @property
    def head(self) -> str:
        """Hash of everything in the ledger."""
        return self._chain.hex()

    def head_after(self, step: int) -> str | None:
        """The hash when step ``step`` had been written; None when it is not in the ledger (any more)."""
        return self._heads.get(step)

    def append(self, record: Consumed) -> None:
        """Write a step; it is there when this returns, whatever becomes of the process."""
        payload = _encoded(record)
        self._chain = _chained(self._chain, payload)
        self._file.write(_LENGTH.pack(len(payload)) + payload + self._chain)
        self._file.flush()
        while self._heads and next(reversed(self._heads)) >= record.step:
            self._heads.popitem()
        self._heads[record.step] = self.head

    def sync(self) -> str:
        """Also survive the machine's end: to be called when a checkpoint names the head. Returns the head."""
        os.fsync(self._file.fileno())
        return self.head

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, eq=False)
class LedgerFile:
    """A ledger as it lies on disk."""

    plan_hash: str
    """Of the plan the ledger was begun with."""
    rank: int
    records: tuple[Consumed, ...]
    """Those that count: later records of a step, or of one before it, have voided the others."""
    heads: tuple[str, ...]
    """The chained hash after each of them."""
    n_voided: int
    n_bytes: int
    """Up to the end of the last whole record."""
    torn_bytes: int
    """Behind it: half a record."""
    chain: bytes


def read_ledger(path: Path) -> LedgerFile:
    """Read a ledger and check its chain. Raises StoreError naming the byte where it was changed."""
    data = path.read_bytes()
    line, newline, _ = data.partition(b"\n")
    try:
        header = json.loads(line)
        plan_hash, rank = str(header["plan_hash"]), int(header["rank"])
        if header["joinery_consumption"] != FORMAT or not newline:
            raise ValueError(f"format {header['joinery_consumption']!r}, expected {FORMAT}")
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: not a consumption ledger ({error})") from error
    chain = bytes.fromhex(digest(line))[:_CHAIN_BYTES]
    records: list[Consumed] = []
    heads: list[str] = []
    at, voided = len(line) + 1, 0
    while at < len(data):
        record, after = _next_record(data, at, chain, path)
        if record is None:
            break
        while records and records[-1].step >= record.step:
            records.pop()
            heads.pop()
            voided += 1
        at, chain = after, data[after - _CHAIN_BYTES : after]
        records.append(record)
        heads.append(chain.hex())
    return LedgerFile(plan_hash, rank, tuple(records), tuple(heads), voided, at, len(data) - at, chain)


def _next_record(data: bytes, at: int, chain: bytes, path: Path) -> tuple[Consumed | None, int]:
    """The record at a byte and the byte after it; None for half a record at the end."""
    rest = len(data) - at
    length = _LENGTH.unpack_from(data, at)[0] if rest >= _LENGTH.size else 0
    stop = at + _LENGTH.size + length + _CHAIN_BYTES
    if rest < _LENGTH.size or stop > len(data) or not data[at:].strip(b"\0"):
        return None, at
    payload = data[at + _LENGTH.size : stop - _CHAIN_BYTES]
    if _chained(chain, payload) != data[stop - _CHAIN_BYTES : stop]:
        if not data[stop - _CHAIN_BYTES :].strip(b"\0"):
            return None, at  # the length was written, the rest is a hole the file system left
        raise StoreError(
            f"{path}: the record at byte {at} does not follow from those before it; the ledger was changed after it "
            "was written, so it proves nothing from there on"
        )
    return _decoded(payload), stop


def _chained(chain: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(chain + payload).digest()[:_CHAIN_BYTES]


def _encoded(record: Consumed) -> bytes:
    base = int(record.draws.min()) if len(record.draws) else 0
    numbers = (record.draws - base).astype("<u4").tobytes()
    head = _HEAD.pack(record.step, record.world, len(record.draws), base)
    if not record.substitutions:
        return head + numbers
    return head + numbers + canonical_json([_plain(item) for item in record.substitutions]).encode()


def _plain(item: Substitution) -> dict[str, Any]:
    return {**vars(item), "refused": [list(part) for part in item.refused]}


def _decoded(payload: bytes) -> Consumed:
    step, world, n_draws, base = _HEAD.unpack_from(payload)
    stop = _HEAD.size + 4 * n_draws
    draws = np.frombuffer(payload[_HEAD.size : stop], "<u4").astype(np.int64) + base
    items = json.loads(payload[stop:]) if len(payload) > stop else []
    substitutions = tuple(
        Substitution(**{**item, "refused": tuple((event, member, why) for event, member, why in item["refused"])})
        for item in items
    )
    return Consumed(step, world, draws, substitutions)


@dataclass(frozen=True, eq=False)
class Consumption:
    """What all ranks have read together, step by step."""

    plan_hashes: tuple[str, ...]
    """Of the plans the ledgers were begun with, sorted."""
    steps: tuple[tuple[Consumed, ...], ...]
    """Steps 0, 1, … as far as every rank has them: the records of ranks 0, 1, …"""
    worlds: tuple[int, ...]
    """World size of each step."""
    n_voided: int
    """Records that a run which went back to a checkpoint has replaced."""
    torn_bytes: int

    @property
    def substitutions(self) -> Iterator[tuple[int, Substitution]]:
        """(step, substitution), in order."""
        return ((record.step, item) for step in self.steps for record in step for item in record.substitutions)


def read_consumption(folder: Path) -> Consumption:
    """Merge the ledgers of all ranks. Rank 0 takes part in every step, so its ledger says how many ranks there were.

    Raises StoreError when there is no ledger of rank 0 or one is damaged.
    """
    files = {found.rank: found for found in map(read_ledger, sorted(folder.glob(f"rank-*{SUFFIX}")))}
    if 0 not in files:
        raise StoreError(f"{folder}: no ledger of rank 0 (rank-00000{SUFFIX}); expected the folder a loader wrote to")
    by_step = {rank: {record.step: record for record in found.records} for rank, found in files.items()}
    steps: list[tuple[Consumed, ...]] = []
    for record in files[0].records:
        if record.step != len(steps):
            break
        ranks = _of_step(by_step, record)
        if ranks is None:
            break
        steps.append(ranks)
    return Consumption(
        plan_hashes=tuple(sorted({found.plan_hash for found in files.values()})),
        steps=tuple(steps),
        worlds=tuple(step[0].world for step in steps),
        n_voided=sum(found.n_voided for found in files.values()),
        torn_bytes=sum(found.torn_bytes for found in files.values()),
    )


def _of_step(by_step: dict[int, dict[int, Consumed]], first: Consumed) -> tuple[Consumed, ...] | None:
    """The records of every rank of a step; None when a rank has not got there."""
    found: Sequence[Consumed | None] = [by_step.get(rank, {}).get(first.step) for rank in range(first.world)]
    whole = [record for record in found if record is not None and record.world == first.world]
    return tuple(whole) if len(whole) == first.world else None
