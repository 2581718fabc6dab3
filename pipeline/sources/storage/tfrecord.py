"""TFRecord files without TensorFlow: where each record lies, and whether it is whole.

A record is its length (8 bytes, little endian), the checksum of that length, the data and the data's checksum, all
without a header for the file. Checksums are CRC32C, masked as TensorFlow does. A wrong length would lose all records
after it, so it is believed only when its own checksum and the file's size agree with it.
"""

import hashlib
from typing import BinaryIO

import google_crc32c

from pipeline.errors import SourceError

HEADER_BYTES, FOOTER_BYTES = 12, 4
MAX_RECORD_BYTES = 1 << 30
"""An episode of four 640x480 views and a thousand steps, as PNG, is half of this."""
_PIECE_BYTES = 4 << 20
_MASK_DELTA = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """The checksum as TFRecord writes it."""
    return _masked(google_crc32c.value(data))


def _masked(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def length_at(file: BinaryIO, offset: int, file_bytes: int, name: str) -> int:
    """How many bytes of data the record at ``offset`` has; all of them lie inside the file.

    Raises SourceError where no record starts or the file ends first: nothing after it can be found.
    """
    file.seek(offset)
    header = file.read(HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        raise SourceError(f"{name}: ends inside the record at byte {offset}; the file is truncated: fetch it again")
    length = int.from_bytes(header[:8], "little")
    checksum = int.from_bytes(header[8:], "little")
    if masked_crc(header[:8]) != checksum:
        raise SourceError(
            f"{name}: no record starts at byte {offset}, the checksum of its length is wrong; the file is damaged, "
            "compressed or no TFRecord: fetch it again"
        )
    if offset + HEADER_BYTES + length + FOOTER_BYTES > file_bytes:
        raise SourceError(
            f"{name}: the record at byte {offset} takes {length} bytes, the file ends {file_bytes - offset} bytes "
            "after it starts; the file is truncated: fetch it again"
        )
    if length > MAX_RECORD_BYTES:
        raise SourceError(
            f"{name}: the record at byte {offset} takes {length} bytes, expected at most {MAX_RECORD_BYTES}; write "
            "shorter episodes"
        )
    return length


def sha256_at(file: BinaryIO, offset: int, length: int, name: str) -> str:
    """Hex SHA-256 of a record's data, read in pieces. Raises SourceError when its checksum is wrong."""
    hasher, crc, left = hashlib.sha256(), 0, length
    file.seek(offset + HEADER_BYTES)
    while left:
        piece = file.read(min(left, _PIECE_BYTES))
        if not piece:
            break
        hasher.update(piece)
        crc = google_crc32c.extend(crc, piece)
        left -= len(piece)
    _check(file.read(FOOTER_BYTES), crc, left, offset, name)
    return hasher.hexdigest()


def record_at(file: BinaryIO, offset: int, length: int, name: str) -> bytes:
    """A record's data. Raises SourceError when there is no such record or its checksum is wrong."""
    file_bytes = file.seek(0, 2)
    if length_at(file, offset, file_bytes, name) != length:
        raise SourceError(f"{name}: the record at byte {offset} is not the one listed; the file has changed: run again")
    data = file.read(length)
    _check(file.read(FOOTER_BYTES), google_crc32c.value(data), length - len(data), offset, name)
    return data


def _check(footer: bytes, crc: int, missing: int, offset: int, name: str) -> None:
    if missing or len(footer) < FOOTER_BYTES:
        raise SourceError(f"{name}: ends inside the record at byte {offset}; the file is truncated: fetch it again")
    if _masked(crc) != int.from_bytes(footer, "little"):
        raise SourceError(
            f"{name}: the checksum of the record at byte {offset} is wrong; it is damaged: fetch the file again"
        )
