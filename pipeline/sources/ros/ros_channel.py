"""What all bags have in common: channels that say what is published where, and the messages on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Channel:
    """What is published on a topic, and how it is written down."""

    topic: str
    type: str
    """Without the ``/msg/`` of ROS 2: ``sensor_msgs/Image``, ``foxglove.CompressedVideo``."""
    encoding: str
    """Of the messages: ``ros1``, ``cdr``, ``protobuf`` or ``json``."""
    schema: str
    """Encoding of the definition: ``ros1msg``, ``ros2msg``, ``ros2idl``, ``protobuf``, ``jsonschema`` or empty."""
    definition: bytes


class Message(NamedTuple):
    """One message as it lies in the bag."""

    channel: Channel
    log_ns: int
    """When the recorder got it."""
    data: memoryview


Wanted = Callable[[Channel], bool]
"""Asked once per channel of a file."""


def plain_type(name: str) -> str:
    """``sensor_msgs/msg/Image`` as ROS 1 says it."""
    return name.replace("/msg/", "/")
