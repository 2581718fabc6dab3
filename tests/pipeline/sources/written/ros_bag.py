"""Bags as ROS 1, ROS 2 and Foxglove's recorders write them, re-packed from a robosuite run of ``../shared/real/sim``.

rosbags and mcap, which Joinery does not use to read, write the files. Every topic has its own times, as in a lab: the
top view starts first, the wrist view five frames later, poses come 7 ms after a picture and three are lost, a second
node publishes on the joints' topic, the joints' order changes, and everything is logged 120 ms after its stamp.
"""

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from numpy.typing import NDArray
from PIL import Image
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

RUN = "robosuite_pickplacecan_seed0_normal"
START_NS = 1_700_000_000_123_456_789
STEP_NS = 50_000_000
LAG_NS = 120_000_000
"""How long after its stamp a message is logged."""
WRIST_STARTS = 5
LOST = (10, 11, 12)
"""Rows whose pose message was lost."""
POSE_LATE_NS = 7_000_000
JOINTS = tuple(f"panda_joint{i}" for i in range(1, 8))
TOP, WRIST = "/top/image_raw/compressed", "/wrist/image_raw"
INSTRUCTION = "pick up the can and place it in the bin"
ARM = {
    "arm": "right",
    "pose_topic": "/ee_pose",
    "gripper": {"topic": "/gripper/joint_states", "joint": "finger_joint1", "closed": 0.0, "open": 0.04},
    "joints_topic": "/joint_states",
    "joint_names": list(JOINTS),
}
RECIPE: dict[str, Any] = {
    "format": "ros_bag",
    "cameras": {"top": TOP, "wrist": WRIST},
    "state": [ARM],
    "target": [{"arm": "right", "pose_topic": "/target_pose"}],
    "language_topic": "/instruction",
    "flags": {"/takeover": "intervention"},
}


@dataclass(frozen=True, eq=False)
class Take:
    """What goes into a bag: T rows of a run and its pictures."""

    pictures: NDArray[np.uint8]
    """RGB [T, H, W, 3]."""
    jpegs: tuple[bytes, ...]
    position: NDArray[np.float64]
    quaternion: NDArray[np.float64]
    """x, y, z, w."""
    finger: NDArray[np.float64]
    """Metres, 0 closed … 0.04 open."""
    joints: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.jpegs)


@dataclass(frozen=True)
class Said:
    """One message to be written."""

    topic: str
    kind: str
    """As ROS 2 names it."""
    stamp_ns: int | None
    log_ns: int
    content: dict[str, Any]


def take(real: Path, n_rows: int = 24, size: tuple[int, int] = (48, 64)) -> Take:
    """The first rows of the run and its pictures, made small."""
    with av.open(str(real / "sim" / f"{RUN}.mp4")) as film:
        frames = [frame for frame, _ in zip(film.decode(video=0), range(n_rows), strict=False)]
    pictures = np.stack([frame.reformat(size[1], size[0], "rgb24").to_ndarray() for frame in frames])
    with np.load(real / "sim" / f"{RUN}.npz") as numbers:
        return Take(
            pictures,
            tuple(map(_jpeg, pictures)),
            numbers["eef_pos"][:n_rows],
            numbers["eef_quat"][:n_rows],
            numbers["gripper_qpos"][:n_rows, 0],
            numbers["joint_pos"][:n_rows],
        )


def stamp_of(row: int) -> int:
    """When the top view's picture of a row was taken."""
    return START_NS + row * STEP_NS


def said_in(run: Take) -> list[Said]:
    """All messages in the order they are logged."""
    said = [*_views(run), *_arm(run), *_rest(run)]
    return sorted(said, key=lambda one: one.log_ns)


def _views(run: Take) -> Iterator[Said]:
    for i, jpeg in enumerate(run.jpegs):
        data = np.frombuffer(jpeg, np.uint8)
        content = {"format": "rgb8; jpeg compressed bgr8", "data": data}
        yield _stamped(TOP, "sensor_msgs/msg/CompressedImage", stamp_of(i), content)
        if i >= WRIST_STARTS:
            height, width = run.pictures.shape[1:3]
            content = {
                "height": height, "width": width, "encoding": "bgr8", "is_bigendian": 0, "step": 3 * width,
                "data": run.pictures[i, :, :, ::-1].reshape(-1),
            }  # fmt: skip
            yield _stamped(WRIST, "sensor_msgs/msg/Image", stamp_of(i) + 3_000_000, content)


def _arm(run: Take) -> Iterator[Said]:
    for i in range(len(run)):
        t_ns = stamp_of(i) + POSE_LATE_NS
        if i not in LOST:
            yield _stamped("/ee_pose", "geometry_msgs/msg/PoseStamped", t_ns, {"pose": _pose(run, i)}, "base_link")
        ahead = min(i + 1, len(run) - 1)
        target = {"pose": _pose(run, ahead)}
        yield _stamped("/target_pose", "geometry_msgs/msg/PoseStamped", t_ns - 2_000_000, target, "base_link")
        order = np.arange(7) if i % 2 else np.arange(7)[::-1]
        yield _joint_state("/joint_states", t_ns - 1_000_000, [JOINTS[k] for k in order], run.joints[i, order])
        yield _joint_state("/joint_states", t_ns - 500_000, ["wheel_left", "wheel_right"], np.array([1.0, 2.0]))
        fingers = np.array([run.finger[i], -run.finger[i]])
        yield _joint_state("/gripper/joint_states", t_ns - 3_000_000, ["finger_joint1", "finger_joint2"], fingers)


def _rest(run: Take) -> Iterator[Said]:
    yield _unstamped("/instruction", "std_msgs/msg/String", stamp_of(0), {"data": INSTRUCTION})
    for row, flag in ((0, False), (8, True), (9, True), (15, False)):
        if row < len(run):
            yield _unstamped("/takeover", "std_msgs/msg/Bool", stamp_of(row), {"data": flag})


def _pose(run: Take, row: int) -> dict[str, Any]:
    return {
        "position": dict(zip("xyz", run.position[row].tolist(), strict=True)),
        "orientation": dict(zip("xyzw", run.quaternion[row].tolist(), strict=True)),
    }


def _joint_state(topic: str, t_ns: int, names: list[str], positions: NDArray[np.float64]) -> Said:
    nothing = np.zeros(0)
    content = {"name": names, "position": np.ascontiguousarray(positions), "velocity": nothing, "effort": nothing}
    return _stamped(topic, "sensor_msgs/msg/JointState", t_ns, content)


def _stamped(topic: str, kind: str, t_ns: int, content: dict[str, Any], frame: str = "") -> Said:
    stamp = {"sec": t_ns // 10**9, "nanosec": t_ns % 10**9}
    return Said(topic, kind, t_ns, t_ns + LAG_NS, {"header": {"stamp": stamp, "frame_id": frame}, **content})


def _unstamped(topic: str, kind: str, t_ns: int, content: dict[str, Any]) -> Said:
    return Said(topic, kind, None, t_ns + LAG_NS, content)


def restamped(said: list[Said], topic: str, stamp: Callable[[int], int]) -> list[Said]:
    """The same messages, those of a topic with other header stamps."""
    changed = []
    for one in said:
        if one.topic == topic and one.stamp_ns is not None:
            t_ns = stamp(one.stamp_ns)
            header = {**one.content["header"], "stamp": {"sec": t_ns // 10**9, "nanosec": t_ns % 10**9}}
            one = replace(one, stamp_ns=t_ns, content={**one.content, "header": header})  # noqa: PLW2901
        changed.append(one)
    return changed


def _message(store: Any, kind: str, content: dict[str, Any]) -> Any:
    """A message of rosbags' classes, made of nested dicts."""
    values = {}
    for name, (node, inner) in store.fielddefs[kind][1]:
        value = content.get(name, 0)
        values[name] = _message(store, inner, value) if node.name == "NAME" else value
    return store.types[kind](**values)


def write_bag1(path: Path, said: list[Said], compression: str = "lz4", chunk_bytes: int = 1 << 14) -> None:
    """A ROS 1 ``.bag`` of many chunks."""
    store = get_typestore(Stores.ROS1_NOETIC)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer1(path)
    if compression != "none":
        writer.set_compression(Writer1.CompressionFormat[compression.upper()])
    writer.chunk_threshold = chunk_bytes
    with writer:
        connections = {one.topic: one.kind for one in said}
        made = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in connections.items()}
        for one in said:
            writer.write(
                made[one.topic], one.log_ns, store.serialize_ros1(_message(store, one.kind, one.content), one.kind)
            )


def write_bag2(folder: Path, said: list[Said], storage: str = "mcap", *, packed: bool = False) -> None:
    """A ROS 2 folder of ``metadata.yaml`` and ``.db3`` or ``.mcap``."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    folder.parent.mkdir(parents=True, exist_ok=True)
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Writer2(folder, version=9, storage_plugin=plugin)
    if packed:
        writer.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with writer:
        connections = {one.topic: one.kind for one in said}
        made = {topic: writer.add_connection(topic, kind, typestore=store) for topic, kind in connections.items()}
        for one in said:
            writer.write(
                made[one.topic], one.log_ns, store.serialize_cdr(_message(store, one.kind, one.content), one.kind)
            )


def write_json(path: Path, run: Take, compression: CompressionType = CompressionType.ZSTD) -> None:
    """A stand-alone MCAP of Foxglove's JSON messages: JPEG pictures, poses, a number for the gripper."""
    with _mcap(path, compression) as writer:
        channels = {}
        for topic, kind in (
            ("/top", "foxglove.CompressedImage"),
            ("/ee_pose", "foxglove.PoseInFrame"),
            ("/gripper", "gripper.Width"),
        ):
            schema = writer.register_schema(kind, "jsonschema", json.dumps({"title": kind, "type": "object"}).encode())
            channels[topic] = writer.register_channel(topic, "json", schema)
        for i, jpeg in enumerate(run.jpegs):
            time = {"timestamp": {"sec": stamp_of(i) // 10**9, "nsec": stamp_of(i) % 10**9}, "frame_id": "world"}
            picture = {**time, "data": base64.b64encode(jpeg).decode(), "format": "jpeg"}
            pose = {**time, "pose": _pose(run, i)}
            width = {**time, "width": float(run.finger[i])}
            for topic, content in (("/top", picture), ("/ee_pose", pose), ("/gripper", width)):
                _add(writer, channels[topic], stamp_of(i) + LAG_NS, json.dumps(content).encode())


def write_video(path: Path, packets: list[bytes], *, first: int = 0, lost: tuple[int, ...] = ()) -> None:
    """A stand-alone MCAP of one foxglove.CompressedVideo topic in Protobuf, without some of its messages."""
    files, kind = _compressed_video()
    with _mcap(path, CompressionType.LZ4) as writer:
        schema = writer.register_schema("foxglove.CompressedVideo", "protobuf", files.SerializeToString())
        channel = writer.register_channel("/top", "protobuf", schema)
        for i, packet in enumerate(packets):
            if i >= first and i not in lost:
                message = kind(frame_id="top", data=packet, format="h264")
                message.timestamp.seconds, message.timestamp.nanos = divmod(stamp_of(i), 10**9)
                _add(writer, channel, stamp_of(i) + LAG_NS, message.SerializeToString())


def annex_b(
    pictures: NDArray[np.uint8], gop: int = 8, b_frames: int = 0
) -> tuple[list[bytes], list[NDArray[np.uint8]]]:
    """H.264 packets, one per picture, and the pictures a decoder makes of them. Foxglove allows no B-frames."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.height, encoder.width = pictures.shape[1:3]
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 20), Fraction(20)
    encoder.options = {"bf": str(b_frames), "b_strategy": "0", "g": str(gop), "rc_lookahead": "4", "threads": "1"}
    packets = []
    for i, pixels in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts = i
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    with av.open(io.BytesIO(b"".join(packets)), format="h264") as film:
        return packets, [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


class _mcap:  # noqa: N801 - used like a function
    """An MCAP writer on a file, finished when it is left."""

    def __init__(self, path: Path, compression: CompressionType) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("wb")
        self._writer = McapWriter(self._stream, chunk_size=1 << 14, compression=compression)

    def __enter__(self) -> McapWriter:
        self._writer.start(profile="", library="tests")
        return self._writer

    def __exit__(self, *_: object) -> None:
        self._writer.finish()
        self._stream.close()


def _add(writer: McapWriter, channel: int, log_ns: int, data: bytes) -> None:
    writer.add_message(channel, log_time=log_ns, publish_time=log_ns, data=data)


def _compressed_video() -> tuple[Any, Any]:
    """foxglove/CompressedVideo.proto with what it imports, and its message class."""
    files = descriptor_pb2.FileDescriptorSet()
    timestamp_pb2.DESCRIPTOR.CopyToProto(files.file.add())
    file = files.file.add(name="foxglove/CompressedVideo.proto", package="foxglove", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    message = file.message_type.add(name="CompressedVideo")
    field = descriptor_pb2.FieldDescriptorProto
    for number, name, kind in (
        (1, "timestamp", field.TYPE_MESSAGE),
        (2, "frame_id", field.TYPE_STRING),
        (3, "data", field.TYPE_BYTES),
        (4, "format", field.TYPE_STRING),
    ):
        made = message.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
        if kind == field.TYPE_MESSAGE:
            made.type_name = ".google.protobuf.Timestamp"
    pool = DescriptorPool()
    for one in files.file:
        pool.Add(one)
    return files, GetMessageClass(pool.FindMessageTypeByName("foxglove.CompressedVideo"))


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
