"""One pass over a bag that keeps what the recipe asks for: times of pictures, rows of numbers, flags and texts.

Pictures are passed over as soon as their stamp is read. What stays in memory is two times per message and a few
numbers, whatever the size of the bag.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.sources.ros.ros_channel import Channel, Message
from pipeline.sources.ros.ros_clock import Stamps
from pipeline.sources.ros.ros_decode import Decoder, bytes_of, number_at
from pipeline.sources.ros.ros_h264 import Access, Follower
from pipeline.sources.ros.ros_pictures import IMAGE_TYPES, VIDEO, unreadable
from pipeline.sources.ros.ros_types import Decoded
from pipeline.sources.ros.ros_values import (
    JointsOf,
    PoseOf,
    Request,
    children_of,
    is_planar,
    reordered,
    requests_of_arm,
    text_of,
)
from schemas.array import Floats
from schemas.recipe_formats.ros_bag import RosBagSource

MAX_CHILDREN = 10
"""Frames of a topic that a message about them names."""


@dataclass
class Pictures:
    """What is known of an image topic without decoding it."""

    kind: str
    stamps: Stamps = field(default_factory=Stamps)
    problem: str | None = None
    """Why it is not read, if so."""
    lost: int = 0
    """Pictures of a video that refer to one that is not there; they are not among ``stamps``."""
    follower: Follower = field(default_factory=Follower)


@dataclass
class Series:
    """The messages that answer one request."""

    request: Request
    stamps: Stamps = field(default_factory=Stamps)
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    """Row after row, each as wide as the first."""
    width: int = 0
    frames: list[str] = field(default_factory=list)
    """What each pose is given in; kept for poses only."""
    children: set[str] = field(default_factory=set)
    """What the poses are of, where the recipe does not name one; not more than it takes to see that it must."""
    passed_over: int = 0
    """Messages of the topic that were about something else."""
    names: tuple[str, ...] = ()
    """What each number is, for joints."""
    planar: bool = False

    def add(self, numbers: tuple[float, ...], stamp_ns: int | None, log_ns: int) -> bool:
        """Whether the row fits those before it."""
        self.width = self.width or len(numbers)
        if len(numbers) != self.width:
            return False
        self.numbers.extend(numbers)
        self.stamps.add(stamp_ns, log_ns)
        return True

    @property
    def n_rows(self) -> int:
        return len(self.stamps.log_ns)

    @property
    def values(self) -> Floats:
        """float64 [N, W]."""
        return np.array(self.numbers, np.float64).reshape(self.n_rows, self.width)


@dataclass
class Said:
    """A flag's or a text's messages."""

    stamps: Stamps = field(default_factory=Stamps)
    values: list[str] = field(default_factory=list)
    """Texts; of a flag, ``true`` or nothing."""


class Gathered:
    """Everything of a bag that reading it needs. Feed it every wanted message in order."""

    def __init__(self, spec: RosBagSource, where: str) -> None:
        self._where = where
        self._cameras = None if spec.cameras is None else set(spec.cameras.values())
        self._decoders: dict[Channel, Decoder] = {}
        self.channels: dict[str, str] = {}
        """Type by topic, of all topics there are."""
        self.counts: Counter[str] = Counter()
        """Messages by topic, of those that were wanted."""
        self.pictures: dict[str, Pictures] = {}
        self.series = {request: Series(request) for request in requests_of(spec)}
        self._by_topic: dict[str, list[Series]] = {}
        for one in self.series.values():
            self._by_topic.setdefault(one.request.topic, []).append(one)
        self.flags = {topic: Said() for topic in spec.flags}
        self.texts = {topic: Said() for topic in (spec.language_topic,) if topic is not None}

    def wants(self, channel: Channel) -> bool:
        self.channels.setdefault(channel.topic, channel.type)
        is_view = channel.type in IMAGE_TYPES if self._cameras is None else channel.topic in self._cameras
        return is_view or channel.topic in self._by_topic or channel.topic in self.flags or channel.topic in self.texts

    def add(self, message: Message) -> None:
        channel = message.channel
        decoder = self._decoders.get(channel)
        if decoder is None:
            decoder = self._decoders[channel] = Decoder(channel, self._where)
        self.counts[channel.topic] += 1
        if channel.type in IMAGE_TYPES:
            self._add_picture(decoder, message)
            return
        decoded = decoder.decode(message.data)
        for series in self._by_topic.get(channel.topic, ()):
            _add_row(series, decoded, message.log_ns)
        for said, value in self._says(channel.topic, decoded):
            said.stamps.add(decoder.stamp_ns(message.data), message.log_ns)
            said.values.append(value)

    def _add_picture(self, decoder: Decoder, message: Message) -> None:
        kind, topic = message.channel.type, message.channel.topic
        found = self.pictures.get(topic)
        if found is None:
            found = self.pictures[topic] = Pictures(kind, problem=unreadable(kind, decoder.decode(message.data)))
        if found.problem is None and kind in VIDEO:
            access = found.follower.follow(bytes_of(decoder.decode(message.data).get("data"), self._where))
            found.lost += access is Access.LOST
            if access is not Access.PICTURE:
                return
        found.stamps.add(decoder.stamp_ns(message.data), message.log_ns)

    def _says(self, topic: str, decoded: Decoded) -> Iterator[tuple[Said, str]]:
        if topic in self.texts:
            yield self.texts[topic], text_of(decoded)
        if topic in self.flags:
            yield self.flags[topic], "true" if number_at(decoded, "data") > 0 else ""


def _add_row(series: Series, decoded: Decoded, log_ns: int) -> None:
    value = series.request.take(decoded)
    numbers = None if value is None else value.numbers
    if value is not None and isinstance(series.request, JointsOf):
        series.names = series.names or series.request.names or value.names
        numbers = reordered(value, series.names)
    if value is None or numbers is None or not series.add(numbers, value.stamp_ns, log_ns):
        series.passed_over += 1
        return
    if isinstance(series.request, PoseOf):
        series.frames.append(value.frame)
        if series.request.child is None and len(series.children) <= MAX_CHILDREN:
            series.children |= children_of(decoded)
        series.planar = series.planar or is_planar(decoded)


def requests_of(spec: RosBagSource) -> list[Request]:
    """Everything the arms ask for, each once."""
    return list(dict.fromkeys(request for arm in (*spec.state, *spec.target) for request in requests_of_arm(arm)))
