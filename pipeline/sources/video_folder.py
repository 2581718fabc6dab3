"""A folder of video files: each file is one episode with one view and no actions.

Made for internet and egocentric footage and for recordings whose control data Joinery does not read. Files that
yt-dlp and others put beside a video (`pipeline.sources.sidecars`) are read for what they say about it; all else is
passed over. The path is how people find an episode and no part of its identity: a copy under another name is the same
recording, and the engine reports it as one.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
)
from pipeline.sources.sidecar_words import words_of
from pipeline.sources.sidecars import Sidecars, sidecars_of, stem_of
from pipeline.sources.views import Claims, contents, part_of, video_pictures, view_of
from pipeline.video import ONE_THREAD, Contents, Picture, Threads
from schemas.episode import VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef, SourceFile, SourceKind
from schemas.time import NS_PER_S

VIDEO_SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts",
    ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip
_UNFINISHED = (".part", ".ytdl", ".crdownload")
_CAMERA = "main"
_LATE = 1.5
"""Frame periods that may be missing at the beginning before it is told."""
FACTS = FormatFacts(
    title="Video files",
    kinds=(SourceKind.INTERNET, SourceKind.EGOCENTRIC, SourceKind.RECOVERY),
    layout="any tree of video files PyAV opens (mp4, mov, mkv, webm, avi, ts, mpg, flv, wmv, mxf …; H.264, HEVC, AV1, "
    "VP8, VP9, MPEG-4, MPEG-2, MJPEG …); one file is one episode; beside it yt-dlp's `.info.json`, `.vtt` and `.srt`",
    clock="the container's presentation times, variable rates and edit lists kept; pictures upright, pixels square; "
    "chapters and subtitles count from when the container begins",
    pose="-",
    rotation="-",
    gripper="-",
    commands="-",
    language="the recipe's `instruction`; the title only with `title_is_instruction`",
    spans="chapters of the info file or the container (chapter), subtitles per language (speech; captions that roll "
    "are taken once), title, description, uploader, date, address, licence, language as `info.…` (other)",
    refused="sound, data and subtitle streams inside the file, cover pictures, all but the largest video stream, edit "
    "lists with pauses or other speeds, H.264 with B-frames in avi (no presentation times)",
    tested_on="real: nasa_two_streams, sintel_trailer_cuts, corridor_people, headset_clips_4fps, sweep_disturbed; "
    "fixture: sidecars as yt-dlp writes them, every codec and container PyAV can write",
)


def discover(spec: VideoFolderSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per video file, in order of path. Raises SourceError when there is no video at all."""
    yield from declared_defects(spec)
    listing = files.list()
    videos = [stat for stat in listing if PurePosixPath(stat.path).suffix.lower() in VIDEO_SUFFIXES]
    sidecars = sidecars_of(listing, (stat.path for stat in videos))
    yield from _not_used(spec, listing, sidecars)
    for stat in videos:
        if stat.size == 0:
            message = f"{spec.name}: {stat.path} is empty; fetch it again or remove it"
            yield about_source(spec.name, "empty_file", message, verdict=Verdict.DROP)
            continue
        try:
            sha256 = sha256_of(files, stat, digests)
        except SourceError as error:
            message = f"{spec.name}: {stat.path} is left out: {error}"
            yield about_source(spec.name, "file_unreadable", message, verdict=Verdict.DROP)
            continue
        beside: dict[str, str] = {}
        for rest, sidecar in sorted(sidecars.of.get(stem_of(stat.path), {}).items()):
            try:
                beside[rest] = sha256_of(files, sidecar, digests)
            except SourceError as error:
                yield about_source(spec.name, "sidecar_damaged", f"{spec.name}: {sidecar.path} is left out: {error}")
        yield reference(
            spec,
            files.root,
            embodiment="none",
            locator=stat.path,
            files=(SourceFile(part_of(_CAMERA), stat.path, sha256, stat.size),),
            metadata=metadata_of(spec, {"sidecars": beside} if beside else {}),
            inside="",
        )
    if not videos:
        raise SourceError(
            f"{files.root}: no video file below it, expected at least one of {', '.join(VIDEO_SUFFIXES)}; "
            f"correct `path` of source {spec.name}"
        )


def _not_used(spec: VideoFolderSource, listing: list[FileStat], sidecars: Sidecars) -> Iterator[Finding]:
    """What looks as if it were meant to be used."""
    unfinished = [stat.path for stat in listing if stat.path.lower().endswith(_UNFINISHED)]
    if unfinished:
        message = (
            f"{spec.name}: {len(unfinished)} downloads are unfinished, e.g. {unfinished[0]}; finish or remove them"
        )
        yield about_source(spec.name, "unfinished_download", message, value=float(len(unfinished)))
    if sidecars.alone:
        message = (
            f"{spec.name}: {len(sidecars.alone)} info and subtitle files have no video of their name beside them, e.g. "
            f"{sidecars.alone[0]}; they are not used"
        )
        yield about_source(spec.name, "sidecar_without_video", message, value=float(len(sidecars.alone)))


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One video as an episode. Raises SourceError when its container cannot be read."""
    listed = contents(ref, files, _CAMERA)
    camera, findings = view_of(ref, files, _CAMERA, Claims(), listed, as_played=True)
    path = ref.file(part_of(_CAMERA)).path
    beside = sorted(dataset_part(ref).get("sidecars", {}))
    words = words_of(ref, files, path, beside, listed)
    first = next(pictures(ref, files, camera.video, ONE_THREAD), None)
    shift_ns = listed.start_ns - first.pts_ns if first is not None else 0
    annotations = (
        dataclasses.replace(span, start_ns=span.start_ns + shift_ns, end_ns=span.end_ns + shift_ns)
        for span in words.spans
    )
    if first is not None:
        findings += _late_start(ref, path, camera, listed, first)
    findings += _other_streams(ref, path, listed)
    return RawEpisode(
        instruction=words.title if recipe_part(ref, VideoFolderSource).title_is_instruction else "",
        cameras=(camera,),
        actions=None,
        rows_are_frames=False,
        annotations=tuple(sorted(annotations, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text))),
        findings=(*findings, *words.findings),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The frames as a player shows them."""
    return video_pictures(ref, files, window, threads, as_played=True)


def _late_start(ref: EpisodeRef, path: str, camera: RawCamera, listed: Contents, first: Picture) -> Iterator[Finding]:
    """Where a film was cut out of another between key frames."""
    stream = next(stream for stream in listed.video if stream.index == camera.video.stream)
    period_ns = NS_PER_S / (stream.fps or 25.0)
    if stream.start_ns is not None and first.pts_ns - stream.start_ns > _LATE * period_ns:
        late_s = (first.pts_ns - stream.start_ns) / NS_PER_S
        message = (
            f"{path} begins with {late_s:.3f} s of pictures that refer to ones before them and cannot be decoded; it "
            "is used from the first whole one on"
        )
        yield about_episode(ref, "view_starts_late", message, late_s, _LATE * period_ns / NS_PER_S)


def _other_streams(ref: EpisodeRef, path: str, listed: Contents) -> Iterator[Finding]:
    if listed.others:
        message = f"{path} also has {', '.join(listed.others)}; only its pictures are read"
        yield about_episode(ref, "streams_not_read", message, len(listed.others), 0)
