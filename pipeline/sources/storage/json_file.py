"""Reading JSON that strangers made: annotation files of hundreds of megabytes, with one entry in memory at a time.

A file may be cut short, nest without end, claim numbers that no computer has, or hold one entry as large as the
machine. Each of these is a `SourceError` naming the file; values that are not what a format expects become None.
"""

import codecs
import json
import math
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from schemas.time import NS_PER_S

MAX_ENTRY_CHARS = 64 << 20
"""One video's annotations are some megabytes at most."""
MAX_LINE_BYTES = 4 << 20
MAX_SECONDS = 10_000_000.0
"""Four months. A time beyond it is no time in a recording, and would not survive as int64 nanoseconds for long."""
_CHUNK_BYTES = 1 << 20
_DECODER = json.JSONDecoder()
_BROKEN = (ValueError, RecursionError)
"""What the decoders raise: bad syntax, bad UTF-8, integers of thousands of digits, nesting without end."""


def entries(files: SourceFiles, path: str, inside: Collection[str] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The entries of a JSON file, each with the keys that lead to it; an array's entries have the key ``""``.

    Entries are the members of the outermost object or array; of the members named in ``inside``, their own members.
    Raises SourceError when the file is no such JSON.
    """
    with files.open(path) as stream:
        reader = _Reader(stream, files.url_of(path))
        yield from _members(reader, (), inside)
        if reader.peek():
            raise reader.error("goes on after its end")


def document(files: SourceFiles, path: str) -> Any:
    """A small JSON file as a whole. Raises SourceError when it is none or not small."""
    with files.open(path) as stream:
        reader = _Reader(stream, files.url_of(path))
        value = reader.value()
        if reader.peek():
            raise reader.error("goes on after its end")
        return value


def lines(files: SourceFiles, path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file with their line numbers, counted from 1. Raises SourceError naming the line."""
    name = files.url_of(path)
    with files.open(path) as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise SourceError(f"{name}: line {number} is longer than {MAX_LINE_BYTES >> 20} MiB; it is damaged")
            if not line.strip():
                continue
            try:
                value = parsed(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except _BROKEN as error:
                raise SourceError(
                    f"{name}: line {number} is no JSON ({error}); the file is damaged or cut short: fetch it again"
                ) from error
            if not isinstance(value, dict):
                raise SourceError(f"{name}: line {number} is {type(value).__name__}, expected an object")
            yield number, value


def parsed(text: str) -> Any:
    """JSON text as a value whose texts can be stored. Raises ValueError or RecursionError when it is none."""
    return _storable(json.loads(text), text)


def _storable(value: Any, text: str) -> Any:
    """The value with question marks for half surrogates, which JSON can write as ``\\ud800`` and UTF-8 cannot."""
    return _whole_texts(value) if "\\ud" in text.lower() else value


def _whole_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {text_of(key): _whole_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole_texts(inner) for inner in value]
    return text_of(value) if isinstance(value, str) else value


def head(files: SourceFiles, path: str, n_bytes: int = 1 << 18) -> str:
    """The beginning of a file, to see what it is."""
    with files.open(path) as stream:
        return stream.read(n_bytes).decode("utf-8", "replace")


def text_of(value: object) -> str:
    """A text that any file can hold: half surrogates, which JSON can write and UTF-8 cannot, become question marks."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def number_of(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def ns_of(value: object) -> int | None:
    """Seconds as nanoseconds, or None for what cannot be a time in a recording."""
    seconds = number_of(value)
    return None if seconds is None or abs(seconds) > MAX_SECONDS else round(seconds * NS_PER_S)


def dicts_of(value: object) -> list[dict[str, Any]]:
    """The objects of a list; nothing where there is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def dict_of(value: object) -> dict[str, Any]:
    """An object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


class _Reader:
    """A window of text that moves over a file and grows only as far as one value needs."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._text, self._at, self._ended = "", 0, False

    def error(self, found: str) -> SourceError:
        return SourceError(f"{self._name}: {found}; the file is damaged or cut short: fetch it again")

    def peek(self) -> str:
        """The next character that is no space; empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._grow()

    def take(self, expected: str) -> None:
        found = self.peek()
        if found != expected:
            raise self.error(f"has {found!r} where {expected!r} is expected" if found else "ends in the middle")
        self._at += 1

    def value(self) -> Any:
        """The next whole value. What does not fit the window is tried again in one twice as large."""
        if not self.peek():
            raise self.error("ends in the middle")
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                value = _storable(value, self._text[self._at : end])
            except RecursionError as error:
                raise self.error("nests without end") from error
            except ValueError as error:
                if self._ended:
                    raise self.error(f"is no JSON ({error})") from error
            else:
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
            if len(self._text) - self._at > MAX_ENTRY_CHARS:
                raise self.error(f"has an entry of more than {MAX_ENTRY_CHARS >> 20} MiB that does not end")
            self._grow()

    def _grow(self) -> None:
        """Twice the text that is left, so that a long value costs no more than twice its length."""
        kept = self._text[self._at :]
        data = self._stream.read(max(_CHUNK_BYTES, len(kept)))
        try:
            self._text = kept + self._utf8.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise self.error(f"is no UTF-8 ({error.reason})") from error
        self._at, self._ended = 0, not data


def _members(reader: _Reader, above: tuple[str, ...], inside: Collection[str]) -> Iterator[tuple[tuple[str, ...], Any]]:
    opening = reader.peek()
    if opening not in ("{", "["):
        raise reader.error(f"begins with {opening!r}, expected an object or an array")
    reader.take(opening)
    closing, first = "}" if opening == "{" else "]", True
    while reader.peek() != closing:
        if not first:
            reader.take(",")
        first, key = False, ""
        if opening == "{":
            key = reader.value()
            if not isinstance(key, str):
                raise reader.error(f"has {type(key).__name__} where a key is expected")
            reader.take(":")
        if not above and key in inside and reader.peek() in ("{", "["):
            yield from _members(reader, (key,), inside)
        else:
            yield (*above, key), reader.value()
    reader.take(closing)
