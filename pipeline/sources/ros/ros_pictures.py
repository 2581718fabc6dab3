"""Pictures of a topic: raw Image, CompressedImage (JPEG, PNG) and CompressedVideo, of ROS or Foxglove.

What a picture is worth is only known when it is decoded; what can be said from a message's first bytes is said when
the episode is read, so that depth maps and Bayer mosaics are not taken for pictures. Of a video, pictures that refer
to one that is not in the bag are left out, up to the next key frame.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_decode import bytes_of
from pipeline.sources.ros.ros_h264 import Access, Follower
from pipeline.sources.still import picture_of_array, picture_of_file
from pipeline.video import Picture, Threads
from schemas.time import NS_PER_S

RAW = frozenset({"sensor_msgs/Image", "foxglove_msgs/RawImage", "foxglove.RawImage"})
STILL = frozenset({"sensor_msgs/CompressedImage", "foxglove_msgs/CompressedImage", "foxglove.CompressedImage"})
VIDEO = frozenset({"foxglove_msgs/CompressedVideo", "foxglove.CompressedVideo"})
IMAGE_TYPES = RAW | STILL | VIDEO

_CHANNELS = {"rgb8": 3, "bgr8": 3, "mono8": 1, "rgba8": 4, "bgra8": 4}
_CODECS = ("h264",)
"""Not H.265: whether a picture of it was lost cannot be told from its first bytes."""
_PNG = b"\x89PNG\r\n\x1a\n"


def unreadable(kind: str, message: Mapping[str, Any]) -> str | None:
    """Why pictures of this kind are not read, judged by one message; None when they are."""
    form = str(message.get("encoding" if kind in RAW else "format"))
    if kind in STILL:
        try:
            head = bytes_of(message.get("data"), kind)[:26]
        except SourceError as error:  # a reason like the others: who asks says of which file
            return str(error)
        return _unreadable_still(form, head)
    read = _CODECS if kind in VIDEO else _CHANNELS
    if form in read:
        return None
    if form.startswith("bayer"):
        return f"is a Bayer mosaic ({form}); record the debayered topic (image_proc) instead"
    return f"is written as {form!r}; read are {', '.join(read)}"


def _unreadable_still(form: str, head: bytes) -> str | None:
    """``form`` is as image_transport writes it: ``rgb8; jpeg compressed bgr8``, ``16UC1; compressedDepth png``."""
    pixels = form.partition(";")[0]
    if "compressedDepth" in form or "16" in pixels or "32" in pixels:
        return f"has format {form!r}, which is depth or more than 8 bits"
    if head.startswith(_PNG) and len(head) > 24 and head[24] > 8:
        return f"holds PNG of {head[24]} bits per channel, which is no camera picture"
    return None


def still_picture(kind: str, message: Mapping[str, Any], t_ns: int, name: str) -> Picture:
    """One message of a raw or compressed image topic as a frame. When it ends is not said."""
    where = f"{name} at {t_ns / NS_PER_S:.3f} s"
    problem = unreadable(kind, message)
    if problem is not None:
        raise SourceError(f"{where}: {problem}")
    if kind in STILL:
        return picture_of_file(bytes_of(message.get("data"), where), t_ns, t_ns, where)
    return picture_of_array(_pixels(message, where), t_ns, t_ns, where, bgr=str(message["encoding"]).startswith("bgr"))


def _pixels(message: Mapping[str, Any], where: str) -> NDArray[np.uint8]:
    """[H, W] or [H, W, 3]; rows may be padded, and transparency is left out."""
    n = _CHANNELS[str(message["encoding"])]
    data = np.frombuffer(bytes_of(message.get("data"), where), np.uint8)
    height, width, step = (message.get(key) for key in ("height", "width", "step"))
    if not (isinstance(height, int) and isinstance(width, int) and isinstance(step, int)):
        raise SourceError(f"{where}: the picture states no height, width and step; fetch the file again")
    if min(height, width) < 1 or step < width * n or height * step != len(data):
        raise SourceError(
            f"{where}: a picture of {width}x{height} with rows of {step} bytes takes {height * step}, found "
            f"{len(data)}; the file is damaged: fetch it again"
        )
    rows: NDArray[np.uint8] = data.reshape(height, step)[:, : width * n].reshape(height, width, n)
    return rows[:, :, 0] if n == 1 else rows[:, :, :3]


class Video:
    """Decodes the messages of a CompressedVideo topic. Feed it all of them, those that are not to be shown as well."""

    def __init__(self, name: str, threads: Threads) -> None:
        self._name = name
        self._follower = Follower()
        self._decoder = av.VideoCodecContext.create("h264", "r")
        self._decoder.thread_count = threads.count
        self._decoder.thread_type = threads.kind
        self._parameters = b""
        self._fed: deque[tuple[int, int]] = deque()
        """Number and time of pictures that are in the decoder; the time is -1 for those not to be shown."""
        self._n_fed = 0

    def follow(self, message: Mapping[str, Any]) -> tuple[Access, bytes]:
        """Whether a message is a picture that can be decoded, and its bytes."""
        data = bytes_of(message.get("data"), self._name)
        access = self._follower.follow(data)
        if access is Access.PARAMETERS:
            self._parameters = data
        return access, data

    def decode(self, data: bytes, t_ns: int) -> Iterator[Picture]:
        """The frames that are ready when one more picture is fed; ``t_ns`` is -1 if it is not to be shown."""
        packet, self._parameters = av.Packet(self._parameters + data), b""
        packet.pts = packet.dts = self._n_fed
        self._fed.append((self._n_fed, t_ns))
        self._n_fed += 1
        yield from self._out(packet)

    def rest(self) -> Iterator[Picture]:
        """The frames still in the decoder."""
        yield from self._out(None)

    def _out(self, packet: av.Packet | None) -> Iterator[Picture]:
        at_s = self._fed[0][1] / NS_PER_S if self._fed else 0.0
        try:
            for frame in self._decoder.decode(packet):
                if frame.is_corrupt or not self._fed:
                    raise SourceError(f"{self._name}: the frame at {at_s:.3f} s is damaged; fetch the file again")
                number, t_ns = self._fed.popleft()
                if frame.pts != number:
                    raise SourceError(
                        f"{self._name}: the frame at {at_s:.3f} s is not in its place; the video has B-frames, which a "
                        "CompressedVideo topic must not have, so its stamps belong to other pictures: encode it anew"
                    )
                if t_ns >= 0:
                    yield Picture(t_ns, t_ns, frame, 0)
        except av.FFmpegError as error:
            raise SourceError(
                f"{self._name}: the frame at {at_s:.3f} s cannot be decoded ({error.strerror}); it is damaged: fetch "
                "the file again"
            ) from error
