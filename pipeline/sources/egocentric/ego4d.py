"""Ego4D with Goal-Step: long first-person videos, and annotation files that list all of them.

A video is one episode without actions. Annotated videos that were not downloaded are episodes too, without pictures,
so that cleaning drops them by name. Annotation files of hundreds of megabytes are read once per discovery and
cut by video; a video's slice stands in its reference, so one more annotated video changes no other.

Annotation seconds are those of the video file's own clock, on which the first frame often is *not* at 0: Goal-Step's
videos start at 0.021 or 0.042 s, where the picture track starts after the sound. Spans are moved accordingly.
"""

from collections.abc import Iterator
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.egocentric.annotated_videos import AnnotatedVideos, seen
from pipeline.sources.egocentric.ego4d_annotations import Sort, slices_of, sort_of
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_episode, about_source, dataset_part, declared_defects
from pipeline.sources.slices import Slices
from pipeline.sources.storage.json_file import head
from pipeline.sources.views import Claims
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.recipe_formats.ego4d import Ego4DSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

_CANONICAL_FPS = 30.0
"""Ego4D publishes all videos at this rate; frame numbers of annotations count in it."""
FACTS = FormatFacts(
    title="Ego4D with Goal-Step",
    kinds=(SourceKind.EGOCENTRIC,),
    layout="annotation JSON files and `<video_uid>.mp4` in any folders; an annotated video without a file is an "
    "episode without pictures",
    clock="the video's own presentation times (30 fps); annotation seconds are of the same clock, frame numbers count "
    "from 0 at the stated rate",
    pose="-",
    rotation="-",
    gripper="-",
    commands="-",
    language="Goal-Step's goal, where a video has exactly one",
    spans="narrations (narration; `#C` and `#O` kept), critical frames (contact; pre, pnr and post as other), "
    "Goal-Step goal (task), step (subtask), substep (action), redacted intervals (invalid), splits, scenarios, clips",
    refused="clip files (the whole video is read), benchmark files other than FHO and Goal-Step, IMU, gaze, boxes",
    tested_on="real: ego4d_goalstep_annotations; fixture: videos re-packed from headset_clips_4fps",
)


def discover(spec: Ego4DSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per video, annotated or there, in order of id. Raises SourceError when there is neither."""
    yield from declared_defects(spec)
    videos, clips = AnnotatedVideos(spec, files, digests, files.list()), 0
    with Slices() as slices:
        yield from _gather(spec, files, videos.listing, slices)
        videos.add_to(slices)
        for uid, pieces in slices.by_recording():
            if any("clip_of" in piece for piece in pieces):
                clips += sum("video" in piece for piece in pieces)
                continue
            part, told = _merged([piece for piece in pieces if "sort" in piece])
            for sort, paths in told:
                message = f"{spec.name}: {', '.join(paths)} all hold {sort} of video {uid}; {paths[-1]} is read"
                yield about_source(spec.name, "annotated_twice", message, value=float(len(paths)))
            yield from videos.references(uid, "video_uid", pieces, part)
    if not videos.listed:
        raise SourceError(
            f"{files.root}: found neither an annotation file of Ego4D nor a video below it; correct `path` of source "
            f"{spec.name}"
        )
    yield from videos.findings()
    if clips:
        message = f"{spec.name}: {clips} files are clips of listed videos and are not read; whole videos are"
        yield about_source(spec.name, "clip_file_not_read", message, value=float(clips))


def _gather(spec: Ego4DSource, files: SourceFiles, listing: list[FileStat], slices: Slices) -> Iterator[Finding]:
    """Every annotation file's slices, and findings about files that are none."""
    there = [stat.path for stat in listing if stat.path.lower().endswith(".json")]
    for path in spec.annotations or ():
        if path not in there:
            raise SourceError(
                f"{files.url_of(path)}: no such JSON file, although `annotations` of {spec.name} names it"
            )
    others = []
    for path in sorted(spec.annotations or there):
        sort = sort_of(head(files, path))
        if sort is None:
            others.append(path)
            continue
        unnamed = 0
        for uid, piece in slices_of(files, path, sort):
            if uid is None:
                unnamed += 1
            else:
                slices.add(uid, piece)
        if unnamed:
            message = f"{files.url_of(path)}: {unnamed} entries name no video that can be; they are left out"
            yield about_source(spec.name, "annotation_without_video", message, value=float(unnamed))
    if others and spec.annotations:
        raise SourceError(
            f"{files.url_of(others[0])}: does not begin like metadata, narrations, critical frames or Goal-Step of "
            f"Ego4D; take it out of `annotations` of {spec.name}, or fetch it again"
        )
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        message = f"{spec.name}: {len(others)} JSON files are no annotations that are read ({shown})"
        yield about_source(spec.name, "annotation_file_not_read", message, value=float(len(others)))


def _merged(pieces: list[dict[str, Any]]) -> tuple[dict[str, Any], list[tuple[str, list[str]]]]:
    """A video's slices as one, and what more than one file says. Releases stand side by side: the last path counts."""
    merged: dict[str, Any] = {"spans": [], "frames": [], "claims": {}, "unreadable": 0}
    told = []
    for sort in Sort:
        of_sort = [piece for piece in pieces if piece["sort"] == sort]
        paths = sorted({piece["path"] for piece in of_sort})
        if len(paths) > 1:
            told.append((str(sort), paths))
        for piece in of_sort:
            if piece["path"] == paths[-1]:
                merged["spans"] += piece["spans"]
                merged["frames"] += piece["frames"]
                merged["claims"] |= piece["claims"]
                merged["unreadable"] += piece["unreadable"]
    merged["spans"].sort()
    merged["frames"].sort()
    return merged, told


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One video with everything annotated about it. Raises SourceError when its container cannot be read."""
    said = dataset_part(ref)
    claims = said["claims"]
    size = claims.get("size")
    stated = Claims(fps=claims.get("fps"), frames=claims.get("frames"), size=tuple(size) if size else None)
    cameras, findings, first_ns = seen(ref, files, stated)
    spans = [
        SourceSpan(track, start_ns - first_ns, end_ns - first_ns, text, SpanMeaning(meaning))
        for track, start_ns, end_ns, text, meaning in said["spans"]
    ]
    spans += _frame_spans(said["frames"], claims.get("fps") or _CANONICAL_FPS)
    goals = {span.text for span in spans if span.track == "goalstep_goal"}
    return RawEpisode(
        instruction=goals.pop() if len(goals) == 1 else "",
        cameras=tuple(cameras),
        actions=None,
        rows_are_frames=False,
        annotations=tuple(sorted(spans, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text))),
        findings=(*findings, *_findings(ref, said)),
    )


def _frame_spans(frames: list[list[Any]], fps: float) -> Iterator[SourceSpan]:
    """A frame's number as the time it is shown; frame 0 is the first, whenever the file's clock says that is."""
    for track, frame, text, meaning in frames:
        start_ns, end_ns = (round(number * NS_PER_S / fps) for number in (frame, frame + 1))
        yield SourceSpan(track, start_ns, end_ns, text, SpanMeaning(meaning))


def _findings(ref: EpisodeRef, said: dict[str, Any]) -> Iterator[Finding]:
    if said["unreadable"]:
        message = f"{said['unreadable']} annotations have no text or impossible times; they are left out"
        yield about_episode(ref, "annotation_unreadable", message, said["unreadable"], 0)
    if said["claims"].get("stereo"):
        message = "the metadata says that its pictures are stereo, two side by side; they are used as they are"
        yield about_episode(ref, "stereo_picture", message)
