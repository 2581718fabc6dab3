"""True frame times that stand beside a video: each picture is shown when it was taken, not when its file says.

Recorders write their videos at a nominal rate and keep the time of every frame in a table. A control loop that runs at
14.5 Hz and calls it 15 is two seconds off after a minute when the file's clock is believed.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.views import video_pictures
from pipeline.video import FROM_THE_START, TO_THE_END, Picture, Threads, streams_of
from schemas.array import Bools, Ints
from schemas.episode import VideoWindow
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

MAX_ROWS = 10_000_000
"""Four days at 30 Hz. Tables may claim any number of rows and compress them to nothing."""
_LONGEST_NS = 24 * 3600 * NS_PER_S
"""A span of stamps beyond a day is no recording: missing stamps are often written as 0, beside ones since 1970."""


def checked_rows(n_rows: int, where: str) -> int:
    """A number of rows that memory can be asked for. Raises SourceError beyond `MAX_ROWS`."""
    if n_rows > MAX_ROWS:
        raise SourceError(f"{where} claims {n_rows} rows, expected at most {MAX_ROWS}; the file is damaged")
    return n_rows


def to_times(stamps: NDArray[Any], ns_per_unit: int) -> tuple[Ints | None, str]:
    """Stamps [N] in nanoseconds, int64, on their own clock; or None and what is wrong with them.

    Times never step back. Neighbours may be equal: the same thing was recorded twice.
    """
    if stamps.ndim != 1 or not len(stamps) or stamps.dtype.kind not in "iuf":
        return None, f"there are {stamps.dtype} {list(stamps.shape)} stamps"
    if not np.isfinite(stamps).all():
        return None, f"stamp {int(np.argmin(np.isfinite(stamps)))} is not finite"
    lasting = (float(stamps.max()) - float(stamps.min())) * ns_per_unit
    if lasting > _LONGEST_NS or float(np.abs(stamps).max()) * ns_per_unit > np.iinfo(np.int64).max // 2:
        return None, f"the stamps span {lasting / NS_PER_S:.0f} s"
    times_ns = _in_ns(stamps, ns_per_unit)
    backward = np.flatnonzero(np.diff(times_ns) < 0)
    if backward.size:
        return None, f"stamp {int(backward[0]) + 1} is earlier than the one before"
    return times_ns, ""


def _in_ns(stamps: NDArray[Any], ns_per_unit: int) -> Ints:
    """Whole and fractional units apart: a float of seconds since 1970 has no digits to spare for a product in ns."""
    whole = stamps if stamps.dtype.kind in "iu" else np.floor(stamps)
    fraction = np.rint((stamps - whole).astype(np.float64) * ns_per_unit)
    times_ns: Ints = whole.astype(np.int64) * ns_per_unit + fraction.astype(np.int64)
    return times_ns


def frame_times(stamps: NDArray[Any], ns_per_unit: int, n_frames: int | None) -> tuple[Ints | None, str]:
    """`to_times` of a video's ``n_frames`` frames; a last stamp without a frame, of a loop that ended, is left out."""
    if n_frames is None:
        return None, "the video does not say how many frames it has"
    if len(stamps) - n_frames not in (0, 1):
        return None, f"there are {len(stamps)} stamps for {n_frames} frames"
    return to_times(stamps[:n_frames], ns_per_unit)


def shown(times_ns: Ints) -> Bools:
    """Which frames are shown, bool [N]: those later than the one before. Others repeat it."""
    later: Bools = np.append(True, np.diff(times_ns) > 0)
    return later


def frame_ends(starts_ns: Ints, last_ns: int) -> Ints:
    """When each frame ends: as the next one that is shown starts; the last one after ``last_ns``."""
    edges = np.append(starts_ns, starts_ns[-1] + last_ns)
    ends_ns: Ints = edges[np.searchsorted(starts_ns, starts_ns, side="right")]
    return ends_ns


def usual_interval(times_ns: Ints) -> int:
    """The median interval between frames that are shown; 0 for a single one."""
    steps = np.diff(times_ns[shown(times_ns)])
    return int(np.median(steps)) if steps.size else 0


def restamped(pictures: Iterable[Picture], times_ns: Ints, window: VideoWindow, name: str) -> Iterator[Picture]:
    """All pictures of a video with their true times, from 0 at the first; those that start inside the window.

    Frame i of the file has the i-th time. After damage the decoder leaves frames out; how many follows from the file's
    own clock. Raises SourceError when there are more frames than times.
    """
    starts = times_ns - times_ns[0]
    visible = shown(times_ns)
    ends = frame_ends(starts, usual_interval(times_ns))
    for number, picture in _numbered(pictures):
        if number >= len(starts):
            raise SourceError(
                f"{name}: has more than the {len(starts)} frames its header claims and the recording has times for; "
                "fetch it again"
            )
        start_ns = int(starts[number])
        if not visible[number] or start_ns < window.start_ns:
            continue
        if window.end_ns != TO_THE_END and start_ns >= window.end_ns:
            return
        yield picture._replace(pts_ns=start_ns, end_ns=int(ends[number]))


def timed_pictures(
    ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads, times_ns: Ints | None
) -> Iterator[Picture]:
    """The frames of a view that is a video file, `restamped`, or on the file's own clock where there are no times."""
    if times_ns is None:
        yield from video_pictures(ref, files, window, threads)
        return
    whole = dataclasses.replace(window, start_ns=FROM_THE_START, end_ns=TO_THE_END)
    name = files.url_of(ref.file(window.part).path)
    yield from restamped(video_pictures(ref, files, whole, threads), times_ns, window, name)


def n_frames_of(ref: EpisodeRef, files: SourceFiles, window: VideoWindow) -> int | None:
    """How many frames a view's container says it has; None when it does not say or cannot be believed."""
    path = ref.file(window.part).path
    with files.open(path) as file:
        streams = streams_of(file, files.url_of(path))
    claimed = next((stream.n_frames for stream in streams if stream.index == window.stream), None)
    return None if claimed is None or claimed > MAX_ROWS else claimed


def _numbered(pictures: Iterable[Picture]) -> Iterator[tuple[int, Picture]]:
    """Pictures with their number in the file; ones that follow damage are placed by the file's regular clock."""
    number, first, before = 0, None, 0
    for picture in pictures:
        if first is None:
            first, before = picture, picture.pts_ns
        elif picture.damaged:
            period = (before - first.pts_ns) / number if number else float(first.end_ns - first.pts_ns)
            number += max(1, round((picture.pts_ns - before) / period)) if period > 0 else 1
        else:
            number += 1
        before = picture.pts_ns
        yield number, picture
