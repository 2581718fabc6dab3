"""Changes to archives of arrays: NumPy's ``.npz``, and zarr as a zip or a folder."""

import io
import json
import pickle
import random
import re
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.pipeline.sources.mutations import bombs, text
from tests.pipeline.sources.mutations.damage import Marker, canary, names
from tests.pipeline.sources.mutations.raw_bytes import BYTES

_Entry = tuple[zipfile.ZipInfo, bytes]


def zip_changed(path: Path, rng: random.Random) -> str | None:
    """One entry of a zip is another one, and the checksums say that all is well."""
    with zipfile.ZipFile(path) as archive:
        entries = [(info, archive.read(info)) for info in archive.infolist()]
    at = rng.randrange(len(entries))
    if path.name.endswith(".zarr.zip") and rng.random() < 0.5:  # metadata is what matters, and there is little of it
        at = rng.choice(
            [i for i, (info, _) in enumerate(entries) if Path(info.filename).name.startswith((".z", "zarr"))]
        )
    info, data = entries[at]
    if rng.random() < 0.25:
        entries = rng.choice(_ENTRIES)(entries, at, rng)
        _write(path, entries)
        if rng.random() < 0.3:
            _lie(path, rng)
        return None
    if info.filename.endswith(".npy"):
        entries[at] = (info, rng.choice(_NPY)(data, rng))
    else:
        entries[at] = (info, zarr_part(Path(info.filename), data, rng))
    _write(path, entries)
    return episode_of(info.filename)


def zarr_file_changed(path: Path, rng: random.Random) -> str | None:
    """One file of a zarr folder."""
    path.write_bytes(zarr_part(path, path.read_bytes(), rng))
    return episode_of(path.as_posix())


def zarr_part(path: Path, data: bytes, rng: random.Random) -> bytes:
    """Metadata or a chunk of a zarr, spoilt."""
    if path.name in (".zarray", "zarr.json"):
        return _metadata(data, rng) if rng.random() < 0.6 else rng.choice(text.JSON)(data, rng)
    if path.name.startswith(".z"):
        return rng.choice(text.JSON)(data, rng)
    return rng.choice(bombs.CHUNKS)() if rng.random() < 0.5 else rng.choice(BYTES)(data, rng) if data else b"x"


def episode_of(key: str) -> str | None:
    """The episode that a picture's chunk belongs to; those of `specimens` end at rows 8 and 17 or 9 and 17."""
    found = re.search(r"camera0_rgb/(?:c/)?(\d+)[./]0[./]0[./]0$", key)
    row = int(found.group(1)) if found else 8
    return None if row == 8 else f"episode {0 if row < 8 else 1}"


def _metadata(data: bytes, rng: random.Random) -> bytes:
    """A grid, type or packing that the chunks do not have."""
    stated = json.loads(data)
    third = stated.get("zarr_format") == 3
    choices: dict[str, Any] = {
        "shape": [[2**62, 3], [1 << 40], [0, 0], [-1, 3], [17, 2**31], [2.5], "x", [17] * 40, [17, 224, 224, 3], []],
        "chunks": [[0, 3], [2**40, 3], [1], [-1], [1] * 40, [1, 1, 1, 1], [2**31, 2**31]],
        "dtype": ["|O", "<M8[ns]", "<U1000000000", "|V0", [["a", "<f8"]], "|S0", "<f99", "O", "<c16", ">f8"],
        "compressor": [
            {"id": "pickle"},
            {"id": "blosc"},
            {"id": "zstd", "level": 10**9},
            {"id": "lz4"},
            None,
            {"id": "imagecodecs_jpegxl"},
        ],
        "filters": [[{"id": "pickle"}], [{"id": "vlen-utf8"}], [{"id": "json2"}], "x", [{}]],
        "order": ["F", "X", None],
        "dimension_separator": ["/", "../", ""],
        "fill_value": ["NaN", 10**400, None],
        "zarr_format": [1, 4, "2", None],
    }
    if third:
        choices |= {
            "data_type": ["object", "string", "float128", {"name": "x"}, "int8"],
            "chunk_grid": [{"name": "regular", "configuration": {"chunk_shape": shape}} for shape in choices["chunks"]],
            "codecs": [
                [{"name": "pickle"}],
                [],
                [{"name": "sharding_indexed", "configuration": {}}],
                [{"name": "zstd"}] * 3,
                None,
            ],
            "storage_transformers": [[{"name": "x"}]],
            "node_type": ["group", "file", None],
            "chunk_key_encoding": [{"name": "default", "configuration": {"separator": "../"}}, {"name": "v2"}, None],
        }
    key = rng.choice(list(choices))
    return json.dumps({**stated, key: rng.choice(choices[key])}).encode()


# -- npy -------------------------------------------------------------------------------------------------------------


def _header(stated: str) -> bytes:
    padded = stated.encode() + b" " * (63 - (10 + len(stated)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded


def _pickled(data: bytes, rng: random.Random) -> bytes:
    """An array of objects, as NumPy itself writes it."""
    sink = io.BytesIO()
    marker = Marker(str(canary(f"unpickled-{rng.randrange(10**9)}")))
    np.lib.format.write_array(sink, np.array([marker] * 3, dtype=object), allow_pickle=True)
    plain = _header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }") + pickle.dumps(marker)
    return rng.choice((sink.getvalue(), plain, pickle.dumps(marker)))


def _claiming(data: bytes, rng: random.Random) -> bytes:
    """A header that claims what the data are not."""
    shape = rng.choice(
        (
            "(1099511627776,)",
            "(2, -1)",
            "(0, 9223372036854775807)",
            "(3.5,)",
            "(True,)",
            "()",
            "(1,) * 9",
            "None",
            "(0,) ",
        )
    )
    kind = rng.choice(
        (
            "'<f8'",
            "'|O'",
            "'|V0'",
            "'<U1000000000'",
            "'<M8[ns]'",
            "[('a', '<f8')]",
            "'|S0'",
            "'<c16'",
            "'f4,(1000000,)f8'",
            "(" * 90,
        )
    )
    order = rng.choice(("False", "True", "1", "'x'"))
    return _header(f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}") + data[128:]


def _code(_data: bytes, rng: random.Random) -> bytes:
    """A header that is no plain value."""
    return (
        _header(
            rng.choice(
                ("__import__('os').system('true')", "[" * 5000, "{'descr'}", "9" * 9000, "-" * 9000 + "1", "\x00")
            )
        )
        + b"x" * 80
    )


def _values(data: bytes, rng: random.Random) -> bytes:
    values = np.load(io.BytesIO(data), allow_pickle=False)
    sink = io.BytesIO()
    flat = np.atleast_1d(values).astype(np.float64) if values.dtype.kind in "iufb" else np.zeros(3)
    flat = flat.copy()
    with np.errstate(all="ignore"):
        where = (
            rng.sample(range(flat.size), max(1, flat.size // rng.choice((1, 3, flat.size or 1)))) if flat.size else []
        )
        flat.flat[where] = rng.choice((np.nan, np.inf, -np.inf, 1e300, -1e30, 0.0))
        made = rng.choice(
            (
                flat,
                flat[:0],
                flat[:1],
                flat.T,
                flat[None],
                flat.astype("f4"),
                flat.astype(np.int8),
                np.zeros((3, 0)),
                flat.astype(complex),
                flat.astype("U9"),
            )
        )
    np.save(sink, made, allow_pickle=False)
    return sink.getvalue()


def _zeros(_data: bytes, rng: random.Random) -> bytes:
    """An honest array of very many zeros; deflated, it is small."""
    n_bytes = rng.choice((1 << 20, 1 << 27, 3 << 27))
    return _header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({n_bytes // 24}, 3), }}") + bytes(
        n_bytes // 24 * 24
    )


_NPY: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _pickled,
    _pickled,
    _claiming,
    _claiming,
    _code,
    _values,
    _values,
    _values,
    _zeros,
    *BYTES[:4],
)


# -- entries ---------------------------------------------------------------------------------------------------------


def _renamed(entries: list[_Entry], at: int, rng: random.Random) -> list[_Entry]:
    data = entries[at][1]
    bad = rng.choice(
        ("../../escaped.npy", "/escaped.npy", "a\\..\\b", "x" * 2000, "", "é.npy", "..", "a/../../b", names(rng)[:60])
    )
    made = zipfile.ZipInfo("x")
    made.filename = bad.encode("utf-8", "replace").decode().replace("\x00", "") or "-"
    return [*entries[:at], (made, data), *entries[at + 1 :]]


def _doubled(entries: list[_Entry], at: int, rng: random.Random) -> list[_Entry]:
    return [*entries, (entries[at][0], rng.choice((entries[at][1], b"other")))]


def _left_out(entries: list[_Entry], at: int, _rng: random.Random) -> list[_Entry]:
    return [*entries[:at], *entries[at + 1 :]]


def _linked(entries: list[_Entry], at: int, _rng: random.Random) -> list[_Entry]:
    made = zipfile.ZipInfo(entries[at][0].filename)
    made.external_attr = (stat.S_IFLNK | 0o777) << 16
    return [*entries[:at], (made, str(canary("a.raw")).encode()), *entries[at + 1 :]]


def _crowd(entries: list[_Entry], at: int, _rng: random.Random) -> list[_Entry]:
    return [*entries, *((zipfile.ZipInfo(f"extra{i}.npy"), b"") for i in range(12_000))]


_ENTRIES: tuple[Callable[[list[_Entry], int, random.Random], list[_Entry]], ...] = (
    _renamed,
    _doubled,
    _left_out,
    _linked,
    _crowd,
)


def _write(path: Path, entries: list[_Entry]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in entries:
            made = zipfile.ZipInfo("x")
            made.filename, made.external_attr = info.filename, info.external_attr
            made.compress_type = zipfile.ZIP_DEFLATED if len(data) > 1 << 20 else info.compress_type
            archive.writestr(made, data)


def _lie(path: Path, rng: random.Random) -> None:
    """Numbers of the directory or of an entry's own header."""
    data = bytearray(path.read_bytes())
    mark = rng.choice((b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"))
    places = [found.start() for found in re.finditer(re.escape(mark), data)]
    at = rng.choice(places) + rng.choice(range(4, 22, 2))
    data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f", rng.randbytes(4)))
    path.write_bytes(bytes(data))
