"""Which files beside a video are about it: ``clip.info.json``, ``clip.vtt``, ``clip.en.srt`` are about ``clip.mp4``.

A reference keeps them by what follows the video's name and by their contents, so that the two may be renamed together
and a corrected file reads the episode afresh without making another recording of it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.files import FileStat

INFO = ".info.json"
SUBTITLES = (".vtt", ".srt")
_LANGUAGE = re.compile(r"\.[A-Za-z0-9_-]{1,40}", re.ASCII)


@dataclass(frozen=True)
class Sidecars:
    """The sidecars of a listing."""

    of: dict[str, dict[str, FileStat]]
    """By the video's path without its suffix, then by what follows it in the sidecar's name, e.g. ``.en.vtt``."""
    alone: tuple[str, ...]
    """Those that are about no video that is there."""


def sidecars_of(listing: Iterable[FileStat], videos: Iterable[str]) -> Sidecars:
    """The sidecars among files; ``videos`` are paths. With ``a.mp4`` and ``a.en.mp4``, ``a.en.vtt`` is the latter's."""
    stems = {stem_of(path) for path in videos}
    of: dict[str, dict[str, FileStat]] = {}
    alone = []
    for stat in listing:
        for stem, rest in _readings(stat.path):
            if stem in stems:
                of.setdefault(stem, {})[rest] = stat
                break
        else:
            if _ending(stat.path):
                alone.append(stat.path)
    return Sidecars(of, tuple(alone))


def stem_of(path: str) -> str:
    """A path without its last suffix."""
    return path.removesuffix(PurePosixPath(path).suffix)


def language_of(rest: str) -> str:
    """The language that a subtitle file's name gives; empty when it gives none."""
    return stem_of(rest).removeprefix(".") if rest.count(".") > 1 else ""


def _readings(path: str) -> Iterable[tuple[str, str]]:
    """What a path can be read as: a stem and the rest, the longer stem first."""
    ending = _ending(path)
    if not ending:
        return
    stem = path[: len(path) - len(ending)]
    yield stem, path[len(stem) :]
    language = PurePosixPath(stem).suffix
    if ending != INFO and _LANGUAGE.fullmatch(language):
        yield stem.removesuffix(language), path[len(stem) - len(language) :]


def _ending(path: str) -> str:
    return next((ending for ending in (INFO, *SUBTITLES) if path.lower().endswith(ending)), "")
