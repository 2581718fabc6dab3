"""Changes that know nothing of the file: cut short, flipped, overwritten, lied in."""

import os
import pickle
import random
import zipfile
from functools import cache
from io import BytesIO

from tests.pipeline.sources.mutations.damage import HUGE, ByteChange, Marker, canary


def truncated(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def bits_flipped(data: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 32))):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def overwritten(data: bytes, rng: random.Random) -> bytes:
    start, length = rng.randrange(len(data)), rng.choice((1, 8, 100, 1000))
    filler = rng.choice((b"\x00", b"\xff", b"\x7f", None))
    noise = rng.randbytes(length) if filler is None else filler * length
    return data[:start] + noise + data[start + length :]


def doubled(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.choice((16, 512, 1 << 16))]
    return data[:start] + piece + data[start:]


def removed(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.choice((1, 16, 512)) :]


def padded(data: bytes, rng: random.Random) -> bytes:
    """More bytes before or after than belong there."""
    more = rng.choice((b"\x00" * 100_000, rng.randbytes(100), data, b"\xef\xbb\xbf"))
    return rng.choice((data + more, more + data))


def huge_count(data: bytes, rng: random.Random) -> bytes:
    """An integer of the file replaced by one no file has."""
    width, order = rng.choice((4, 8)), rng.choice(("little", "big"))
    start = rng.randrange(max(1, min(len(data), rng.choice((64, 512, len(data)))) - width + 1))
    number = rng.choice(HUGE) & (2 ** (8 * width) - 1)
    return data[:start] + number.to_bytes(width, order) + data[start + width :]  # type: ignore[arg-type]


def lying_length(data: bytes, rng: random.Random) -> bytes:
    """A number that may well be a length or an offset made a little larger or smaller, twice as large, or huge."""
    for _ in range(200):
        width, order = rng.choice((2, 4, 8)), rng.choice(("little", "big"))
        start = rng.randrange(max(1, len(data) - width + 1))
        stated = int.from_bytes(data[start : start + width], order)  # type: ignore[arg-type]
        if 0 < stated <= len(data) - start:
            other = rng.choice((stated - 1, stated + 1, 2 * stated, 0, 2 ** (8 * width - 1), 2 ** (8 * width) - 1))
            lied = (other & (2 ** (8 * width) - 1)).to_bytes(width, order)  # type: ignore[arg-type]
            return data[:start] + lied + data[start + width :]
    return huge_count(data, rng)


def not_a_number(data: bytes, rng: random.Random) -> bytes:
    """Doubles and floats replaced by NaN and infinities."""
    start = rng.randrange(0, max(1, len(data) - 8), 4)
    value = rng.choice(
        (b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x00\x00\x00\x00\x00\x00\xf0\x7f", b"\x00\x00\xc0\x7f" * 2)
    )
    return data[:start] + value + data[start + 8 :]


def replaced_by_pickle(_data: bytes, rng: random.Random) -> bytes:
    return pickle.dumps(Marker(str(canary(f"unpickled-{rng.randrange(10**9)}"))))


def replaced_by_bomb(_data: bytes, rng: random.Random) -> bytes:
    """A zip of zeros, with names that lead out of any folder."""
    return _zip_bomb(rng.choice((1 << 10, 1 << 26)))


@cache
def _zip_bomb(n_bytes: int) -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../../escaped", "/escaped", "data/robot0_eef_pos/0.0", "t.npy"):
            archive.writestr(name, bytes(n_bytes))
    return sink.getvalue()


def replaced_by_playlist(_data: bytes, rng: random.Random) -> bytes:
    """Text that a video library may take for a list of other files, and open them."""
    path = rng.choice((str(canary("a.mp4")), "../canary/a.mp4", "/etc/passwd", "http://127.0.0.1:9/a.ts", "a.mp4"))
    lists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{path}\n#EXT-X-ENDLIST\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{path}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{path}'\n",
        f"ffconcat version 1.0\nfile 'file:{path}'\n",
        f"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'>"
        f"<Period><AdaptationSet mimeType='video/mp4'><Representation id='0' bandwidth='1'><BaseURL>{path}</BaseURL>"
        f"</Representation></AdaptationSet></Period></MPD>",
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na={path}\n",
        f"<!DOCTYPE x [<!ENTITY e SYSTEM 'file://{path}'>]><x>&e;</x>",
    )
    return rng.choice(lists).encode()


def random_bytes(_data: bytes, rng: random.Random) -> bytes:
    return rng.choice((rng.randbytes(2000), os.path.sep.encode() * 100, b"\x00" * 5000, b"\xff" * 5000))


BYTES: tuple[ByteChange, ...] = (
    truncated,
    truncated,
    bits_flipped,
    bits_flipped,
    overwritten,
    doubled,
    removed,
    padded,
    huge_count,
    lying_length,
    lying_length,
    not_a_number,
    replaced_by_pickle,
    replaced_by_bomb,
    replaced_by_playlist,
    random_bytes,
)
