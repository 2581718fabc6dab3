"""Which files below a source are bags, and which of them belong together.

A ROS 2 bag is a folder whose ``metadata.yaml`` names its files; any other bag file stands alone. The metadata's own
place and names are no part of a bag's identity, for they change when it is renamed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.reference import about_source, declared_defects, metadata_of, reference, source_files
from pipeline.sources.ros.ros_container import READERS
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.source import EpisodeRef

BAG = "bag"
"""Part of a bag's first file; the next are ``bag/1``, ``bag/2`` …"""
_METADATA = "metadata.yaml"
_INFORMATION = "rosbag2_bagfile_information"
_MAX_METADATA_BYTES = 1 << 20
_MAX_DEPTH = 32
_UNFINISHED = {
    ".active": "its recording was not finished; run `rosbag reindex` on a copy and rename it",
    ".zstd": "is compressed as a whole; unpack it with `zstd -d` and correct metadata.yaml",
    ".gz": "is compressed as a whole; unpack it first",
}


@dataclass(frozen=True)
class Bag:
    """The files of one recording, in order, and what ``metadata.yaml`` says of it."""

    locator: str
    stats: tuple[FileStat, ...]
    packed: bool = False
    """Whether each message is compressed by itself."""
    counts: dict[str, int] = field(default_factory=dict)
    """Messages by topic, as claimed."""


def listed_bags(spec: RosBagSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per bag, in order of path. Raises SourceError when there is none at all."""
    yield from declared_defects(spec)
    stats = files.list()
    found = False
    for folder, inside in _folders(stats):
        for item in _bags_of(spec, files, folder, inside):
            found = True
            try:
                yield item if isinstance(item, Finding) else _reference(spec, files, digests, item)
            except SourceError as error:
                yield about_source(spec.name, "bag_unreadable", str(error), verdict=Verdict.DROP)
    if not found:
        raise SourceError(
            f"{files.root}: no bag below it, expected at least one of {', '.join(READERS)}; correct `path` of source "
            f"{spec.name}"
        )


def _folders(stats: Sequence[FileStat]) -> Iterator[tuple[str, list[FileStat]]]:
    by_folder: dict[str, list[FileStat]] = {}
    for stat in stats:
        by_folder.setdefault(stat.path.rpartition("/")[0], []).append(stat)
    yield from sorted(by_folder.items())


def _bags_of(spec: RosBagSource, files: SourceFiles, folder: str, inside: list[FileStat]) -> Iterator[Bag | Finding]:
    """The bags of one folder; those that cannot be read are findings."""
    by_name = {PurePosixPath(stat.path).name: stat for stat in inside}
    taken: set[str] = set()
    if _METADATA in by_name:
        try:
            bag = _ros2_bag(files, folder, by_name)
        except SourceError as error:
            yield about_source(spec.name, "bag_unreadable", str(error), verdict=Verdict.DROP)
            return
        if bag is not None:
            yield bag
            taken = {stat.path for stat in bag.stats}
            rest = [name for name, stat in by_name.items() if _is_bag(name) and stat.path not in taken]
            if rest:
                message = (
                    f"{folder or files.root}: {rest} are not named by {_METADATA} and are read as bags of their own"
                )
                yield about_source(spec.name, "bag_file_unlisted", message)
    for name, stat in by_name.items():
        if stat.path in taken:
            continue
        problem = "is empty; fetch it again or remove it" if stat.size == 0 else None
        suffixes = PurePosixPath(name).suffixes
        if len(suffixes) > 1 and suffixes[-2].lower() in READERS and suffixes[-1].lower() in _UNFINISHED:
            problem = _UNFINISHED[suffixes[-1].lower()]
        elif not _is_bag(name):
            continue
        if problem is not None:
            message = f"{spec.name}: {stat.path} {problem}"
            yield about_source(spec.name, "bag_unreadable", message, verdict=Verdict.DROP)
        else:
            yield Bag(stat.path, (stat,))


def _is_bag(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in READERS


def _ros2_bag(files: SourceFiles, folder: str, by_name: dict[str, FileStat]) -> Bag | None:
    """What a folder's metadata describes; None when it is not a bag's. Files are looked for beside it, by name."""
    where = files.url_of(by_name[_METADATA].path)
    information = _information(files, by_name[_METADATA], where)
    if information is None:
        return None
    paths = information.get("relative_file_paths")
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise SourceError(
            f"{where}: relative_file_paths is {paths!r}, expected the bag's files; run `ros2 bag reindex`"
        )
    names = [PurePosixPath(path).name for path in paths]
    if missing := [name for name in names if name not in by_name]:
        raise SourceError(f"{where}: names {missing}, which are not beside it; fetch them, or run `ros2 bag reindex`")
    if len(set(names)) != len(names):
        raise SourceError(f"{where}: names a file twice in {names}; run `ros2 bag reindex`")
    mode = str(information.get("compression_mode") or "none").lower()
    compression = str(information.get("compression_format") or "")
    if mode == "file" or (mode == "message" and compression != "zstd") or mode not in ("none", "message"):
        raise SourceError(
            f"{where}: is compressed (mode {mode!r}, format {compression!r}); read are single messages packed with "
            "zstd: convert it with `ros2 bag convert`"
        )
    return Bag(folder or ".", tuple(by_name[name] for name in names), mode == "message", _counts(information))


def _information(files: SourceFiles, stat: FileStat, where: str) -> dict[str, Any] | None:
    if stat.size > _MAX_METADATA_BYTES:
        return None
    try:
        stated = _yaml(files.read(stat.path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SourceError(f"{where}: is no YAML ({' '.join(str(error).split())[:200]}); fetch it again") from error
    information = stated.get(_INFORMATION) if isinstance(stated, dict) else None
    return information if isinstance(information, dict) else None


def _yaml(text: bytes) -> Any:
    """The document. Depth and aliases are checked first: libyaml nests on the C stack, which would overflow."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
            raise ValueError(f"nested more than {_MAX_DEPTH} deep, or with aliases, as no recorder writes it")
    return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, in C where there is one


def _counts(information: dict[str, Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    listed = information.get("topics_with_message_count")
    for item in listed if isinstance(listed, list) else []:
        about = item.get("topic_metadata") if isinstance(item, dict) else None
        name = about.get("name") if isinstance(about, dict) else None
        count = item.get("message_count") if isinstance(item, dict) else None
        if isinstance(name, str) and isinstance(count, int) and 0 <= count < 2**31:
            counts[name] = counts.get(name, 0) + count
    return counts


def _reference(spec: RosBagSource, files: SourceFiles, digests: DigestCache, bag: Bag) -> EpisodeRef:
    parts = [BAG, *(f"{BAG}/{i}" for i in range(1, len(bag.stats)))]
    return reference(
        spec,
        files.root,
        embodiment="none",
        locator=bag.locator,
        files=source_files(files, digests, zip(parts, bag.stats, strict=True)),
        metadata=metadata_of(spec, {"packed": bag.packed, "counts": bag.counts}),
        inside="",
    )
