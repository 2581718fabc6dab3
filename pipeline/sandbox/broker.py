"""The worker's side of a decoder's files: every name is checked here, outside, and opened for reading only."""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

from pipeline.blobs import is_local
from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sandbox.brokered_files import socket_of
from pipeline.sandbox.messages import MisbehavedError, packed, send

_MOST_OPEN = 256
_MOST_BYTES = 64 << 20
_HEX = 64


@dataclass
class Broker:
    """Answers one decoder about one source. Errors of storage itself are raised here, where they belong."""

    files: SourceFiles
    digests: DigestCache | None = None
    """For discovery."""
    last_opened: str = ""
    """Told when the decoder dies over it."""
    _open: dict[int, BinaryIO] = field(default_factory=dict)
    _n_opened: int = 0

    def answer(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        """Answer one question. Raises MisbehavedError for one that makes no sense, and OSError when storage fails."""
        questions: Mapping[str, Callable[[Connection, Mapping[str, Any]], None]] = {
            "list": self._list,
            "passed_over": self._passed_over,
            "stat": self._stat,
            "open": self._opened,
            "read": self._read,
            "close": self._close,
            "digest": self._digest,
            "remember": self._remember,
        }
        answer = questions.get(str(asked["ask"]))
        if answer is None:
            raise MisbehavedError(f"asked for {str(asked['ask'])[:64]!r}")
        try:
            answer(pipe, asked)
        except SourceError as error:
            send(pipe, {"refused": str(error)})
        except (KeyError, TypeError, IndexError) as error:
            raise MisbehavedError(f"asked {str(dict(asked))[:200]}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close what the decoder has left open."""
        for file in self._open.values():
            with suppress(OSError):
                file.close()
        self._open.clear()

    def _list(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        found = self.files.list(_text(asked, "folder"), recursive=bool(asked["recursive"]))
        send(pipe, {}, packed(FileStat, found))

    def _passed_over(self, pipe: Connection, _asked: Mapping[str, Any]) -> None:
        send(pipe, {"lines": list(self.files.passed_over())})

    def _stat(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        found = self.files.stat(_text(asked, "path"))
        send(pipe, {} if found is None else {"size": found.size, "mtime_ns": found.mtime_ns})

    def _opened(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        path = _text(asked, "path")
        self.last_opened = path[:300]
        file = self.files.open(path)
        if is_local(self.files.root):
            with file, socket.socket(fileno=socket_of(pipe)) as way:
                try:
                    send(pipe, {})
                    socket.send_fds(way, [b"f"], [file.fileno()])
                finally:
                    way.detach()
            return
        if len(self._open) >= _MOST_OPEN:
            file.close()
            raise MisbehavedError(f"more than {_MOST_OPEN} files open")
        self._n_opened += 1
        self._open[self._n_opened] = file
        send(pipe, {"handle": self._n_opened, "size": file.seek(0, 2)})

    def _read(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        offset, n = _number(asked, "offset"), min(_number(asked, "n"), _MOST_BYTES)
        file = self._open[_number(asked, "handle")]
        file.seek(offset)
        send(pipe, {}, file.read(n))

    def _close(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        self._open.pop(_number(asked, "handle")).close()
        send(pipe, {})

    def _digest(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        known = self._memory().get(*self._key(asked))
        send(pipe, {"sha256": known})

    def _remember(self, pipe: Connection, asked: Mapping[str, Any]) -> None:
        sha256 = _text(asked, "sha256")
        if len(sha256) != _HEX or set(sha256) - set("0123456789abcdef"):
            raise MisbehavedError("a digest that is none")
        self._memory().put(*self._key(asked), sha256)
        send(pipe, {})

    def _key(self, asked: Mapping[str, Any]) -> tuple[str, int, int]:
        """Of this source's own files: what is remembered of others is not a decoder's to say."""
        url = _text(asked, "url")
        if not url.startswith(f"{self.files.url_of('').rstrip('/')}/"):
            raise MisbehavedError(f"a digest of {url[:200]!r}, which is of another source")
        return url, _number(asked, "size"), _number(asked, "mtime_ns")

    def _memory(self) -> DigestCache:
        if self.digests is None:
            raise MisbehavedError("digests, which only discovery asks for")
        return self.digests


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked[name]
    if not isinstance(value, str):
        raise TypeError(f"{name}: no text")
    return value


def _number(asked: Mapping[str, Any], name: str) -> int:
    value = asked[name]
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{name}: no number")
    return value
