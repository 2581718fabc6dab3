"""A source's files as the decoding process has them: it opens nothing itself, it asks.

The worker checks the name (`pipeline.files`), opens the file for reading and hands over its descriptor; what lies in an
object store it reads for the other side. So a decoder needs no access to any folder, no network and no credentials.
"""

import io
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, BinaryIO, cast

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.sandbox.messages import receive, send, unpacked

_STATS = {FileStat.__name__: FileStat}
_BUFFER_BYTES = 1 << 20
"""What is asked of an object store at a time."""


@dataclass(frozen=True)
class Asking:
    """The way to the worker; it answers every question before the next."""

    pipe: Connection

    def ask(self, what: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        """The answer. Raises SourceError where the worker's own check did."""
        send(self.pipe, {"ask": what, **details})
        head, payload = receive(self.pipe)
        if "refused" in head:
            raise SourceError(head["refused"])
        return head, payload


@dataclass(frozen=True)
class BrokeredFiles(SourceFiles):
    """`SourceFiles` of a decoding process."""

    asking: Asking | None = None

    def list(self, folder: str = "", *, recursive: bool = True) -> list[FileStat]:
        """Every file below ``folder``, sorted by path."""
        _, payload = self._ask("list", folder=folder, recursive=recursive)
        return unpacked(_STATS, FileStat.__name__, payload)

    def passed_over(self) -> Iterator[str]:
        """What lies below the root and is never listed, with the reason."""
        yield from self._ask("passed_over")[0]["lines"]

    def stat(self, path: str) -> FileStat | None:
        """Size and time of one file, or None when there is no such file."""
        head, _ = self._ask("stat", path=path)
        return FileStat(path, head["size"], head["mtime_ns"]) if "size" in head else None

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file. Raises SourceError naming the file when it is not there."""
        head, _ = self._ask("open", path=path)
        if "handle" in head:
            remote = _RemoteFile(self._way, head["handle"], head["size"])
            return cast(BinaryIO, io.BufferedReader(remote, _BUFFER_BYTES))
        with socket.socket(fileno=socket_of(self._way.pipe)) as way:
            try:
                _, descriptors, _, _ = socket.recv_fds(way, 1, 1)
            finally:
                way.detach()
        return cast(BinaryIO, open(descriptors[0], "rb"))  # whoever asked closes it

    @property
    def _way(self) -> Asking:
        assert self.asking is not None
        return self.asking

    def _ask(self, what: str, **details: Any) -> tuple[dict[str, Any], bytes]:
        return self._way.ask(what, **details)


class BrokeredDigests:
    """The memory of file digests (a `pipeline.fingerprint.DigestCache`), which the worker keeps."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    def get(self, url: str, size: int, mtime_ns: int) -> str | None:
        found = self._asking.ask("digest", url=url, size=size, mtime_ns=mtime_ns)[0]["sha256"]
        return None if found is None else str(found)

    def put(self, url: str, size: int, mtime_ns: int, sha256: str) -> None:
        self._asking.ask("remember", url=url, size=size, mtime_ns=mtime_ns, sha256=sha256)


class _RemoteFile(io.RawIOBase):
    """A file that the worker reads."""

    def __init__(self, asking: Asking, handle: int, size: int) -> None:
        super().__init__()
        self._asking, self._handle, self._size, self._at = asking, handle, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"seek to {at}")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        n = max(0, min(view.nbytes, self._size - self._at))
        if not n:
            return 0
        _, data = self._asking.ask("read", handle=self._handle, offset=self._at, n=n)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            with suppress(EOFError, OSError):
                self._asking.ask("close", handle=self._handle)
        super().close()


def socket_of(pipe: Connection) -> int:
    """The descriptor below a connection."""
    return pipe.fileno()
