"""The demos of a robomimic file: their order, what identifies each of them, and what is said about it.

Many demos share a file. A demo's identity is the digest of its own tables and pictures, not of the file: appending or
removing a demo, renumbering, merging and splitting files, and repacking with another compression change no episode.
``next_obs`` repeats ``obs`` one row later and is left out. All data are read once, as they are to hash a file.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.natural_order import natural_key
from pipeline.sources.robomimic.robomimic_env import Env, parsed, words
from pipeline.sources.storage.hdf5 import Hdf5
from pipeline.sources.storage.json_file import number_of, text_of
from schemas.recipe_formats.robomimic import RobomimicSource
from schemas.source import EpisodeRef

_TEXTS = ("language_instruction", "language", "lang", "instruction", "task_description")
_BODY = re.compile(r'<body name="(robot\d+)_base"([^<>]{0,400})>')
_PLACE = {key: re.compile(rf'\b{key}="([^"]{{1,200}})"') for key in ("pos", "quat")}


@dataclass(frozen=True, eq=False)
class Demo:
    """One demo of an open file, and everything that is needed to read it."""

    ref: EpisodeRef
    spec: RobomimicSource
    env: Env
    part: Mapping[str, Any]
    """What `said_about` found at discovery."""
    file: Hdf5
    fps: float

    @property
    def group(self) -> str:
        return f"/data/{self.part['demo']}"

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.file.name}, {self.part['demo']}"


def demos_of(file: Hdf5) -> list[str]:
    """Names of the demos in numeric order: demo_2 before demo_10."""
    return sorted(file.keys("/data"), key=natural_key)


def masks_of(file: Hdf5) -> dict[str, set[str]]:
    """Names of demos by filter key."""
    return {key: set(file.texts(f"/mask/{key}")) for key in file.keys("/mask") if file.is_text(f"/mask/{key}")}


def digest_of(file: Hdf5, demo: str, files: SourceFiles, stat: FileStat, digests: DigestCache) -> str:
    """SHA-256 of a demo's data, from the cache when the file has not changed."""
    url = f"{files.url_of(stat.path)}#{demo}"
    known = digests.get(url, stat.size, stat.mtime_ns)
    if known is None:
        known = _content(file, f"/data/{demo}")
        digests.put(url, stat.size, stat.mtime_ns, known)
    return known


def _content(file: Hdf5, group: str) -> str:
    hasher = hashlib.sha256()
    for path in content_paths(file, group):
        data = file.dataset(path)
        hasher.update(f"{path[len(group) :]} {data.dtype.str} {data.shape}\n".encode())
        if file.is_text(path):
            hasher.update(json.dumps(file.texts(path)).encode())
        elif data.shape and not data.dtype.hasobject:
            for band in file.bands(path):
                hasher.update(np.ascontiguousarray(band).data)
        elif data.shape:
            for row in file.rows(path):
                hasher.update(len(row).to_bytes(8, "little") + np.ascontiguousarray(row).tobytes())
        else:
            hasher.update(np.ascontiguousarray(file.values(path)).data)
    return hasher.hexdigest()


def content_paths(file: Hdf5, group: str) -> list[str]:
    """The datasets that make up a demo."""
    return [path for path in file.datasets(group) if not path.startswith(f"{group}/next_obs/")]


def said_about(file: Hdf5, demo: str, masks: Mapping[str, set[str]]) -> dict[str, Any]:
    """What the file says about one demo outside its tables, as far as reading it needs it."""
    stated = file.attributes(f"/data/{demo}")
    episode = parsed(stated.get("ep_meta"))
    texts = [episode.get("lang"), *(stated.get(key) for key in _TEXTS)]
    success = stated.get("success")
    return {
        "demo": demo,
        "language": next(filter(None, map(words, texts)), ""),
        "num_samples": _whole(stated.get("num_samples")),
        "success": bool(success) if isinstance(success, bool | np.bool_ | np.integer) else None,
        "masks": sorted(key for key, names in masks.items() if demo in names),
        "bases": dict(_bases(text_of(stated.get("model_file")))),
    }


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int | np.integer) else None


def _bases(model: str) -> Iterator[tuple[str, list[float]]]:
    """Where robosuite's scene description puts each robot: x y z in metres and a quaternion wxyz."""
    for match in _BODY.finditer(model):
        place = []
        for key, usual in (("pos", "0 0 0"), ("quat", "1 0 0 0")):
            found = _PLACE[key].search(match[2])
            place += [_number(text) for text in (found[1] if found else usual).split()]
        if len(place) == 7 and None not in place and any(place[3:]):  # 3 of a place, 4 of a quaternion
            yield match[1], [number for number in place if number is not None]


def _number(text: str) -> float | None:
    try:
        return number_of(float(text))
    except ValueError:
        return None
