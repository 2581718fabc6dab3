"""Whether a picture of an H.264 stream can be decoded from those before it.

A lost message of a video topic is no error to a decoder: it goes on from the wrong picture, and everything up to the
next key frame looks plausible and is false. The stream itself says so: reference pictures are counted in
``frame_num`` (ITU-T H.264, 7.4.3). Only the first bytes of a message are parsed for it.
"""

from enum import Enum

_SLICE, _KEY_SLICE, _PARAMETERS = 1, 5, 7
_HEAD_BYTES = 256
"""More than any slice header up to ``frame_num``, and than a sequence's parameters before its own scaling lists."""
_WITH_CHROMA = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244}
"""Profiles whose parameters tell chroma and bit depths."""


class Access(Enum):
    """What a message of a video topic is."""

    PICTURE = "picture"
    PARAMETERS = "parameters"
    """No picture: parameter sets for those to come."""
    LOST = "lost"
    """A picture that refers to one that is not there."""


class Follower:
    """Follows a stream message by message."""

    def __init__(self) -> None:
        self._bits: int | None = None
        """Width of ``frame_num``."""
        self._planes = False
        self._before: int | None = None
        """``frame_num`` of the last reference picture; None until a key frame."""

    def follow(self, data: bytes) -> Access:
        """What the next message is. ``data`` is Annex B: units behind 00 00 01."""
        at = data.find(b"\0\0\1")
        try:
            while 0 <= at < len(data) - 4:
                header = data[at + 3]
                kind = header & 0x1F
                if kind == _PARAMETERS:
                    self._parameters(_Bits(data[at + 4 : at + 4 + _HEAD_BYTES]))
                elif kind == _KEY_SLICE:
                    self._before = 0
                    return Access.PICTURE
                elif kind == _SLICE:
                    is_reference = bool(header >> 5 & 3)
                    return self._slice(_Bits(data[at + 4 : at + 4 + _HEAD_BYTES]), is_reference)
                at = data.find(b"\0\0\1", at + 3)
        except IndexError:
            self._before = None
            return Access.LOST
        return Access.PARAMETERS

    def _slice(self, bits: "_Bits", is_reference: bool) -> Access:
        if self._before is None or self._bits is None:
            return Access.LOST
        for _ in range(3):  # first macroblock, slice type, picture parameters
            bits.golomb()
        if self._planes:
            bits.take(2)
        number = bits.take(self._bits)
        if number != (self._before + 1) % (1 << self._bits):
            if number != self._before:  # else the same message once more
                self._before = None
            return Access.LOST
        if is_reference:
            self._before = number
        return Access.PICTURE

    def _parameters(self, bits: "_Bits") -> None:
        profile = bits.take(8)
        bits.take(16)
        bits.golomb()
        self._planes = False
        if profile in _WITH_CHROMA:
            chroma = bits.golomb()
            self._planes = chroma == 3 and bits.take(1) == 1
            bits.golomb()
            bits.golomb()
            bits.take(1)
            if bits.take(1):
                for i in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        _pass_scaling_list(bits, 16 if i < 6 else 64)
        self._bits = min(bits.golomb(), 12) + 4


def _pass_scaling_list(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last


class _Bits:
    """Bits of a unit, its emulation prevention bytes left out. Raises IndexError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def take(self, n_bits: int) -> int:
        value = 0
        for _ in range(n_bits):
            value = value << 1 | self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1
            self._at += 1
        return value

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -(value // 2)
