"""A TFDS dataset folder: which splits it has, which files hold them, and where in them each record lies.

Files are found by their names (``bridge_dataset-train.tfrecord-00000-of-00001``); ``dataset_info.json`` is compared
with what is there. A record's digest is remembered under the file's URL and the record's offset, so that a dataset is
hashed once; later only record headers are looked at.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.rlds.rlds_features import FEATURES
from pipeline.sources.storage.json_file import dict_of, dicts_of, document, text_of
from pipeline.sources.storage.tfrecord import FOOTER_BYTES, HEADER_BYTES, length_at, sha256_at

INFO = "dataset_info.json"
_SHARD = re.compile(r"(?P<name>.+)-(?P<split>[^-.]+)\.(?P<format>\w+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_FORMAT = "tfrecord"


@dataclass(frozen=True)
class Shard:
    """One file of records."""

    stat: FileStat
    split: str
    number: int
    count: int
    """How many files the split has by this one's name."""

    @property
    def name(self) -> str:
        return PurePosixPath(self.stat.path).name


@dataclass(frozen=True)
class Record:
    """One whole record of a shard."""

    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class Damage:
    """A record that cannot be used, or all that follow it."""

    message: str


@dataclass(frozen=True)
class Stated:
    """What ``dataset_info.json`` says."""

    name: str
    version: str
    records: dict[str, int]
    """By split."""
    shards: dict[str, int]


def dataset_folder(files: SourceFiles) -> str:
    """The folder below the root that holds the dataset's files, ``""`` for the root itself.

    TFDS writes ``<name>/<version>/``. Raises SourceError unless there is exactly one: versions of one dataset hold
    the same episodes, and several datasets have no recipe in common.
    """
    folders = sorted(
        path.parent.as_posix().removeprefix(".")
        for path in (PurePosixPath(stat.path) for stat in files.list())
        if path.name == FEATURES
    )
    if not folders:
        raise SourceError(f"{files.root}: no {FEATURES} below it, expected a TFDS dataset folder; correct `path`")
    if len(folders) > 1:
        raise SourceError(f"{files.root}: several datasets below it, {folders[:12]}; name one of them with `path`")
    return folders[0]


def stated_of(files: SourceFiles, folder: str) -> Stated:
    """What the dataset says about itself; a folder without a description is named by its path."""
    path = f"{folder}/{INFO}".lstrip("/")
    said = dict_of(document(files, path)) if files.stat(path) is not None else {}
    splits = [split for split in dicts_of(said.get("splits")) if text_of(split.get("name"))]
    lengths = {split["name"]: split.get("shardLengths") for split in splits}
    whole = {
        name: [int(n) for n in found if str(n).isdecimal() and len(str(n)) < len(str(2**63))]
        for name, found in lengths.items()
        if isinstance(found, list)
    }
    return Stated(
        name=text_of(said.get("name")) or PurePosixPath(files.url_of(folder)).name,
        version=text_of(said.get("version")) or "unknown",
        records={name: sum(found) for name, found in whole.items()},
        shards={name: len(found) for name, found in whole.items()},
    )


def shards_of(files: SourceFiles, folder: str, splits: Sequence[str] | None) -> list[Shard]:
    """The files of the splits a recipe names, or of all, in order of split and number.

    Raises SourceError when there are none, or when they are no TFRecords.
    """
    found, others = [], set()
    for stat in files.list(folder, recursive=False):
        match = _SHARD.fullmatch(PurePosixPath(stat.path).name)
        if match is None:
            continue
        if match["format"] != _FORMAT:
            others.add(match["format"])
            continue
        found.append(Shard(stat, match["split"], int(match["number"]), int(match["count"])))
    where = files.url_of(folder)
    if not found:
        also = f", found {sorted(others)}; write the dataset as {_FORMAT}" if others else "; complete the download"
        raise SourceError(f"{where}: no file named <dataset>-<split>.{_FORMAT}-00000-of-00001{also}")
    there = sorted({shard.split for shard in found})
    if unknown := [split for split in splits or () if split not in there]:
        raise SourceError(f"{where}: no split {unknown[0]!r}, found {there}; correct `splits`")
    kept = [shard for shard in found if splits is None or shard.split in splits]
    return sorted(kept, key=lambda shard: (shard.split, shard.count, shard.number))


def records_of(files: SourceFiles, shard: Shard, digests: DigestCache) -> Iterator[Record | Damage]:
    """Every record of a file, and what is damaged in between. Only an unknown length ends a file early."""
    name, offset = files.url_of(shard.stat.path), 0
    with files.open(shard.stat.path) as file:
        while offset < shard.stat.size:
            try:
                length = length_at(file, offset, shard.stat.size, name)
            except SourceError as error:
                yield Damage(f"{error}; what follows in the file is left out")
                return
            key = (f"{name}#{offset}", length, shard.stat.mtime_ns)
            sha256 = digests.get(*key)
            try:
                if sha256 is None:
                    sha256 = sha256_at(file, offset, length, name)
                    digests.put(*key, sha256)
                yield Record(offset, length, sha256)
            except SourceError as error:
                yield Damage(str(error))
            offset += HEADER_BYTES + length + FOOTER_BYTES
