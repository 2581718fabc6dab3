"""What lies beside a DROID trajectory: ``metadata_*.json``, the sentences collected later, and the video files.

Written against the layout that the dataset page of droid-dataset/droid describes. The metadata names the cameras by
their place (``ext1_cam_serial`` …), which is what episodes of different laboratories have in common; their serial
numbers are not. Paths in it are of the machine that recorded and are never followed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.sources.spans import says_something
from pipeline.sources.storage.json_file import dict_of, document, entries, text_of
from schemas.recipe_formats.droid_raw import DroidRawSource

WRIST = "wrist"
PLACES = {"ext1_cam_serial": "ext1", "ext2_cam_serial": "ext2", "wrist_cam_serial": WRIST}
STEREO, _STEREO_FILE = "_stereo", "-stereo"
_VIDEOS, _SVO = "recordings/MP4/", ".svo"
_SENTENCE = re.compile(r"language_instruction_?[123]?")
_MAX_SENTENCE_BYTES = 256 << 20
"""The released file of all sentences has 30 MiB; it is held as a whole while a source is listed."""


@dataclass(frozen=True)
class Folder:
    """The files of one episode: everything below the folder of its ``trajectory.h5``."""

    path: str
    table: FileStat
    others: Sequence[FileStat]

    def inside(self, stat: FileStat) -> str:
        """A file's path below the folder."""
        return stat.path[len(self.path) :].lstrip("/")

    def metadata(self) -> list[FileStat]:
        """The ``metadata_*.json`` files; one, as a rule."""
        return [stat for stat in self.others if re.fullmatch(r"metadata_[^/]*\.json", self.inside(stat))]

    def svo(self) -> list[FileStat]:
        """Recordings in the camera maker's own container."""
        return [stat for stat in self.others if stat.path.lower().endswith(_SVO)]


@dataclass(frozen=True)
class View:
    """One video file of an episode."""

    name: str
    serial: str
    stat: FileStat


def described(folder: Folder, files: SourceFiles) -> dict[str, Any]:
    """The episode's metadata; empty when there is none. Raises SourceError when it cannot be read."""
    found = folder.metadata()
    return dict_of(document(files, found[0].path)) if found else {}


def views_of(folder: Folder, metadata: Mapping[str, Any], spec: DroidRawSource) -> list[View]:
    """The videos to read, master view first. Cameras the metadata does not place go by their serial number."""
    places = {str(metadata[key]): place for key, place in PLACES.items() if key in metadata}
    found: dict[str, View] = {}
    for stat in folder.others:
        path = PurePosixPath(folder.inside(stat))
        if not str(path).startswith(_VIDEOS) or path.suffix.lower() != ".mp4":
            continue
        serial = path.stem.removesuffix(_STEREO_FILE)
        is_stereo = serial != path.stem
        if not is_stereo or spec.stereo:
            name = places.get(serial, serial) + (STEREO if is_stereo else "")
            found[name] = View(name, serial, stat)
    if spec.cameras is None:
        return sorted(found.values(), key=lambda view: _rank(view.name))
    wanted = [name + eye for eye in ("", STEREO) for name in spec.cameras]
    return [found[name] for name in dict.fromkeys(wanted) if name in found]


def _rank(name: str) -> tuple[bool, int, str]:
    """Views from outside before the wrist's, single eyes before both."""
    place = name.removesuffix(STEREO)
    order = ("ext1", "ext2").index(place) if place in ("ext1", "ext2") else 3 if place == WRIST else 2
    return name.endswith(STEREO), order, name


def missing_views(metadata: Mapping[str, Any], spec: DroidRawSource, found: Sequence[View]) -> list[str]:
    """Cameras that the metadata or the recipe names and that have no file."""
    named = spec.cameras or [place for key, place in PLACES.items() if key in metadata]
    return [name for name in named if name not in {view.name for view in found}]


def sentences_of(said: Mapping[str, Any]) -> list[str]:
    """The wordings of the task in an object, in order of their keys, those without words left out."""
    texts = [text_of(said[key]).strip() for key in sorted(said) if _SENTENCE.fullmatch(key)]
    return [text for text in texts if says_something(text)]


def collected_sentences(spec: DroidRawSource, files: SourceFiles, stats: Sequence[FileStat]) -> dict[str, list[str]]:
    """The sentences by episode uuid of the file that has them all; empty when there is none.

    Raises SourceError when the file the recipe names is not there, or when several could be meant.
    """
    chosen = list(_candidates(spec, stats))
    if spec.annotations is not None and not chosen:
        raise SourceError(f"{files.url_of(spec.annotations)}: no such file; correct `annotations` of {spec.name}")
    if len(chosen) > 1:
        names = ", ".join(stat.path for stat in chosen)
        raise SourceError(f"{files.root}: found {names}, expected one file of sentences; name it in `annotations`")
    if chosen and chosen[0].size > _MAX_SENTENCE_BYTES:
        raise SourceError(
            f"{files.url_of(chosen[0].path)}: has {chosen[0].size} bytes, expected at most {_MAX_SENTENCE_BYTES}; "
            "name a smaller file in `annotations`"
        )
    found = entries(files, chosen[0].path) if chosen else iter(())
    return {keys[-1]: sentences for keys, said in found if (sentences := sentences_of(dict_of(said)))}


def _candidates(spec: DroidRawSource, stats: Sequence[FileStat]) -> Iterator[FileStat]:
    for stat in stats:
        if spec.annotations is not None:
            if stat.path == spec.annotations:
                yield stat
        elif "/" not in stat.path and "annotations" in stat.path and stat.path.endswith(".json"):
            yield stat
