"""Reading files of length-prefixed records that may lie about every length: nothing is taken before it is checked.

Shared by the readers of ROS 1 bags and MCAP. A claimed length must fit into the file; a claimed unpacked size must
fit under a bound and must then be met exactly, so that a small file cannot fill the memory.
"""

import bz2
import io
from typing import BinaryIO, cast

import lz4.frame  # type: ignore[import-untyped]
import zstandard

from pipeline.errors import SourceError
from pipeline.files import SourceFiles

MAX_BYTES = 256 << 20
"""Of one record and of one unpacked chunk. Recorders close a chunk after 1 to 16 MiB; a raw 4K picture has 25 MiB."""
_BUFFER_BYTES = 1 << 20
"""Object stores answer each read separately; records are small."""
_MAX_WINDOW_BYTES = 128 << 20
"""What zstd may be asked to look back over; its own tools stop at the same size."""


class Records:
    """A file read piece by piece, each piece checked against what is left. Use as a context manager."""

    def __init__(self, files: SourceFiles, path: str) -> None:
        self.name = files.url_of(path)
        raw = files.open(path)
        buffered = raw if isinstance(raw, io.BufferedIOBase) else io.BufferedReader(raw, _BUFFER_BYTES)  # type: ignore[type-var]
        self._stream = cast(BinaryIO, buffered)
        self.size = self._stream.seek(0, io.SEEK_END)
        self.at = self._stream.seek(0)

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def take(self, n_bytes: int, what: str) -> bytes:
        """The next bytes. Raises SourceError when the file ends before or the claim is out of bounds."""
        self._check(n_bytes, what)
        if n_bytes > MAX_BYTES:
            raise self.error(f"{what} claims {n_bytes} bytes, more than {MAX_BYTES >> 20} MiB; the file is damaged")
        data = self._stream.read(n_bytes)
        if len(data) != n_bytes:
            raise self.error(f"{what} cannot be read whole; fetch the file again")
        self.at += n_bytes
        return data

    def skip(self, n_bytes: int, what: str) -> None:
        self._check(n_bytes, what)
        self.seek(self.at + n_bytes)

    def seek(self, at: int) -> None:
        self.at = self._stream.seek(at)

    def error(self, problem: str) -> SourceError:
        return SourceError(f"{self.name}: at byte {self.at}: {problem}")

    def _check(self, n_bytes: int, what: str) -> None:
        if n_bytes < 0 or self.at + n_bytes > self.size:
            raise self.error(
                f"{what} claims {n_bytes} bytes where {self.size - self.at} are left; the file is cut short or "
                "damaged: fetch it again"
            )


def unpack(data: bytes, compression: str, size: int, name: str) -> bytes:
    """A chunk's content. Raises SourceError when it is not exactly of the claimed size, or packed in another way."""
    if not 0 <= size <= MAX_BYTES:
        raise SourceError(f"{name}: claims {size} bytes unpacked, more than {MAX_BYTES >> 20} MiB; it is damaged")
    try:
        match compression:
            case "" | "none":
                content = data
            case "lz4":
                content = cast(bytes, lz4.frame.LZ4FrameDecompressor().decompress(data, max_length=size + 1))
            case "bz2":
                content = bz2.BZ2Decompressor().decompress(data, max_length=size + 1)
            case "zstd":
                packed = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES)
                content = packed.stream_reader(data).read(size + 1)
            case _:
                raise SourceError(f"{name}: packed with {compression!r}; read are lz4, zstd and bz2: pack it anew")
    except (RuntimeError, OSError, EOFError, ValueError, zstandard.ZstdError) as error:
        raise SourceError(f"{name}: cannot be unpacked ({str(error)[:200]}); fetch the file again") from error
    if len(content) != size:
        found = f"more than {size}" if len(content) > size else str(len(content))
        raise SourceError(f"{name}: claims {size} bytes unpacked, found {found}; fetch the file again")
    return content
