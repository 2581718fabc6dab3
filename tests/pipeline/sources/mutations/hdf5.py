"""Changes to HDF5 files by the library itself: whole files that lie, point elsewhere or unpack without end."""

import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.pipeline.sources.mutations import bombs
from tests.pipeline.sources.mutations.damage import FILLED, NUMBERS, canary

_SIDE = 1 << 40


def hdf5_changed(path: Path, rng: random.Random) -> str | None:
    """One dataset, group or attribute is another one. Returns its path in the file."""
    with h5py.File(path, "r+") as file:
        nodes: list[str] = []
        file.visit(nodes.append)
        sets = [name for name in nodes if isinstance(file[name], h5py.Dataset)]
        how = rng.random()
        if how < 0.15:
            return _attribute(file, rng.choice(["/", *nodes]), rng)
        if how < 0.3:
            name = rng.choice(nodes)
            del file[name]
            rng.choice(_OTHER_NODES)(file, name, rng)
            return _scope(name)
        name = rng.choice(sets)
        before = file[name][()]
        kept = dict(file[name].attrs)
        del file[name]
        rng.choice(_OTHER_DATA)(file, name, before, rng)
        if name in file and isinstance(file.get(name, getlink=True), h5py.HardLink):
            file[name].attrs.update(kept)
        return _scope(name)


def _scope(name: str) -> str:
    return f"/{name}/"


def _attribute(file: h5py.File, name: str, rng: random.Random) -> str | None:
    attributes = file[name].attrs
    key = rng.choice([*attributes, "fps", "sim"])
    if key in attributes and rng.random() < 0.2:
        del attributes[key]
    elif rng.random() < 0.2:
        attributes.create(key, np.zeros(3, h5py.ref_dtype))
    else:
        number = rng.choice([one for one in NUMBERS if not isinstance(one, int) or abs(one) < 2**63])
        words: list[Any] = [number, "\ud800".encode("utf-8", "surrogatepass"), "{" * 20_000, "[1e999]", "x" * 30_000]
        attributes[key] = rng.choice(
            [*words, np.zeros((0, 3)), np.array([b"x", b"yy"]), h5py.Empty("f8"), np.void(b"x")]
        )
    return None if name == "/" else _scope(name)


# -- other nodes in a node's place ----------------------------------------------------------------------------------


def _external(file: h5py.File, name: str, rng: random.Random) -> None:
    target = rng.choice((str(canary("a.h5")), "../canary/a.h5", "a.h5", path_of(file)))
    file[name] = h5py.ExternalLink(target, rng.choice(("/", "/values", name)))


def _soft(file: h5py.File, name: str, rng: random.Random) -> None:
    file[name] = h5py.SoftLink(rng.choice(("/", f"/{name}", "/nowhere", "..", name.rpartition("/")[0] or "/")))


def _cycle(file: h5py.File, name: str, _rng: random.Random) -> None:
    group = file.create_group(name)
    group["again"] = file["/"]
    group["self"] = group


def _many(file: h5py.File, name: str, rng: random.Random) -> None:
    group = file.create_group(name)
    for i in range(rng.choice((50, 2000))):
        group.create_group(f"demo_{i}")


def _deep(file: h5py.File, name: str, _rng: random.Random) -> None:
    file.create_group(name + "/a" * 300)


def _nothing(_file: h5py.File, _name: str, _rng: random.Random) -> None:
    """Left out."""


def _named_type(file: h5py.File, name: str, _rng: random.Random) -> None:
    file[name] = np.dtype("f8")


def _odd_name(file: h5py.File, name: str, rng: random.Random) -> None:
    odd = rng.choice(("é", "a b", "..", "a\nb", "demo_99999999999999999999", "x" * 3000))
    file.create_dataset(f"{name.rpartition('/')[0]}/{odd}", data=np.zeros(3))


_OTHER_NODES = (_external, _soft, _cycle, _many, _deep, _nothing, _named_type, _odd_name)


# -- other data in a dataset's place --------------------------------------------------------------------------------


def _other_type(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    values = np.atleast_1d(before)
    kind: Any = rng.choice(("f2", "i1", "u8", "c16", "S3", ">f8", "b1", "f16"))
    if values.dtype.kind in "biuf":
        with np.errstate(all="ignore"):
            file[name] = values.astype(kind)
    else:
        file[name] = np.zeros(values.shape, kind)


def _objects(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    shape = (max(1, len(np.atleast_1d(before))),)
    kinds: list[Any] = [
        h5py.ref_dtype,
        h5py.regionref_dtype,
        h5py.string_dtype(),
        h5py.vlen_dtype("f8"),
        h5py.vlen_dtype("u1"),
    ]
    kinds += [
        np.dtype([("a", "f8"), ("b", "S4")]),
        h5py.enum_dtype({"A": 1}),
        h5py.opaque_dtype("M8[s]"),
        np.dtype(("f8", (3,))),
    ]
    file.create_dataset(name, shape, rng.choice(kinds))


def _other_shape(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    values = np.atleast_1d(before)
    shapes = [
        values[:0],
        values[:1],
        values[:-1],
        values.T,
        values[None],
        values[..., None],
        values.reshape(-1),
        np.concatenate([values] * 3),
    ]
    shapes += [np.zeros((len(values), 0)), values[..., :1], np.asarray(values.flat[0]) if values.size else np.zeros(())]
    file[name] = rng.choice(shapes)


def _other_values(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    values = np.atleast_1d(before).copy()
    if values.dtype.kind not in "iuf" or not values.size:
        file[name] = np.zeros_like(values)
        return
    many = rng.choice((1, max(1, values.size // 2), values.size))
    where = rng.sample(range(values.size), many)
    if values.dtype.kind == "f":
        values.flat[where] = rng.choice((np.nan, np.inf, -np.inf, 1e30, -1e300, 0.0, 5e-324))
    else:
        limits = np.iinfo(values.dtype)
        values.flat[where] = rng.choice((limits.min, limits.max, 0))
    file[name] = values


def _pictures(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    """Packed pictures that claim or hold far too many pixels."""
    packed = rng.choice(bombs.PICTURES)()
    n_rows = max(1, len(np.atleast_1d(before)))
    file[name] = np.tile(np.frombuffer(packed, np.uint8), (min(n_rows, 3), 1))


def _claimed(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    """A huge shape without data behind it."""
    values = np.atleast_1d(before)
    shape = rng.choice(((_SIDE,), (_SIDE, 3), (len(values), _SIDE), (_SIDE, 480, 640, 3), (2**31, 7)))
    chunks = tuple(min(side, 64) for side in shape)
    kind: Any = values.dtype if values.dtype.kind in "biuf" else "f8"
    fill = rng.choice((0, 1))
    file.create_dataset(name, shape, kind, chunks=chunks, compression="gzip", fillvalue=fill)


def _bomb(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    """Chunks that unpack to far more than they stand for, or to all they claim."""
    n_rows = max(1, len(np.atleast_1d(before)))
    wide = rng.choice((3, 1 << 12, 1 << 25))
    data = file.create_dataset(name, (n_rows, wide), "f8", chunks=(1, wide), compression="gzip")
    packed = bombs.zeros_deflated(rng.choice((1 << 24, 1 << 30)))
    for row in range(min(n_rows, 4)):
        data.id.write_direct_chunk((row, 0), packed)


def _garbage(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    values = np.atleast_1d(before)
    if values.dtype.kind not in "biuf" or not values.size:
        file[name] = values
        return
    how: dict[str, Any] = rng.choice(
        ({"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}, {"shuffle": True})
    )
    data = file.create_dataset(name, data=values, chunks=(1, *values.shape[1:]), **how)
    data.id.write_direct_chunk((0,) * values.ndim, rng.randbytes(rng.choice((0, 1, 50, 5000))))


def _elsewhere(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    """Data in another file: raw, or by way of a virtual dataset."""
    values = np.atleast_1d(before)
    kind: Any = values.dtype if values.dtype.kind in "biuf" else "f8"
    if rng.random() < 0.5:
        source = rng.choice((str(canary("a.raw")), "../canary/a.raw", "/etc/passwd", "/dev/zero"))
        file.create_dataset(name, values.shape, kind, external=[(source, 0, values.size * np.dtype(kind).itemsize)])
    else:
        layout = h5py.VirtualLayout(values.shape, kind)
        layout[...] = h5py.VirtualSource(str(canary("a.h5")), "values", values.shape)
        file.create_virtual_dataset(name, layout)


def _texts(file: h5py.File, name: str, before: Any, rng: random.Random) -> None:
    n_rows = max(1, len(np.atleast_1d(before)))
    text = rng.choice(("x" * 5_000_000, "", FILLED, "{" * 100_000, "\x00"))
    file.create_dataset(name, data=[text] * min(n_rows, 20), dtype=h5py.string_dtype())


_OTHER_DATA = (
    _other_type,
    _objects,
    _other_shape,
    _other_shape,
    _other_values,
    _other_values,
    _pictures,
    _claimed,
    _bomb,
    _garbage,
    _elsewhere,
    _texts,
)


def path_of(file: h5py.File) -> str:
    """The name the file was opened by."""
    return str(file.filename)
