"""The views of a bag: which topics, under which names, and when each starts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.raw import RawCamera
from pipeline.sources.ros.ros_clock import Chosen, Clock, Tell, in_order, times_of
from pipeline.sources.ros.ros_gather import Gathered
from pipeline.sources.ros.ros_listing import BAG
from pipeline.sources.ros.ros_pictures import IMAGE_TYPES
from pipeline.sources.views import still_view
from schemas.array import Ints
from schemas.finding import Finding
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.source import EpisodeRef

_NO_NAME = {"compressed", "image", "image_raw", "image_color", "image_rect", "image_rect_color", "video", "ffmpeg"}
"""Last parts of a topic that say it is a view and not which."""


def inside_of(topic: str, clock: Clock) -> str:
    """What `VideoWindow.inside` says, so that `pictures` need not choose the clock again: ``header:/top/image``."""
    return f"{clock}:{topic}"


def topic_of(inside: str) -> tuple[str, Clock]:
    """The topic and its clock."""
    clock, _, topic = inside.partition(":")
    return topic, "header" if clock == "header" else "log"


def view_topics(spec: RosBagSource, gathered: Gathered, where: str, tell: Tell) -> tuple[dict[str, str], list[Finding]]:
    """Topic by name of the views that are there and readable, master first, and findings about the others.

    Raises SourceError when a topic that the recipe calls a camera holds no pictures we read.
    """
    findings: list[Finding] = []
    wanted = spec.cameras
    if wanted is None:
        wanted, findings = _all_topics(gathered, tell)
    views = {}
    for name, topic in wanted.items():
        kind = gathered.channels.get(topic)
        if kind is not None and kind not in IMAGE_TYPES:
            raise SourceError(f"{where}: {topic} is {kind}, expected one of {sorted(IMAGE_TYPES)}; correct `cameras`")
        pictures = gathered.pictures.get(topic)
        if pictures is None:
            there = sorted(topic for topic, kind in gathered.channels.items() if kind in IMAGE_TYPES)
            message = f"no message of {topic}, which the recipe calls camera {name}; image topics are {there}"
            findings.append(tell("topic_missing", message, None, None))
            continue
        if pictures.problem is not None:
            raise SourceError(f"{where}: {topic} {pictures.problem}; correct `cameras`")
        if pictures.lost:
            message = (
                f"{topic}: {pictures.lost} pictures of the video refer to one that is not in the bag; they are left out"
            )
            findings.append(tell("video_picture_lost", message, pictures.lost, 0))
        if pictures.stamps.log_ns:
            views[name] = topic
    return views, findings


def _all_topics(gathered: Gathered, tell: Tell) -> tuple[dict[str, str], list[Finding]]:
    """Every readable image topic, sorted. Of the same pictures raw and compressed, the raw ones."""
    findings, topics = [], []
    for topic, pictures in sorted(gathered.pictures.items()):
        raw = topic.removesuffix("/compressed")
        if pictures.problem is not None:
            findings.append(tell("image_topic_not_read", f"{topic} {pictures.problem}; it is left out", None, None))
        elif raw != topic and raw in gathered.pictures and gathered.pictures[raw].problem is None:
            message = f"{topic} shows the same pictures as {raw}, which is used"
            findings.append(tell("image_topic_twice", message, None, None))
        else:
            topics.append(topic)
    shorts = [_short(topic) for topic in topics]
    names = [s if shorts.count(s) == 1 else _joined(t) for s, t in zip(shorts, topics, strict=True)]
    return dict(zip(names, topics, strict=True)), findings


def _short(topic: str) -> str:
    parts = [part for part in PurePosixPath(topic).parts if part not in ("/", *_NO_NAME)]
    return "_".join(parts) or _joined(topic)


def _joined(topic: str) -> str:
    return topic.strip("/").replace("/", "_")


def views_of(
    ref: EpisodeRef, views: Mapping[str, str], gathered: Gathered, clocks: Mapping[str, Chosen], tell: Tell
) -> tuple[list[RawCamera], list[Finding]]:
    """The cameras, master first, with their starts on its clock. A view that ends before it starts is left out."""
    cameras: list[RawCamera] = []
    findings: list[Finding] = []
    origin_ns = None
    for name, topic in views.items():
        clock = clocks[topic].clock
        times_ns: Ints = times_of(gathered.pictures[topic].stamps, clock)
        times_ns = times_ns[in_order(times_ns)]
        origin_ns = int(times_ns[0]) if origin_ns is None else origin_ns
        shown = int(np.count_nonzero(times_ns >= origin_ns))
        if not shown:
            late_s = (origin_ns - int(times_ns[-1])) / 1e9
            message = f"{topic} ends {late_s:.3f} s before the master view starts; it is left out"
            findings.append(tell("view_outside_master", message, late_s, 0))
            continue
        camera = still_view(ref, BAG, name, inside_of(topic, clock), fps=None, n_frames=shown)
        cameras.append(replace(camera, starts_ns=int(times_ns[0]) - origin_ns))
    return cameras, findings
