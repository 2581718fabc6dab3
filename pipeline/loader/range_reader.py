"""Byte ranges of tars, local or on an object store: few requests, few open files, and a small memory if wanted.

A request to an object store costs a round trip whatever it asks for, so ranges that lie near each other are read as
one. What fails in passing, as networks do, is tried again; what then still fails is the service's fault and no
sample's, so it is an error and never a quarantined sample.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.blobs import Blobs, Ranges
from pipeline.errors import ServiceError, StoreError

MAX_OPEN = 16
NEAR_BYTES = 64 << 10
"""Reading that much for nothing is cheaper than a second request."""
TRIES = 4
_FIRST_WAIT_S = 0.1

Range = tuple[int, int]
"""Offset and number of bytes."""


@dataclass
class Traffic:
    """What was asked of the store so far."""

    requests: int = 0
    n_bytes: int = 0
    opened: int = 0
    cached: int = 0
    """Ranges answered from memory."""


class RangeReader:
    """Reads ranges of a shard set's tars. Picklable: open files and memory stay behind."""

    def __init__(self, blobs: Blobs, *, cache_bytes: int = 0) -> None:
        self._blobs = blobs
        self._cache_bytes = cache_bytes
        self._files: OrderedDict[str, Ranges] = OrderedDict()
        self._cache: OrderedDict[tuple[str, Range], bytes] = OrderedDict()
        self._cached_bytes = 0
        self.traffic = Traffic()

    def read(self, shard: str, ranges: Sequence[Range], *, fresh: bool = False) -> list[bytes]:
        """The content of each range, in the order given; shorter where the tar ends. ``fresh`` asks the store again.

        Raises StoreError when the tar is not there, ServiceError when the store cannot be read after several tries.
        """
        found: dict[Range, bytes] = {}
        for wanted in ranges:
            data = None if fresh else self._cache.get((shard, wanted))
            if data is not None:
                self._cache.move_to_end((shard, wanted))
                self.traffic.cached += 1
                found[wanted] = data
        for start, stop, together in _together([wanted for wanted in ranges if wanted not in found]):
            data = self._bytes(shard, start, stop - start)
            for offset, n_bytes in together:
                part = data[offset - start : offset - start + n_bytes]
                found[offset, n_bytes] = part
                self._keep((shard, (offset, n_bytes)), part)
        return [found[wanted] for wanted in ranges]

    def close(self) -> None:
        """Close all files."""
        while self._files:
            self._files.popitem()[1].close()

    def _bytes(self, shard: str, offset: int, n_bytes: int) -> bytes:
        wait_s = _FIRST_WAIT_S
        for left in reversed(range(TRIES)):
            try:
                data = self._file(shard).read_at(n_bytes, offset)
            except FileNotFoundError as error:
                raise StoreError(
                    f"{self._blobs.url}/{shard}.tar: the manifest names this shard but it is not there; "
                    "run `joinery verify`"
                ) from error
            except OSError as error:
                self._forget(shard)
                if not left:
                    raise ServiceError(
                        f"{self._blobs.url}/{shard}.tar: cannot be read after {TRIES} tries: {error}"
                    ) from error
                time.sleep(wait_s)
                wait_s *= 2
            else:
                self.traffic.requests += 1
                self.traffic.n_bytes += len(data)
                return data
        raise AssertionError("unreachable")

    def _file(self, shard: str) -> Ranges:
        file = self._files.get(shard)
        if file is not None:
            self._files.move_to_end(shard)
            return file
        file = self._files[shard] = self._blobs.ranges(f"{shard}.tar")
        self.traffic.opened += 1
        if len(self._files) > MAX_OPEN:
            self._files.popitem(last=False)[1].close()
        return file

    def _forget(self, shard: str) -> None:
        file = self._files.pop(shard, None)
        if file is not None:
            file.close()

    def _keep(self, key: tuple[str, Range], data: bytes) -> None:
        if len(data) > self._cache_bytes:
            return
        self._cached_bytes += len(data) - len(self._cache.pop(key, b""))
        self._cache[key] = data
        while self._cached_bytes > self._cache_bytes:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])

    def __getstate__(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"_files": OrderedDict(), "_cache": OrderedDict()}
        return {**self.__dict__, **empty, "_cached_bytes": 0, "traffic": Traffic()}


def _together(ranges: Sequence[Range]) -> list[tuple[int, int, list[Range]]]:
    """(start, stop, ranges) of the requests that cover all ranges, near ones as one."""
    requests: list[tuple[int, int, list[Range]]] = []
    for offset, n_bytes in sorted(set(ranges)):
        if requests and offset <= requests[-1][1] + NEAR_BYTES:
            start, stop, together = requests[-1]
            requests[-1] = start, max(stop, offset + n_bytes), [*together, (offset, n_bytes)]
        else:
            requests.append((offset, offset + n_bytes, [(offset, n_bytes)]))
    return requests
