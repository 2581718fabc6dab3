"""ROS 1 bags, ROS 2 bags (folders of db3 or mcap) and MCAP files: topics on their own clocks become one episode.

A bag says of which type a message is and nothing about what it means, so the recipe names topics: views, poses,
grippers, joints, flags, texts. Rows are the messages of one topic; views keep their own frame times and starts.

The work is split by noun: `ros_listing` finds the files of a bag, `ros_container` (with `ros_bag1`, `ros_mcap`,
`ros_db3`, `ros_unpack`) gives its messages and `ros_decode` (with `ros_types`) their content; `ros_values` is what is
asked of one message, `ros_gather` the pass over all, `ros_clock` times, `ros_views`, `ros_arms` and `ros_said` what
becomes of them, and `ros_pictures` frames.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_episode, dataset_part, recipe_part
from pipeline.sources.ros.ros_arms import action_track
from pipeline.sources.ros.ros_channel import Channel, Message, Wanted
from pipeline.sources.ros.ros_clock import Chosen, Stamps, Tell, choose, clock_findings, rate_findings, times_of
from pipeline.sources.ros.ros_container import messages_of
from pipeline.sources.ros.ros_decode import Decoder, stamp_of
from pipeline.sources.ros.ros_gather import MAX_CHILDREN, Gathered
from pipeline.sources.ros.ros_h264 import Access
from pipeline.sources.ros.ros_listing import BAG, listed_bags
from pipeline.sources.ros.ros_pictures import VIDEO, Video, still_picture
from pipeline.sources.ros.ros_said import annotations_of
from pipeline.sources.ros.ros_views import topic_of, view_topics, views_of
from pipeline.video import TO_THE_END, Picture, Threads
from schemas.episode import VideoWindow
from schemas.finding import Finding
from schemas.recipe_formats.ros_bag import RosBagSource
from schemas.source import EpisodeRef, SourceKind

FACTS = FormatFacts(
    title="ROS 1 and ROS 2 bags, MCAP",
    kinds=(SourceKind.TELEOP, SourceKind.SELF_COLLECTED, SourceKind.RECOVERY),
    layout="`.bag`, folders of `metadata.yaml` and `.db3` or `.mcap`, `.mcap`; ros1, cdr, protobuf, json",
    clock="header stamps; log time where they are zero, go back or are of another clock; each view its own start",
    pose="PoseStamped, Odometry, tf child frame, Pose, PoseInFrame, planar; metres, in the messages' `frame_id`",
    rotation="quaternion x, y, z, w",
    gripper="a joint or field the recipe names, with its closed and open values",
    commands="topics the recipe names; poses and JointState absolute, others as `commands` says",
    language="the topic the recipe names: one text is the instruction, several are subtasks",
    spans="Bool topics the recipe names: intervention, error, recovery, pause, invalid",
    refused="Bayer, depth, H.265, chains of transforms, IDL-only types, bags without an index or end",
    tested_on="real: rosbag1_fixture; fixture: sim pick-and-place as ROS 1, db3, mcap, JSON and Protobuf",
)


def discover(spec: RosBagSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per bag, in order of path. Raises SourceError when there is no bag at all."""
    return listed_bags(spec, files, digests)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One bag's rows, views and annotations. Raises SourceError when it is damaged or lacks all the recipe names."""
    spec, where = recipe_part(ref, RosBagSource), files.url_of(ref.file(BAG).path)

    def tell(check: str, message: str, value: float | None, threshold: float | None) -> Finding:
        return about_episode(ref, check, message, value, threshold)

    gathered = Gathered(spec, where)
    for message in _messages(ref, files, gathered.wants, skipping=False):
        gathered.add(message)
    findings = _topic_findings(ref, gathered, tell)
    _one_child(gathered, where)
    topics, told = view_topics(spec, gathered, where, tell)
    findings += told
    stamps = _stamps(gathered, topics)
    clocks = choose(stamps, spec.clock)
    findings += clock_findings(stamps, clocks, tell)
    cameras, told = views_of(ref, topics, gathered, clocks, tell)
    findings += told
    actions, told = action_track(ref, spec, gathered, clocks, tell)
    findings += told
    if not cameras and actions is None and (spec.cameras or spec.state or spec.target):
        raise SourceError(f"{where}: has no message of any topic the recipe names; there are {_listed(gathered)}")
    for label in [*topics.values(), *(series.request.label for series in gathered.series.values() if series.n_rows)]:
        findings += rate_findings(label, times_of(stamps[label], clocks[label].clock), tell)
    origin_ns = _origin_ns(stamps, clocks, topics, None if actions is None else int(actions.times_ns[0]))
    end_ns = max((int(times_of(stamps[key], clocks[key].clock).max()) for key in stamps), default=0)
    instruction, annotations = annotations_of(spec, gathered, clocks, origin_ns, end_ns)
    if actions is not None:
        actions = replace(actions, times_ns=actions.times_ns - origin_ns)
    return RawEpisode(
        instruction=instruction,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=False,
        annotations=tuple(annotations),
        findings=tuple(findings),
    )


def _one_child(gathered: Gathered, where: str) -> None:
    """Raises SourceError when poses of several frames would be taken for those of one: they would jump to and fro."""
    for series in gathered.series.values():
        if len(series.children) > 1:
            named = ", ".join(sorted(series.children)[:MAX_CHILDREN])
            raise SourceError(
                f"{where}: {series.request.topic} says where several frames are ({named}); name the tool's in "
                "`child_frame`"
            )


def _messages(ref: EpisodeRef, files: SourceFiles, wanted: Wanted, *, skipping: bool) -> Iterator[Message]:
    paths = tuple(file.path for file in ref.files if file.part.partition("/")[0] == BAG)
    return messages_of(files, paths, wanted, packed=bool(dataset_part(ref).get("packed")), skipping=skipping)


def _stamps(gathered: Gathered, topics: Mapping[str, str]) -> dict[str, Stamps]:
    """Of everything that is used, by topic or by a series' label."""
    found = {topic: gathered.pictures[topic].stamps for topic in topics.values()}
    found |= {series.request.label: series.stamps for series in gathered.series.values() if series.n_rows}
    for said in (gathered.flags, gathered.texts):
        found |= {topic: one.stamps for topic, one in said.items() if one.values and topic not in found}
    return found


def _origin_ns(
    stamps: Mapping[str, Stamps], clocks: Mapping[str, Chosen], topics: Mapping[str, str], first_row_ns: int | None
) -> int:
    """Time 0: the first frame of the master view, else the first row."""
    master = next(iter(topics.values()), None)
    if master is not None:
        return int(times_of(stamps[master], clocks[master].clock)[0])
    return first_row_ns or 0


def _topic_findings(ref: EpisodeRef, gathered: Gathered, tell: Tell) -> list[Finding]:
    """Topics that the recipe names and the bag lacks or says other things on; counts that are not as claimed."""
    findings = []
    for series in gathered.series.values():
        request, n = series.request, gathered.counts[series.request.topic]
        if n == 0:
            message = f"no message of {request.topic}; there are {_listed(gathered)}"
            findings.append(tell("topic_missing", message, None, None))
        elif not series.n_rows:
            kind = gathered.channels[request.topic]
            message = f"{n} messages of {request.topic} ({kind}) say nothing about {request.label!r}; nothing is read"
            findings.append(tell("topic_not_understood", message, n, 0))
    for topic, one in (*gathered.flags.items(), *gathered.texts.items()):
        if not one.values:
            findings.append(tell("topic_missing", f"no message of {topic}; nothing is said by it", None, None))
    for topic, claimed in sorted(dataset_part(ref).get("counts", {}).items()):
        if topic in gathered.counts and gathered.counts[topic] != claimed:
            message = f"{topic} has {gathered.counts[topic]} messages, metadata.yaml claims {claimed}; messages count"
            findings.append(tell("message_count_disagrees", message, gathered.counts[topic], claimed))
    if not gathered.series:
        message = f"the recipe names no `state`, so there are no actions; topics are {_listed(gathered)}"
        findings.append(tell("no_state_named", message, None, None))
    return findings


def _listed(gathered: Gathered) -> str:
    names = [f"{topic} ({kind})" for topic, kind in sorted(gathered.channels.items())]
    return ", ".join(names[:20] + [f"and {len(names) - 20} more"] * (len(names) > 20)) or "none"


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The frames of one topic, on the clock that reading chose for it. Chunks without it are passed over."""
    topic, clock = topic_of(window.inside)
    name = f"{files.url_of(ref.file(window.part).path)}: {topic}"
    decoders: dict[Channel, Decoder] = {}
    video: Video | None = None
    last_ns = -1
    for message in _messages(ref, files, lambda channel: channel.topic == topic, skipping=True):
        kind = message.channel.type
        decoder = decoders.get(message.channel)
        if decoder is None:
            decoder = decoders[message.channel] = Decoder(message.channel, name)
        decoded, data = decoder.decode(message.data), b""
        if kind in VIDEO:
            video = video or Video(name, threads)
            access, data = video.follow(decoded)
            if access is not Access.PICTURE:
                continue
        t_ns = (stamp_of(decoded) if clock == "header" else message.log_ns) or 0
        in_order, last_ns = t_ns > last_ns, max(t_ns, last_ns)
        if window.end_ns != TO_THE_END and last_ns >= window.end_ns:
            break
        is_shown = in_order and t_ns >= window.start_ns
        if video is not None:
            yield from video.decode(data, t_ns if is_shown else -1)
        elif is_shown:
            yield still_picture(kind, decoded, t_ns, name)
    if video is not None:
        yield from video.rest()
