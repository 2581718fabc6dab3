"""Objects in a bucket behind the S3 API: whole puts, conditional puts, byte ranges, listings, every wait bounded.

The client is `object_store` (through obstore), which Lance has inside too: time-outs, throttling and lost connections
are met in the same way for tables and for blobs. What fails in passing is tried again, with waits that grow, for at
most ``retry_s`` seconds; what then still fails is the store's fault and no recording's, so it is an UnreachableError.

Credentials come by the usual chain (environment, profile, web identity, container, instance), never out of a recipe.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, BinaryIO, TypeVar, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from pipeline.aws_profile import profile_credentials, profile_region
from pipeline.blobs import changed
from pipeline.errors import ConflictError, StoreError, UnreachableError

R = TypeVar("R")

RETRY_S = 120.0
"""How long a request is tried again, unless the recipe's ``workspace.storage.retry_s`` says otherwise."""
STALLED_S = 20.0
"""A connection that brings nothing for so long is given up and the request sent again."""
LEAST_TRIES = 2
REQUEST_S = 300.0
"""The longest that a request which does bring bytes may take."""
CONNECT_S = 5.0
PART_BYTES = 16 << 20
"""Of an upload; ten thousand parts are the most there may be, so blobs may have 160 GB."""
PARTS_AT_ONCE = 4
MAX_COPY_BYTES = 5 << 30
BUFFER_BYTES = 64 << 10
LEAST_AHEAD_BYTES, MOST_AHEAD_BYTES = 128 << 10, 8 << 20
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_FORBIDDEN = re.compile(r"status code: 40[13]\b")
_REFUSED = re.compile(r"status code: 4(?!08|09|12|25|29)\d\d\b")
"""The store understood and does not want to: asking again changes nothing."""


@dataclass(frozen=True)
class Entry:
    """What the store says about an object."""

    path: str
    """Below the bucket's folder."""
    size: int
    mtime_ns: int
    etag: str | None


class Bucket:
    """A folder of a bucket. Holds a pool of connections, so it is made where it is used and never sent anywhere."""

    def __init__(self, url: str, storage: Mapping[str, str]) -> None:
        """Raises StoreError for a URL of another kind, and when no credentials are to be found."""
        scheme, _, rest = url.partition("://")
        if scheme != "s3":
            raise StoreError(f"{url}: expected a local path or s3://bucket/…; reach other stores through their S3 API")
        name, _, prefix = rest.rstrip("/").partition("/")
        self.url = url.rstrip("/")
        self._storage = storage
        self._store = S3Store(
            name,
            prefix=prefix or None,
            **where(storage),
            client_options={
                "allow_http": True,  # an endpoint that says so is meant
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "read_timeout": timedelta(seconds=STALLED_S),
                "timeout": timedelta(seconds=REQUEST_S),
            },
            retry_config={
                "max_retries": 10,
                "retry_timeout": timedelta(seconds=float(storage.get("retry_s", RETRY_S))),
                "backoff": {"init_backoff": timedelta(seconds=_FIRST_WAIT_S), "max_backoff": timedelta(seconds=5)},
            },
            credential_provider=profile_credentials(),
        )

    # -- reading ---------------------------------------------------------------------------------------------------

    def head(self, path: str) -> Entry | None:
        """What is there under this name; None for nothing."""
        try:
            return _entry(self._patiently(path, lambda: obstore.head(self._store, path)))
        except FileNotFoundError:
            return None

    def get(self, path: str) -> tuple[bytes, str | None]:
        """A whole object and its tag. Raises FileNotFoundError."""

        def read() -> tuple[bytes, str | None]:
            found = obstore.get(self._store, path)
            return found.bytes().to_bytes(), found.meta["e_tag"]

        return self._patiently(path, read)

    def range(self, path: str, offset: int, n_bytes: int, etag: str | None = None) -> bytes:
        """Part of an object, shorter where it ends. Raises FileNotFoundError, StoreError when it is another by now."""
        options: Any = {"range": (offset, offset + n_bytes)} | ({"if_match": etag} if etag else {})

        def read() -> bytes:
            found = obstore.get(self._store, path, options=options)
            data = found.bytes().to_bytes()
            start, stop = found.range
            if start != offset or len(data) != stop - start:
                raise _ShortError(f"asked for bytes from {offset}, got {len(data)} from {start}")
            return data

        if n_bytes <= 0:
            return b""
        try:
            return self._patiently(path, read)
        except PreconditionError as error:
            raise StoreError(f"{self._name(path)}: was replaced while it was read; run again") from error
        except _BeyondError:
            return b""

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file. Raises FileNotFoundError."""
        found = self.head(path)
        if found is None:
            raise FileNotFoundError(f"{self._name(path)}: no such object")
        return cast(BinaryIO, io.BufferedReader(RemoteFile(self, found), BUFFER_BYTES))

    def ranges(self, path: str) -> RemoteRanges:
        """For reading parts, each with a request of its own."""
        return RemoteRanges(self, path)

    def list(self, folder: str = "", *, recursive: bool = True) -> Iterator[Entry]:
        """Every object below a folder, or in it alone, sorted by path; what only marks a folder is none."""

        def ask() -> Sequence[Mapping[str, Any]]:
            if recursive:
                return obstore.list(self._store, folder or None).collect()
            return obstore.list_with_delimiter(self._store, folder or None)["objects"]

        entries = sorted(map(_entry, self._patiently(folder, ask)), key=lambda entry: entry.path)
        folders = {above for entry in entries for above in _above(entry.path)}
        yield from (entry for entry in entries if entry.size or entry.path not in folders)

    # -- writing ---------------------------------------------------------------------------------------------------

    def put(self, path: str, data: bytes | BinaryIO) -> None:
        """Write an object whole; large ones in parts, which are thrown away when one of them cannot be sent."""

        def write() -> None:
            if not isinstance(data, bytes):
                data.seek(0)
            obstore.put(self._store, path, data, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

        self._patiently(path, write)

    def put_if(self, path: str, data: bytes, was: str | None) -> None:
        """Write an object if what is there still has the tag ``was`` (None: if there is nothing).

        Raises ConflictError when it has another. A request whose answer was lost may have been carried out, so what
        is there by then is looked at before that is said: the same bytes are success, whoever wrote them.
        """
        mode: Any = "create" if was is None else {"e_tag": was}
        try:
            self._patiently(path, lambda: obstore.put(self._store, path, data, mode=mode, use_multipart=False))
        except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
            try:
                there, _ = self.get(path)
            except FileNotFoundError:
                there = None
            if there != data:
                raise ConflictError(changed(self._name(path))) from error

    def check_conditions(self, path: str) -> None:
        """Raises StoreError for a store that overwrites what it was asked not to: ``path`` is an object that is there.

        On such a store two runs at once would lose each other's results, without a word.
        """
        try:
            self.put_if(path, b"the store ignored a condition", None)
        except ConflictError:
            return
        raise StoreError(
            f"{self.url}: this store ignores `If-None-Match`, so two writers at once would lose results; use one that "
            "honours conditional puts (docs/object_stores.md), or a local path"
        )

    def copy(self, source: str, target: str) -> None:
        """Copy within the store; no bytes travel. Raises FileNotFoundError, StoreError for more than S3 copies."""
        try:
            self._patiently(source, lambda: obstore.copy(self._store, source, target))
        except StoreError as error:
            found = self.head(source)
            if found is not None and found.size > MAX_COPY_BYTES:
                raise StoreError(
                    f"{self._name(source)}: {found.size} bytes, and S3 copies at most {MAX_COPY_BYTES}; make shards "
                    "smaller (shard.max_bytes)"
                ) from error
            raise

    def remove(self, paths: Sequence[str]) -> None:
        """Remove objects; those that are not there count as removed."""
        for path in paths:
            try:
                self._patiently(path, lambda path=path: obstore.delete(self._store, path))  # type: ignore[misc]
            except FileNotFoundError:
                continue

    # -- faults ----------------------------------------------------------------------------------------------------

    def _patiently(self, path: str, call: Callable[[], R]) -> R:
        """`patiently`, with what the client raises for things that are no faults."""

        def once() -> R:
            try:
                return call()
            except FileNotFoundError as error:
                _check_bucket(self.url, error)
                raise FileNotFoundError(f"{self._name(path)}: no such object") from None
            except (ValueError, InvalidPathError) as error:
                if "parse path" not in str(error) and not isinstance(error, InvalidPathError):
                    raise
                raise FileNotFoundError(f"{self.url}: {path[:80]!r} is no name of an object") from error
            except BaseError as error:
                if "KeyTooLong" in str(error):
                    raise FileNotFoundError(f"{self.url}: {path[:80]!r}… is longer than a name may be") from error
                if "416 Range Not Satisfiable" in str(error):
                    raise _BeyondError from error
                raise

        return patiently(self._name(path), self._storage, once, BaseError)

    def _name(self, path: str) -> str:
        return f"{self.url}/{path}" if path else self.url


@dataclass(frozen=True)
class RemoteRanges:
    """Parts of one object."""

    bucket: Bucket
    path: str

    def read_at(self, n_bytes: int, offset: int) -> bytes:
        """Bytes from an offset on, fewer where the object ends. Raises FileNotFoundError."""
        return self.bucket.range(self.path, offset, n_bytes)

    def close(self) -> None:
        """Nothing is open."""


class RemoteFile(io.RawIOBase):
    """An object as a file. Who reads on gets more at a time than was asked for, who jumps about does not.

    Every part is of the object that was there when it was opened; StoreError when another has taken its place.
    """

    def __init__(self, bucket: Bucket, entry: Entry) -> None:
        super().__init__()
        self._bucket, self._entry = bucket, entry
        self._at = self._start = 0
        self._window = b""
        self._ahead = LEAST_AHEAD_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._entry.size}[whence]
        if base + offset < 0:
            raise OSError(f"{self._entry.path}: seek to {base + offset}, before its beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill the whole buffer unless the object ends before."""
        wanted = memoryview(buffer).cast("B")
        stop = min(self._at + len(wanted), self._entry.size)
        filled = 0
        while self._at < stop:
            part = self._part(stop)
            wanted[filled : filled + len(part)] = part
            filled += len(part)
            self._at += len(part)
        return filled

    def _part(self, stop: int) -> memoryview:
        """What of the bytes up to ``stop`` is at hand, after asking for more where none is."""
        end = self._start + len(self._window)
        if not self._start <= self._at < end:
            goes_on = bool(self._window) and self._at == end
            self._ahead = min(2 * self._ahead, MOST_AHEAD_BYTES) if goes_on else LEAST_AHEAD_BYTES
            n_bytes = min(max(stop - self._at, self._ahead), self._entry.size - self._at)
            self._window = self._bucket.range(self._entry.path, self._at, n_bytes, self._entry.etag)
            self._start = self._at
            if not self._window:
                raise StoreError(f"{self._bucket.url}/{self._entry.path}: ends before its {self._entry.size} bytes")
        at = self._at - self._start
        return memoryview(self._window)[at : at + stop - self._at]


def patiently(where: str, storage: Mapping[str, str], call: Callable[[], R], fault: type[Exception]) -> R:
    """A call's result, tried again while it raises a ``fault`` that may pass. Other errors are the caller's.

    Raises UnreachableError when time is up, StoreError at once for what the store refuses.
    """
    begun, wait_s, limit_s = time.monotonic(), _FIRST_WAIT_S, float(storage.get("retry_s", RETRY_S))
    for tries in count(1):
        try:
            return call()
        except (FileNotFoundError, AlreadyExistsError, PreconditionError):
            raise
        except fault as error:
            said = str(error)
            _check_bucket(where, error)
            if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _FORBIDDEN.search(said):
                raise StoreError(
                    f"{where}: the store refuses these credentials ({_short(error)}); docs/object_stores.md says where "
                    "they are looked for"
                ) from error
            if _REFUSED.search(said):
                raise StoreError(f"{where}: the store refuses the request ({_short(error)})") from error
            spent = time.monotonic() - begun
            if spent + wait_s > limit_s and tries >= LEAST_TRIES:  # one silence may last as long as the patience
                raise UnreachableError(
                    f"{where}: the store did not do it in {spent:.0f} s of trying ({_short(error)}); nothing that was "
                    "done is lost: run again when it answers"
                ) from error
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
    raise AssertionError("unreachable")


def _check_bucket(where: str, error: Exception) -> None:
    if "NoSuchBucket" in str(error):
        raise StoreError(f"{where}: there is no such bucket; make it, or name another") from error


class _ShortError(BaseError):
    """Fewer bytes than the answer's head promised; to be asked for again."""


class _BeyondError(Exception):
    """The range begins where the object has ended."""


def where(storage: Mapping[str, str]) -> dict[str, Any]:
    """The client's words for where the store is; what ``storage`` does not say it takes from the environment itself."""
    said = {key: storage[key] for key in ("endpoint", "region") if key in storage}
    region = profile_region()
    return said if "region" in said or region is None else {**said, "region": region}


def _entry(meta: Mapping[str, Any]) -> Entry:
    changed: datetime = meta["last_modified"]
    mtime_ns = int(changed.replace(microsecond=0).timestamp()) * 10**9 + changed.microsecond * 1000
    return Entry(meta["path"], meta["size"], mtime_ns, meta["e_tag"])


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _short(error: BaseException) -> str:
    """The gist of a client's error, which goes on with the same in the client's own words."""
    return " ".join(str(error).partition("Debug source")[0].split())[:300]
