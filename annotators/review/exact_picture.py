"""One picture of a proxy by its number: seek to the group it is in, decode up to it, and hold its time to the table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av

from annotators.review.frame_table import FrameTable
from pipeline.errors import StoreError
from pipeline.video import to_ns
from schemas.time import NS_PER_S

SAME_NS = 1_000
"""An mp4 with a picture of more than two seconds counts microseconds."""


@contextmanager
def opened_proxy(path: Path) -> Iterator[av.container.InputContainer]:
    """The file, decoding on one thread. Raises StoreError when it cannot be read."""
    try:
        with av.open(str(path)) as container:
            context = container.streams.video[0].codec_context
            context.thread_count, context.thread_type = 1, "NONE"
            yield container
    except (av.FFmpegError, IndexError) as error:
        raise StoreError(f"{path}: cannot be decoded ({error}); it is damaged: import the episode again") from error


def exact_picture(container: av.container.InputContainer, table: FrameTable, number: int) -> av.VideoFrame:
    """Picture ``number``, whose time stamp is where the table says. Raises StoreError when there is none."""
    stream = container.streams.video[0]
    wanted_ns = int(table.edges_ns[number])
    # Half a tick on, so that rounding cannot lead to the group before.
    target = Fraction(wanted_ns, NS_PER_S) / stream.time_base
    container.seek(int(target + Fraction(1, 2)), stream=stream)
    found_ns = -1
    for frame in container.decode(stream):
        found_ns = to_ns(frame.pts, stream.time_base)
        if abs(found_ns - wanted_ns) <= SAME_NS:
            return frame
        if found_ns > wanted_ns:
            break
    raise StoreError(
        f"{container.name}: found a picture at {found_ns} ns, expected picture {number} at {wanted_ns} ns; the file "
        "and its frame table do not belong together: import the episode again"
    )
