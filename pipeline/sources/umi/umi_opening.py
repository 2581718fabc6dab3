"""A demo's gripper opening: tag distances of `umi_gripper` put into the range of the gripper that wears the tags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.files import SourceFiles
from pipeline.sources.reference import about_episode, recipe_part
from pipeline.sources.umi.umi_gripper import FingerTags, Lens, bridged, range_of, widths
from pipeline.sources.views import video_pictures
from pipeline.video import ONE_THREAD, TO_THE_END, choose_stream, frames, streams_of
from schemas.array import Floats, Ints
from schemas.episode import VideoWindow
from schemas.finding import Finding
from schemas.recipe_formats.umi_session import UmiSessionSource
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

_DEFAULT_TAGS = (0, 1)
"""Of UMI's gripper number 0."""


@dataclass(frozen=True, eq=False)
class Opening:
    """One row per frame of the video."""

    opening: Floats | None
    """float32 [N], 0 closed … 1 open; None when the tags were hardly seen or never moved."""
    width: Floats
    """float32 [N] as measured, NaN where not seen."""
    unit: str
    """Of the width: ``m`` or ``px``."""
    findings: list[Finding]


def measured_opening(
    ref: EpisodeRef, files: SourceFiles, window: VideoWindow, gripper: Mapping[str, Any], lens: Lens | None
) -> Opening:
    """The opening in every frame of a demo's video, which is decoded for it. Raises SourceError as decoding does."""
    spec = recipe_part(ref, UmiSessionSource)
    left, right = gripper.get("tags") or _DEFAULT_TAGS
    tags = FingerTags(left, right, spec.tag_size_m)
    width = np.array(list(widths(video_pictures(ref, files, window, ONE_THREAD), tags, lens)), np.float64)
    ends, told = _ends(files, gripper, tags, width, lens)
    findings = [about_episode(ref, check, message) for check, message in told]
    if not gripper.get("tags"):
        message = f"no calibration says which tags this gripper wears; {left} and {right} are looked for, gripper 0's"
        findings.append(about_episode(ref, "gripper_tags_assumed", message))
    opening = None
    if ends is None:
        message = f"tags {left} and {right} are seen in {_seen(width)} of {len(width)} frames, too few for an opening"
        findings.append(about_episode(ref, "gripper_tags_not_seen", message, _seen(width), 0))
    else:
        times_ns = np.rint(np.arange(len(width)) * (NS_PER_S / spec.fps)).astype(np.int64)
        opening, missed = _within(width, ends, times_ns, round(spec.max_gap_s * NS_PER_S))
        if _seen(width) < len(width):
            message = (
                f"tags {left} and {right} are not seen in {len(width) - _seen(width)} of {len(width)} frames; {missed} "
                f"of them lie in gaps of more than {spec.max_gap_s:g} s and are invalid, the others interpolated"
            )
            findings.append(about_episode(ref, "gripper_tags_missed", message, missed, 0))
    return Opening(opening, width.astype(np.float32), "px" if lens is None else "m", findings)


def _seen(width: Floats) -> int:
    return int(np.count_nonzero(np.isfinite(width)))


def _within(width: Floats, ends: tuple[float, float], times_ns: Ints, max_gap_ns: int) -> tuple[Floats, int]:
    whole = bridged(width, times_ns, max_gap_ns)
    opening: Floats = ((whole - ends[0]) / (ends[1] - ends[0])).astype(np.float32)
    return opening, int(np.count_nonzero(np.isnan(opening)))


def _ends(
    files: SourceFiles, gripper: Mapping[str, Any], tags: FingerTags, width: Floats, lens: Lens | None
) -> tuple[tuple[float, float] | None, Iterator[tuple[str, str]]]:
    """Which widths are closed and open: as calibrated, else as far as this episode goes, which is told."""
    if lens is not None and "range_m" in gripper:
        low, high = gripper["range_m"]
        return ((low, high) if _seen(width) > 1 else None), iter(())
    calibrated = None
    if lens is None and "video" in gripper:
        calibrated = range_of(np.array(list(_calibration_widths(files, gripper["video"][0], tags)), np.float64))
    if calibrated is not None:
        return (calibrated if _seen(width) > 1 else None), iter(())
    own = range_of(width)
    message = (
        "no calibration gives the gripper's range; the widest and narrowest of this episode count as open and closed"
    )
    return own, iter([("gripper_range_own", message)] if own else [])


def _calibration_widths(files: SourceFiles, path: str, tags: FingerTags) -> Iterator[float]:
    with files.open(path) as file:
        stream = choose_stream(streams_of(file, files.url_of(path)))
    window = VideoWindow("calibration", stream.index, 0, TO_THE_END)
    with files.open(path) as file:
        yield from widths(frames(file, window, files.url_of(path)), tags, None)
