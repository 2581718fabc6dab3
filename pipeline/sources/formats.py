"""Every source format and the two functions that read it. Adding a format adds one line here."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources import lerobot, video_folder
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import format_of
from schemas.finding import Finding
from schemas.recipe import SourceSpec
from schemas.source import EpisodeRef


@dataclass(frozen=True)
class Format:
    """The two functions of one format; ``discover`` takes that format's section of the recipe."""

    discover: Callable[[Any, SourceFiles, DigestCache], Iterator[EpisodeRef | Finding]]
    read: Callable[[EpisodeRef, SourceFiles], RawEpisode]


FORMATS = {
    "lerobot": Format(lerobot.discover, lerobot.read),
    "video_folder": Format(video_folder.discover, video_folder.read),
}


def discover(spec: SourceSpec, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """What a source offers today, in a fixed order. Raises SourceError when it cannot be listed at all."""
    return FORMATS[spec.format].discover(spec, files, digests)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's tables and metadata; pixels are not touched. Raises SourceError naming the file at fault."""
    return FORMATS[format_of(ref)].read(ref, files)
