"""Small bytes that stand for very many: pictures, streams and arrays that claim more than any memory holds."""

import struct
import zlib
from functools import cache

import imagecodecs
import numpy as np

_CLAIMED = 60_000
"""Pixels a side."""


@cache
def zeros_deflated(n_bytes: int) -> bytes:
    """A zlib stream of zeros, a thousandth of their size."""
    packer, piece = zlib.compressobj(9), bytes(1 << 24)
    first, again = (packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * ((n_bytes >> 24) - 1) + packer.flush()  # its checksum at the end is wrong; nobody gets there


@cache
def png(side: int = _CLAIMED) -> bytes:
    """A PNG that claims billions of pixels and holds a part of them."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zeros_deflated(1 << 28)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _png_part(*part) for part in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )


def _png_part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@cache
def jpeg(claimed: int = 65_500) -> bytes:
    """A small JPEG whose header claims the largest picture there can be."""
    data = bytearray(imagecodecs.jpeg_encode(np.zeros((16, 16, 3), np.uint8)))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", claimed, claimed)
    return bytes(data)


@cache
def jpegxl(side: int = 8000) -> bytes:
    """A whole JPEG XL picture of one colour: kilobytes for a sixth of a gigabyte."""
    return bytes(imagecodecs.jpegxl_encode(np.zeros((side, side, 3), np.uint8), effort=1))


@cache
def zstd(n_bytes: int = 1 << 30) -> bytes:
    """Zstandard frames of zeros, one after the other."""
    return bytes(imagecodecs.zstd_encode(bytes(1 << 26))) * (n_bytes >> 26)


@cache
def zstd_claim() -> bytes:
    """A frame that claims to hold terabytes."""
    return b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", 1 << 42) + bytes(20)


@cache
def lz4_claim() -> bytes:
    """numcodecs' LZ4: four bytes of size, then a block."""
    return struct.pack("<I", 0x7FFFFFFF) + b"\x1f\x00\x01\x00" + b"\xff" * 100_000


@cache
def blosc_claim() -> bytes:
    """A Blosc header that claims two gigabytes, typesize 8."""
    return struct.pack("<BBBBIII", 2, 1, 0x21, 8, 0x7FFFFFFF, 1 << 20, 16 + 64) + bytes(64)


PICTURES = (png, jpeg, jpegxl)
CHUNKS = (zstd, zstd_claim, lz4_claim, blosc_claim, jpegxl)
