"""Every source format and what reads it. A new one adds a line here, and one in `schemas.recipe_sources`.

A format's module is imported when the first source asks for it: together they bring half a second of libraries (bags,
HDF5, optimisers), which every process of every run would pay for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.infinite import without_infinities
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_source, format_of
from pipeline.sources.views import video_pictures
from pipeline.video import ONE_THREAD, Picture, Threads
from schemas.episode import VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef

_TOLD = 10
"""Paths that are passed over are told one by one up to here; a download cache has a million links."""


@dataclass(frozen=True)
class Format:
    """What a format's module offers; ``discover`` takes that format's section of the recipe.

    ``pictures`` gives the frames of one view: those that start inside the window, in presentation order, with times
    that increase strictly. Formats whose pictures are no video files, or whose true frame times stand beside the
    video, bring their own; ingest and cut both go through it, so that "frame i" is the same picture to both.
    """

    facts: FormatFacts
    discover: Callable[[Any, SourceFiles, DigestCache], Iterator[EpisodeRef | Finding]]
    read: Callable[[EpisodeRef, SourceFiles], RawEpisode]
    pictures: Callable[[EpisodeRef, SourceFiles, VideoWindow, Threads], Iterator[Picture]]


MODULES = {
    "agibot": "pipeline.sources.agibot.agibot",
    "aloha": "pipeline.sources.aloha",
    "droid_raw": "pipeline.sources.droid_raw.droid_raw",
    "ego4d": "pipeline.sources.egocentric.ego4d",
    "egodex": "pipeline.sources.egocentric.egodex",
    "epic_kitchens": "pipeline.sources.egocentric.epic_kitchens",
    "fastumi": "pipeline.sources.umi.fastumi",
    "hand_log": "pipeline.sources.egocentric.hand_log",
    "hot3d": "pipeline.sources.egocentric.hot3d",
    "lerobot": "pipeline.sources.lerobot.lerobot",
    "rlds": "pipeline.sources.rlds.rlds",
    "robomimic": "pipeline.sources.robomimic.robomimic",
    "ros_bag": "pipeline.sources.ros.ros_bag",
    "self_collected": "pipeline.sources.self_collected",
    "umi_zarr": "pipeline.sources.umi.umi_zarr",
    "umi_json": "pipeline.sources.umi.umi_json",
    "umi_session": "pipeline.sources.umi.umi_session",
    "video_folder": "pipeline.sources.video_folder",
}
"""Format → what offers `FACTS`, `discover`, `read` and, where pictures are no plain video files, `pictures`."""


@cache
def format_named(name: str) -> Format:
    """A format, imported now if it was not before."""
    module = import_module(MODULES[name])
    return Format(module.FACTS, module.discover, module.read, getattr(module, "pictures", video_pictures))


def discover(spec: SourceSpec, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """What a source offers today, in a fixed order. Raises SourceError when it cannot be listed at all."""
    told: list[str] = []
    n_passed_over = 0
    for one in files.passed_over():
        n_passed_over += 1
        if len(told) < _TOLD:
            told.append(one)
            yield about_source(spec.name, "passed_over", f"{spec.name}: {one}", verdict=Verdict.DROP)
    if n_passed_over > _TOLD:
        yield about_source(spec.name, "passed_over", f"{spec.name}: {n_passed_over} such paths", value=n_passed_over)
    try:
        yield from format_named(spec.format).discover(spec, files, digests)
    except SourceError as error:
        if not told:
            raise
        raise SourceError(f"{error}; besides, {told[0]}") from error


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's tables and metadata; pixels are not touched. Raises SourceError naming the file at fault."""
    return without_infinities(ref, format_named(format_of(ref)).read(ref, files))


def pictures(
    ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads = ONE_THREAD
) -> Iterator[Picture]:
    """The frames of one view. Raises SourceError when they cannot be decoded."""
    return format_named(format_of(ref)).pictures(ref, files, window, threads)
