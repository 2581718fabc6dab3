"""Ways to spoil a file as the world does: cut short, flipped, overwritten, lied in, swapped for something hostile."""

import json
import os
import pickle
import random
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

_HUGE = (2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
_WORDS = ("../../../../etc/passwd", "/etc/passwd", "", "nan", "1e999", "\x00", "a" * 5000, "-1", "99999999999999999999")


class Marker:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


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


def huge_count(data: bytes, rng: random.Random) -> bytes:
    """An integer of the file replaced by one no file has."""
    width, order = rng.choice((4, 8)), rng.choice(("little", "big"))
    start = rng.randrange(max(1, min(len(data), rng.choice((64, 512, len(data)))) - width + 1))
    number = rng.choice(_HUGE) & (2 ** (8 * width) - 1)
    return data[:start] + number.to_bytes(width, order) + data[start + width :]  # type: ignore[arg-type]


def not_a_number(data: bytes, rng: random.Random) -> bytes:
    """Doubles and floats replaced by NaN and infinities."""
    start = rng.randrange(0, max(1, len(data) - 8), 4)
    value = rng.choice(
        (b"\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x00\x00\x00\x00\x00\x00\xf0\x7f", b"\x00\x00\xc0\x7f" * 2)
    )
    return data[:start] + value + data[start + 8 :]


def number_in_text(data: bytes, rng: random.Random) -> bytes:
    """A number of a text file replaced by another kind of number, or by words."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", data))
    if not found:
        return overwritten(data, rng)
    at = rng.choice(found)
    other = rng.choice(("-1", "0", "1e308", "NaN", "Infinity", str(2**70), "null", '"x"', "[]", "true", "9" * 400))
    return data[: at.start()] + other.encode() + data[at.end() :]


def word_in_text(data: bytes, rng: random.Random) -> bytes:
    """A quoted word of a text file replaced by a hostile one."""
    found = list(re.finditer(rb'"[^"\\]*"', data))
    if not found:
        return number_in_text(data, rng)
    at = rng.choice(found)
    return data[: at.start()] + json.dumps(rng.choice(_WORDS)).encode() + data[at.end() :]


def nested(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice((100, 100_000))
    return rng.choice((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, data + b"[" * depth))


def replaced_by_pickle(_data: bytes, rng: random.Random) -> bytes:
    return pickle.dumps(Marker(str(Path(os.environ["FUZZ_CANARY"]) / f"unpickled-{rng.randrange(10**9)}")))


def replaced_by_bomb(_data: bytes, rng: random.Random) -> bytes:
    """A zip of zeros, with names that lead out of any folder."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("../../escaped", "/escaped", "data/robot0_eef_pos/0.0", "t.npy"):
            archive.writestr(name, bytes(rng.choice((1 << 10, 1 << 26))))
    return sink.getvalue()


BYTES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    truncated, truncated, bits_flipped, bits_flipped, overwritten, doubled, removed, huge_count, huge_count,
    not_a_number, replaced_by_pickle, replaced_by_bomb,
)  # fmt: skip
TEXT = (*BYTES, number_in_text, number_in_text, number_in_text, word_in_text, word_in_text, word_in_text, nested)
_TEXT_SUFFIXES = (".json", ".jsonl", ".csv", ".vtt", ".txt", ".yaml", ".zarray", ".zattrs", ".zgroup")


def spoil(root: Path, rng: random.Random) -> str:
    """Spoil one file below ``root`` in place; returns what was done."""
    path = rng.choice(sorted(path for path in root.rglob("*") if path.is_file()))
    name = str(path.relative_to(root))
    special = rng.random()
    if special < 0.03:
        path.unlink()
        path.symlink_to("/etc/passwd")
        return f"{name}: replaced by a link out of the folder"
    if special < 0.05:
        path.unlink()
        return f"{name}: removed"
    if special < 0.07:
        path.write_bytes(b"")
        return f"{name}: emptied"
    if special < 0.08:
        path.unlink()
        path.mkdir()
        return f"{name}: replaced by a folder"
    data = path.read_bytes()
    change = rng.choice(TEXT if path.name.endswith(_TEXT_SUFFIXES) else BYTES)
    path.write_bytes(change(data, rng) if data else b"")
    return f"{name}: {change.__name__}"
