"""Turning a video file of a reference into a `RawCamera`: which stream is taken, and what that choice leaves out."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.edit_list import check_edits
from pipeline.files import SourceFiles
from pipeline.sources.raw import RawCamera
from pipeline.sources.reference import about_episode, common_part
from pipeline.sources.roles import role_of
from pipeline.upright import is_stretched
from pipeline.video import (
    FROM_THE_START,
    ONE_THREAD,
    TO_THE_END,
    Contents,
    Picture,
    Threads,
    VideoStream,
    choose_stream,
    contents_of,
    frames,
)
from schemas.episode import CameraRole, VideoWindow
from schemas.finding import Finding
from schemas.source import EpisodeRef


@dataclass(frozen=True)
class Claims:
    """What the source's metadata says about a view; None where it says nothing."""

    fps: float | None = None
    frames: int | None = None
    size: tuple[int, int] | None = None
    """Height, width."""
    window_ns: tuple[int, int] = (FROM_THE_START, TO_THE_END)
    """Where in the file, on its own clock."""


def part_of(camera: str) -> str:
    """The `SourceFile.part` of a camera's video."""
    return f"video/{camera}"


def view(
    ref: EpisodeRef, files: SourceFiles, camera: str, claims: Claims, *, as_played: bool = False
) -> tuple[RawCamera, list[Finding]]:
    """One view of an episode, and findings about streams and sizes. Raises SourceError for an unreadable file.

    ``as_played`` must be what the format's ``pictures`` asks of `pipeline.video.frames`.
    """
    return view_of(ref, files, camera, claims, contents(ref, files, camera), as_played=as_played)


def contents(ref: EpisodeRef, files: SourceFiles, camera: str) -> Contents:
    """What the header of a camera's video file lists. Raises SourceError for an unreadable file."""
    path = ref.file(part_of(camera)).path
    with files.open(path) as file:
        return contents_of(file, files.url_of(path))


def view_of(
    ref: EpisodeRef, files: SourceFiles, camera: str, claims: Claims, listed: Contents, *, as_played: bool
) -> tuple[RawCamera, list[Finding]]:
    """The same for a file whose contents are known."""
    part = part_of(camera)
    path = ref.file(part).path
    streams = listed.video
    chosen = choose_stream(streams)
    with files.open(path) as file:
        check_edits(file, chosen.index, files.url_of(path))
    findings = list(_odd_pictures(ref, path, chosen, as_played=as_played))
    if len(streams) > 1:
        others = ", ".join(stream.text for stream in streams if stream is not chosen)
        message = (
            f"{path} has {len(streams)} video streams and decoders disagree on the default; {chosen.text} is used "
            f"because its picture is the largest, not {others}"
        )
        findings.append(about_episode(ref, "several_video_streams", message, value=len(streams), threshold=1))
    if claims.size not in (None, (chosen.height, chosen.width)):
        message = (
            f"{path} has pictures of {chosen.height}x{chosen.width}, the metadata says {claims.size}; pictures count"
        )
        findings.append(about_episode(ref, "frame_size_disagrees", message))
    raw = RawCamera(
        name=camera,
        role=_role(ref, camera),
        video=VideoWindow(part, chosen.index, *claims.window_ns),
        expected_fps=claims.fps,
        expected_frames=claims.frames,
    )
    return raw, findings


def _odd_pictures(ref: EpisodeRef, path: str, stream: VideoStream, *, as_played: bool) -> Iterator[Finding]:
    """Where pictures are not meant to be seen as they are stored."""
    if stream.pixel_aspect != 1:
        done = "they are made square" if as_played and is_stretched(stream.pixel_aspect) else "it is used as stored"
        message = (
            f"{path} says that pixels of its picture of {stream.width}x{stream.height} are "
            f"{float(stream.pixel_aspect):.4g} times as wide as high; {done}"
        )
        yield about_episode(ref, "pixels_not_square", message, value=float(stream.pixel_aspect), threshold=1.0)
    if stream.dynamic_range:
        message = (
            f"{path} has pictures of high dynamic range ({stream.dynamic_range}); they are used without tone mapping "
            "and look flat: map them to BT.709 where colour matters"
        )
        yield about_episode(ref, "high_dynamic_range", message)


def still_view(ref: EpisodeRef, part: str, camera: str, inside: str, *, fps: float | None, n_frames: int) -> RawCamera:
    """One view whose pictures are kept one by one in a file: an HDF5 dataset, a zarr array, records of a bag."""
    return RawCamera(
        name=camera,
        role=_role(ref, camera),
        video=VideoWindow(part, 0, 0, TO_THE_END, inside),
        expected_fps=fps,
        expected_frames=n_frames,
    )


def _role(ref: EpisodeRef, camera: str) -> CameraRole:
    """As the recipe says, else judged by the name."""
    return common_part(ref).camera_roles.get(camera) or role_of(camera, ref.kind)


def video_pictures(
    ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads, *, as_played: bool = False
) -> Iterator[Picture]:
    """The frames of a view that is a video file, on the file's own clock."""
    path = ref.file(window.part).path
    with files.open(path) as file:
        yield from frames(file, window, files.url_of(path), threads, as_played=as_played)


def first_shown_ns(ref: EpisodeRef, files: SourceFiles, camera: RawCamera, *, as_played: bool = False) -> int:
    """When a video file's first frame is shown on the file's own clock, on which annotations in seconds are written.

    It often is not 0: the picture track may start after the sound. An empty window gives 0; ingest tells about it.
    """
    for picture in video_pictures(ref, files, camera.video, ONE_THREAD, as_played=as_played):
        return picture.pts_ns
    return 0
