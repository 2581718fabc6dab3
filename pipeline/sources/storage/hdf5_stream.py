"""What the HDF5 library reads from, guarded: no short reads, and no damaged heap of texts.

The library hands out whatever its buffer held when a read comes back short. And it never ends on a global heap (where
texts and sequences of any length lie) in which one entry has no size. Both are seen here, on the way in.
"""

import io
from typing import BinaryIO

_MARK = b"GCOL"
_HEAD = 16
"""Of a heap and of each entry in it: a heap's mark, version and size; an entry's number, count of users and size."""
_MOST_BYTES = 1 << 30


class Guarded(io.RawIOBase):
    """A seekable binary file for `h5py.File`. Raises OSError, which the library turns into its own error."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the whole buffer."""
        start = self._stream.tell()
        data = self._stream.read(len(buffer))
        if len(data) < len(buffer):
            raise OSError(f"the file ends at {start + len(data)}, before {start + len(buffer)}")
        if data.startswith(_MARK) and len(data) >= _HEAD:
            self._check_heap(start, data)
        buffer[:] = data
        return len(data)

    def _check_heap(self, start: int, data: bytes) -> None:
        """Every entry leads on to the next one, up to the heap's end."""
        size = int.from_bytes(data[8:_HEAD], "little")
        if size > _MOST_BYTES:
            raise OSError(f"a heap claims {size} bytes")
        if size > len(data):
            self._stream.seek(start)
            data = self._stream.read(size)
        at = _HEAD
        while at + _HEAD <= min(size, len(data)):
            number, length = data[at : at + 2], int.from_bytes(data[at + 8 : at + _HEAD], "little")
            step = length if number == b"\0\0" else _HEAD + -(-length // 8) * 8
            if step == 0 or step > size - at:
                raise OSError(f"an entry of a heap of {size} bytes claims {length}")
            at += step
