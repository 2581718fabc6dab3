"""What an mp4 or mov file asks to be shown that the decoder does not show: pauses and other speeds in an edit list.

An edit list cuts, joins and delays what a track holds without touching its pictures. libav honours where edits start
and end, an empty edit at the beginning and repeated parts. An empty edit further on, a held picture and any speed but
the usual one it plays as something else, without a word, so that pictures come that nobody is meant to see. Such files
are refused.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.errors import SourceError

_HEAD = struct.Struct(">I4s")
_EDIT = {0: struct.Struct(">IiI"), 1: struct.Struct(">QqI")}
"""Duration, media time and rate (16.16) by the box's version."""
_USUAL_RATE = 1 << 16
_NOTHING = -1
"""The media time of an empty edit."""
_MAX_EDITS = 10_000
_MAX_BOXES = 100_000
_NESTED = (b"moov", b"trak", b"edts", b"mdia")


def check_edits(file: BinaryIO, stream: int, name: str) -> None:
    """Raises SourceError when video stream ``stream`` has edits that would be shown wrongly. Other files pass."""
    begun, paused = False, 0
    for number, (media_time, rate) in enumerate(_edits_of(file, stream), 1):
        found = ""
        if media_time == _NOTHING:
            paused = number if begun else 0
        elif paused:
            found = f"pauses as edit {paused}"
        elif rate != _USUAL_RATE:
            found = f"plays edit {number} at {rate / _USUAL_RATE:g} times the usual speed"
        if found:
            raise SourceError(
                f"{name}: its edit list {found}, which the decoder would show as other pictures; re-encode the file as "
                "it is played"
            )
        begun = begun or media_time != _NOTHING


def _edits_of(file: BinaryIO, stream: int) -> list[tuple[int, int]]:
    """Media time and rate of each edit of the nth track of pictures; none where the file is no mp4 or has none."""
    tracks: list[tuple[bool, list[tuple[int, int]]]] = []
    file.seek(0, 2)
    for kind, start, stop in _boxes(file, 0, file.tell()):
        if kind == b"trak":
            tracks.append((False, []))
        elif kind == b"hdlr" and tracks:
            is_video = _read(file, start + 8, 4) == b"vide"
            tracks[-1] = (tracks[-1][0] or is_video, tracks[-1][1])
        elif kind == b"elst" and tracks:
            tracks[-1] = (tracks[-1][0], list(_edits(file, start, stop)))
    of_pictures = [edits for is_video, edits in tracks if is_video]
    return of_pictures[stream] if stream < len(of_pictures) else []


def _edits(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int]]:
    head = _read(file, start, 8)
    if len(head) < 8 or head[0] not in _EDIT:
        return
    edit = _EDIT[head[0]]
    count = max(0, min(int.from_bytes(head[4:], "big"), (stop - start - 8) // edit.size, _MAX_EDITS))
    content = _read(file, start + 8, count * edit.size)
    for _, media_time, rate in edit.iter_unpack(content[: len(content) // edit.size * edit.size]):
        yield media_time, rate


def _boxes(file: BinaryIO, first: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box on the way to the edit lists, in the file's order."""
    todo, seen = [(first, end)], 0
    while todo and seen < _MAX_BOXES:
        start, stop = todo.pop()
        head = _read(file, start, 16)
        if start + 8 > stop or len(head) < 8:
            continue
        size, kind = _HEAD.unpack(head[:8])
        length = 8
        if size == 1 and len(head) == 16:
            size, length = int.from_bytes(head[8:], "big"), 16
        size = stop - start if size == 0 else size
        if size < length or start + size > stop:
            continue
        seen += 1
        yield kind, start + length, start + size
        todo.append((start + size, stop))
        if kind in _NESTED:
            todo.append((start + length, start + size))


def _read(file: BinaryIO, start: int, n_bytes: int) -> bytes:
    file.seek(start)
    return file.read(n_bytes)
