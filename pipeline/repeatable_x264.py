"""How libx264 is opened so that the same pictures give the same bytes, on any number of cores and any kind of them.

By itself the encoder takes as many threads as it finds cores and picks instructions by the processor, and the container
says when it was written and by what: ways for two machines, or two runs on a busy one, to disagree.
"""

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

CONTAINER_OPTIONS = {"fflags": "+bitexact"}
"""For `av.open`: no date and no name of the writer."""
_X264 = "threads=1:lookahead-threads=1:sliced-threads=0:cpu-independent=1"
"""``cpu-independent``: the same bytes with and without AVX-512."""


def add_x264_stream(
    container: OutputContainer, rate: int, options: dict[str, str], x264_params: str = ""
) -> VideoStream:
    """A libx264 stream on one thread; ``options`` are FFmpeg's (preset, crf, …), ``x264_params`` go to x264 as well."""
    params = f"{_X264}:{x264_params}" if x264_params else _X264
    stream = container.add_stream("libx264", rate=rate, options={**options, "x264-params": params})
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.flags |= av.codec.context.Flags.bitexact
    return stream
