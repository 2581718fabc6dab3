"""The files of a bag as one stream of messages, in the order of recording, one at a time whatever the bag's size.

The container readers are our own because the libraries trust what a file claims (unpacked sizes, counts, indexes)
and want a local path, where sources may lie in an object store; the libraries write the bags that the readers are
tested on.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Protocol

import zstandard

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros.ros_bag1 import bag1_messages
from pipeline.sources.ros.ros_channel import Message, Wanted
from pipeline.sources.ros.ros_db3 import db3_messages
from pipeline.sources.ros.ros_mcap import mcap_messages
from pipeline.sources.ros.ros_unpack import MAX_BYTES, unpack


class Reader(Protocol):
    """A function that gives a file's messages, those of wanted channels only, in the file's order.

    ``skipping`` lets it leave out chunks in which, as the file's index says, no wanted channel has a message;
    without it everything is read and an index that disagrees is an error.
    """

    def __call__(self, files: SourceFiles, path: str, wanted: Wanted, *, skipping: bool) -> Iterator[Message]: ...


READERS: dict[str, Reader] = {".bag": bag1_messages, ".db3": db3_messages, ".mcap": mcap_messages}


def messages_of(
    files: SourceFiles, paths: tuple[str, ...], wanted: Wanted, *, packed: bool, skipping: bool
) -> Iterator[Message]:
    """The wanted messages of all files of a bag. ``packed`` if each is compressed by itself (ROS 2, zstd).

    Raises SourceError naming the file at fault.
    """
    for path in paths:
        reader = READERS.get(PurePosixPath(path).suffix.lower())
        if reader is None:
            raise SourceError(f"{files.url_of(path)}: is no bag, expected one of {', '.join(READERS)}")
        for message in reader(files, path, wanted, skipping=skipping):
            yield _unpacked(message, files.url_of(path)) if packed else message


def _unpacked(message: Message, name: str) -> Message:
    data = bytes(message.data)
    where = f"{name}: a message of {message.channel.topic}"
    try:
        size = zstandard.frame_content_size(data)
    except zstandard.ZstdError as error:
        raise SourceError(f"{where} is no zstd frame, although metadata.yaml says so; fetch it again") from error
    return message._replace(data=memoryview(unpack(data, "zstd", size if size >= 0 else MAX_BYTES, where)))
