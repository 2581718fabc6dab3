"""Stage ``ingest``: read one episode and decode each of its videos once.

Pictures are the master clock. Time 0 is the first frame of the master view, and the first frame of every other view
is the same instant; where a source records one row per frame, a row takes its frame's time. What the source claims
about its pictures (how many, how fast) is checked here, because only here they are all seen. Nothing is dropped:
that is for `pipeline.align` to decide.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.filmstrip import FilmstripMaker
from pipeline.kinematics.apply import with_kinematics
from pipeline.mask_runs import runs_of
from pipeline.pseudo.apply import hand_watch, with_pseudo_actions
from pipeline.pseudo.hand_actions import HandWatch
from pipeline.sources.formats import pictures, read
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import about_episode, common_part
from pipeline.stage import Bundle, Scope, Stage
from pipeline.upright import TURNS
from pipeline.video import FROM_THE_START, ONE_THREAD, TO_THE_END, Threads
from schemas.array import Bools, Ints
from schemas.episode import ActionKind, ActionTrack, Camera, Episode, VideoWindow
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

_UNEVEN = 1.5
"""A longest frame interval beyond this multiple of the usual one is told as a variable frame rate."""
_ENDS_TOGETHER = 0.9
"""Views of one recording end within this share of the slower one's frame interval."""


@dataclass(frozen=True, eq=False)
class View:
    """One decoded view."""

    camera: Camera
    strip: Filmstrip
    thumbnails: tuple[Thumbnail, ...]
    findings: tuple[Finding, ...]
    damaged: Bools
    """bool [N]: pictures that could not be decoded whole, or come after some that could not."""


def ingest(ref: EpisodeRef, files: SourceFiles, spec: IngestSpec) -> Iterator[object]:
    """One episode's records, view by view. Raises SourceError when it or its master view cannot be read or decoded."""
    raw = read(ref, files)
    watch = hand_watch(ref, raw)
    cameras: list[Camera] = []
    for raw_camera in raw.cameras:
        try:
            view = decode_view(ref, files, raw_camera, spec, watch=watch)
        except SourceError as error:
            if not cameras:  # without the master view there are no frames to number
                raise
            yield about_episode(ref, "view_unreadable", f"view {raw_camera.name} is left out: {error}")
            continue
        yield from _damage_findings(ref, view, is_master=not cameras)
        cameras.append(view.camera)
        yield view.strip
        yield from view.thumbnails
        yield from view.findings
    if cameras:
        raw = on_picture_clock(raw, cameras[0])
    raw = with_pseudo_actions(ref, with_kinematics(ref, raw), watch, [camera.name for camera in cameras])
    yield from raw.findings
    yield from _uneven_views(ref, cameras)
    yield _episode(ref, raw, cameras)
    if raw.actions is not None:
        yield raw.actions


def decode_view(
    ref: EpisodeRef,
    files: SourceFiles,
    raw: RawCamera,
    spec: IngestSpec,
    threads: Threads = ONE_THREAD,
    *,
    watch: HandWatch | None = None,
) -> View:
    """Decode one view from its first to its last frame, holding one picture at a time; ``watch`` may see it too.

    ``camera.video.start_ns`` is the PTS of the view's first frame, at ``times_ns[0]`` on the episode clock.
    """
    path = ref.file(raw.video.part).path
    name = files.url_of(path)
    maker, size, turned, last_end_ns = None, (0, 0), 0, 0
    origin_ns: int | None = None
    first_ns = 0
    thumbnails = []
    damaged: list[bool] = []
    n_interlaced, mirrored = 0, False
    for picture in pictures(ref, files, raw.video, threads):
        if origin_ns is None:
            origin_ns = picture.pts_ns - raw.starts_ns
        if picture.pts_ns < origin_ns:
            continue
        if maker is None:
            first_ns = picture.pts_ns
            maker = FilmstripMaker(ref.episode_id, raw.name, origin_ns, spec)
            size, turned = (picture.frame.width, picture.frame.height), picture.turned
        if size != (picture.frame.width, picture.frame.height):
            raise SourceError(
                f"{name}: pictures change from {size[0]}x{size[1]} to {picture.frame.width}x{picture.frame.height} "
                f"at {picture.pts_ns / NS_PER_S:.3f} s; split the file or re-encode it to one size"
            )
        thumbnail = maker.add(picture)
        if watch is not None and watch.camera == raw.name:
            watch.look(picture, picture.pts_ns - origin_ns)
        last_end_ns = picture.end_ns
        n_interlaced, mirrored = n_interlaced + picture.frame.interlaced_frame, mirrored or picture.mirrored
        damaged.append(picture.damaged)
        if thumbnail is not None:
            thumbnails.append(thumbnail)
    if maker is None:
        raise SourceError(
            f"{name}: no frame {_window_text(raw.video)} of video stream {raw.video.stream}; it is empty, or the "
            "metadata places the episode outside the file: correct it or fetch the file again"
        )
    times_ns: Ints = np.array(maker.times_ns, np.int64)
    end_ns = last_end_ns - maker.origin_ns
    if end_ns <= times_ns[-1]:
        end_ns = int(times_ns[-1]) + (_usual_interval(times_ns) or _nominal_interval(raw))
    window_end_ns = maker.origin_ns + end_ns if raw.video.end_ns == TO_THE_END else raw.video.end_ns
    camera = Camera(
        name=raw.name,
        role=raw.role,
        video=dataclasses.replace(raw.video, start_ns=first_ns, end_ns=window_end_ns),
        width=size[0],
        height=size[1],
        times_ns=times_ns,
        end_ns=end_ns,
        intrinsics=raw.intrinsics,
        distortion=raw.distortion,
        extrinsics=raw.extrinsics if _is_pose_per_frame(raw, len(times_ns)) else None,
    )
    findings = (
        *_turn_findings(ref, raw, path, turned, mirrored=mirrored),
        *_interlace_findings(ref, raw, path, n_interlaced, len(times_ns)),
        *_clock_findings(ref, raw, path, times_ns),
        *_pose_findings(ref, raw, path, len(times_ns)),
    )
    return View(camera, maker.strip(end_ns), tuple(thumbnails), findings, np.array(damaged, np.bool_))


def _window_text(window: VideoWindow) -> str:
    if (window.start_ns, window.end_ns) == (FROM_THE_START, TO_THE_END):
        return "from the start to the end"
    return f"between {window.start_ns} and {window.end_ns} ns"


def _usual_interval(times_ns: Ints) -> int:
    return int(np.median(np.diff(times_ns))) if len(times_ns) > 1 else 0


def _nominal_interval(raw: RawCamera) -> int:
    """For the one frame of a one-frame video whose container gives it no duration."""
    return round(NS_PER_S / (raw.expected_fps or 1.0))


def _turn_findings(ref: EpisodeRef, raw: RawCamera, path: str, turned: int, *, mirrored: bool) -> Iterator[Finding]:
    if turned or mirrored:
        asked = f"turned by {turned} degrees counter-clockwise" if turned else "as it is"
        done = (
            "pictures are turned upright"
            if turned in (0, *TURNS)
            else "only quarter turns are honoured, it is left as it is"
        )
        message = f"{path} ({raw.name}) asks to be shown {asked}{' and mirrored' if mirrored else ''}; {done}"
        yield about_episode(ref, "picture_turned", message, value=turned, threshold=0)


def _interlace_findings(
    ref: EpisodeRef, raw: RawCamera, path: str, n_interlaced: int, n_frames: int
) -> Iterator[Finding]:
    if n_interlaced:
        message = (
            f"{path} ({raw.name}) has {n_interlaced} of {n_frames} interlaced pictures, whose lines are of two "
            "instants; they are used as they are: deinterlace the file where motion matters"
        )
        yield about_episode(ref, "interlaced", message, value=n_interlaced / n_frames, threshold=0)


def _is_pose_per_frame(raw: RawCamera, n_frames: int) -> bool:
    """One pose stands for all frames; of any other number each must belong to a frame."""
    return raw.extrinsics is None or len(raw.extrinsics) in (1, n_frames)


def _pose_findings(ref: EpisodeRef, raw: RawCamera, path: str, n_frames: int) -> Iterator[Finding]:
    if raw.extrinsics is not None and not _is_pose_per_frame(raw, n_frames):
        message = (
            f"{path} ({raw.name}) has {n_frames} frames, the source {len(raw.extrinsics)} poses of its camera; which "
            "belongs to which is not known, and they are left out"
        )
        yield about_episode(ref, "extrinsics_left_out", message, len(raw.extrinsics), n_frames)


def _damage_findings(ref: EpisodeRef, view: View, *, is_master: bool) -> Iterator[Finding]:
    """One finding per run of pictures that could not be decoded whole, with the picture before where some are missing.

    Only the master view's frames number the episode: damage there is trimmed, damage elsewhere is worth knowing.
    """
    camera, path = view.camera, ref.file(view.camera.video.part).path
    for first, stop in runs_of(view.damaged):
        gap_ns = int(camera.times_ns[first] - camera.times_ns[first - 1]) if first else 0
        start = first - 1 if gap_ns > _UNEVEN * _usual_interval(camera.times_ns) else first
        span_ns = (camera.clock.edge_ns(start), camera.clock.edge_ns(stop))
        message = (
            f"{path} ({camera.name}) has {stop - first} damaged pictures from frame {first} on, at "
            f"{span_ns[0] / NS_PER_S:.3f} s; fetch the file again, or live without them"
        )
        finding = about_episode(ref, "undecodable_pictures", message, value=stop - first, threshold=0)
        verdict = Verdict.TRIM if is_master else Verdict.KEEP
        yield dataclasses.replace(finding, verdict=verdict, start_ns=span_ns[0], end_ns=span_ns[1])


def _clock_findings(ref: EpisodeRef, raw: RawCamera, path: str, times_ns: Ints) -> Iterator[Finding]:
    """Where the pictures are not as many, as fast or as regular as the source claims."""
    n_frames = len(times_ns)
    if raw.expected_frames not in (None, n_frames):
        message = f"{path} ({raw.name}) has {n_frames} frames, the source claims {raw.expected_frames}; frames count"
        yield about_episode(ref, "frame_count_disagrees", message, value=n_frames, threshold=raw.expected_frames)
    if n_frames < 2:
        return
    usual_ns, lasting_s = _usual_interval(times_ns), int(times_ns[-1] - times_ns[0]) / NS_PER_S
    if raw.expected_fps is not None and abs((n_frames - 1) / raw.expected_fps - lasting_s) > 0.5 / raw.expected_fps:
        fps = (n_frames - 1) / lasting_s
        message = (
            f"{path} ({raw.name}) shows {fps:.3f} frames per second, the source claims {raw.expected_fps:g}, which is "
            "off by more than half a frame at the end; the pictures' own times count"
        )
        yield about_episode(ref, "fps_disagrees", message, value=fps, threshold=raw.expected_fps)
    longest_ns = int(np.max(np.diff(times_ns)))
    if longest_ns > _UNEVEN * usual_ns:
        message = (
            f"{path} ({raw.name}) has frame intervals of up to {longest_ns / 1e6:.1f} ms where {usual_ns / 1e6:.1f} ms "
            "is usual; every frame keeps its own time"
        )
        yield about_episode(ref, "variable_frame_rate", message, value=longest_ns / usual_ns, threshold=_UNEVEN)


def _uneven_views(ref: EpisodeRef, cameras: Sequence[Camera]) -> Iterator[Finding]:
    """Views that end at other times than the master view: one of them was cut. Their clocks say when each began."""
    for camera in cameras[1:]:
        master = cameras[0]
        apart_ns = abs(camera.end_ns - master.end_ns)
        allowed_ns = _ENDS_TOGETHER * max(_usual_interval(camera.times_ns), _usual_interval(master.times_ns))
        if apart_ns > allowed_ns:
            message = (
                f"view {camera.name} has {camera.n_frames} frames and ends at {camera.end_ns / NS_PER_S:.3f} s, the "
                f"master view {master.name} {master.n_frames} and at {master.end_ns / NS_PER_S:.3f} s"
            )
            yield about_episode(ref, "view_length_disagrees", message, apart_ns / NS_PER_S, allowed_ns / NS_PER_S)


def on_picture_clock(raw: RawEpisode, master: Camera) -> RawEpisode:
    """The episode with rows and annotations on the master view's clock, where each row belongs to a frame.

    Rows and frames are paired by position only when there are equally many; otherwise the reader's times stand
    and the finding about the counts says so.
    """
    actions = raw.actions
    if actions is None or not raw.rows_are_frames or actions.n_rows != master.n_frames:
        return raw
    rows_ns = np.append(actions.times_ns, actions.times_ns[-1] + max(_usual_interval(actions.times_ns), 1))

    def placed(t_ns: int) -> int:
        return master.clock.edge_ns(int(np.argmin(np.abs(rows_ns - t_ns))))

    annotations = tuple(
        dataclasses.replace(span, start_ns=placed(span.start_ns), end_ns=placed(span.end_ns))
        for span in raw.annotations
    )
    on_frames = dataclasses.replace(actions, times_ns=master.times_ns)
    return dataclasses.replace(raw, actions=on_frames, annotations=annotations)


def _episode(ref: EpisodeRef, raw: RawEpisode, cameras: Sequence[Camera]) -> Episode:
    stated = common_part(ref)
    return Episode(
        episode_id=ref.episode_id,
        source=ref.source,
        kind=ref.kind,
        dataset=ref.dataset,
        locator=ref.locator,
        embodiment=ref.embodiment,
        instruction=raw.instruction or stated.instruction,
        protocol=stated.protocol,
        action_kind=ActionKind.NONE if raw.actions is None else raw.actions.kind,
        cameras=tuple(cameras),
        annotations=raw.annotations,
        licence=stated.card.licence,
        consent=stated.card.consent,
    )


def run(bundle: Bundle, spec: IngestSpec) -> Iterable[object]:
    """All records of one episode."""
    return ingest(bundle.episode_ref(), bundle.source_files(), spec)


STAGE = Stage(
    name="ingest",
    version=4,
    scope=Scope.EPISODE,
    reads=(),
    writes=(Episode, ActionTrack, Filmstrip, Thumbnail, Finding),
    recipe_slice=lambda recipe: recipe.ingest,
    run=run,
    reads_source=True,
)
