"""Every source format and what reads it. A new one adds a line here, and one in `schemas.recipe_sources`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources import aloha, self_collected, video_folder
from pipeline.sources.agibot import agibot
from pipeline.sources.droid_raw import droid_raw
from pipeline.sources.egocentric import ego4d, egodex, epic_kitchens, hand_log, hot3d
from pipeline.sources.facts import FormatFacts
from pipeline.sources.infinite import without_infinities
from pipeline.sources.lerobot import lerobot
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_source, format_of
from pipeline.sources.rlds import rlds
from pipeline.sources.robomimic import robomimic
from pipeline.sources.ros import ros_bag
from pipeline.sources.umi import fastumi, umi_json, umi_session, umi_zarr
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
    pictures: Callable[[EpisodeRef, SourceFiles, VideoWindow, Threads], Iterator[Picture]] = video_pictures


FORMATS = {
    "agibot": Format(agibot.FACTS, agibot.discover, agibot.read, agibot.pictures),
    "aloha": Format(aloha.FACTS, aloha.discover, aloha.read, aloha.pictures),
    "droid_raw": Format(droid_raw.FACTS, droid_raw.discover, droid_raw.read, droid_raw.pictures),
    "ego4d": Format(ego4d.FACTS, ego4d.discover, ego4d.read),
    "egodex": Format(egodex.FACTS, egodex.discover, egodex.read),
    "epic_kitchens": Format(epic_kitchens.FACTS, epic_kitchens.discover, epic_kitchens.read),
    "fastumi": Format(fastumi.FACTS, fastumi.discover, fastumi.read, fastumi.pictures),
    "hand_log": Format(hand_log.FACTS, hand_log.discover, hand_log.read),
    "hot3d": Format(hot3d.FACTS, hot3d.discover, hot3d.read),
    "lerobot": Format(lerobot.FACTS, lerobot.discover, lerobot.read, lerobot.pictures),
    "rlds": Format(rlds.FACTS, rlds.discover, rlds.read, rlds.pictures),
    "robomimic": Format(robomimic.FACTS, robomimic.discover, robomimic.read, robomimic.pictures),
    "ros_bag": Format(ros_bag.FACTS, ros_bag.discover, ros_bag.read, ros_bag.pictures),
    "self_collected": Format(
        self_collected.FACTS, self_collected.discover, self_collected.read, self_collected.pictures
    ),
    "umi_zarr": Format(umi_zarr.FACTS, umi_zarr.discover, umi_zarr.read, umi_zarr.pictures),
    "umi_json": Format(umi_json.FACTS, umi_json.discover, umi_json.read),
    "umi_session": Format(umi_session.FACTS, umi_session.discover, umi_session.read),
    "video_folder": Format(video_folder.FACTS, video_folder.discover, video_folder.read, video_folder.pictures),
}


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
        yield from FORMATS[spec.format].discover(spec, files, digests)
    except SourceError as error:
        if not told:
            raise
        raise SourceError(f"{error}; besides, {told[0]}") from error


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's tables and metadata; pixels are not touched. Raises SourceError naming the file at fault."""
    return without_infinities(ref, FORMATS[format_of(ref)].read(ref, files))


def pictures(
    ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads = ONE_THREAD
) -> Iterator[Picture]:
    """The frames of one view. Raises SourceError when they cannot be decoded."""
    return FORMATS[format_of(ref)].pictures(ref, files, window, threads)
