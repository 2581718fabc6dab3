"""A folder of video files: each file is one episode with one view and no actions.

Made for internet and egocentric footage and for recordings whose control data Joinery does not read. Other files
(licences, sidecars, pictures) are passed over. The path is how people find an episode and no part of its identity: a
copy under another name is the same recording, and the engine reports it as one.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_source, declared_defects, metadata_of
from pipeline.sources.views import Claims, part_of, view
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm")
_CAMERA = "main"
FACTS = FormatFacts(
    title="Video files",
    kinds=(SourceKind.INTERNET, SourceKind.EGOCENTRIC, SourceKind.RECOVERY),
    layout="any tree of video files PyAV opens; one file is one episode",
    clock="the container's presentation times, variable rates kept",
    pose="-",
    rotation="-",
    gripper="-",
    commands="-",
    language="the recipe's `instruction`",
    spans="-",
    refused="-",
    tested_on="real: nasa_two_streams, sintel_trailer_cuts, corridor_people, headset_clips_4fps, sweep_disturbed",
)


def discover(spec: VideoFolderSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per video file, in order of path. Raises SourceError when there is no video at all."""
    yield from declared_defects(spec)
    metadata = metadata_of(spec, {})
    found = False
    for stat in files.list():
        if PurePosixPath(stat.path).suffix.lower() not in VIDEO_SUFFIXES:
            continue
        found = True
        if stat.size == 0:
            message = f"{spec.name}: {stat.path} is empty; fetch it again or remove it"
            yield about_source(spec.name, "empty_file", message, verdict=Verdict.DROP)
            continue
        yield make_ref(
            source=spec.name,
            kind=spec.kind,
            dataset=spec.name,
            embodiment=spec.embodiment or "none",
            locator=stat.path,
            root=files.root,
            files=(SourceFile(part_of(_CAMERA), stat.path, sha256_of(files, stat, digests), stat.size),),
            metadata=metadata,
            inside="",
        )
    if not found:
        raise SourceError(
            f"{files.root}: no video file below it, expected at least one of {', '.join(VIDEO_SUFFIXES)}; "
            f"correct `path` of source {spec.name}"
        )


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One video as an episode. Raises SourceError when its container cannot be read."""
    camera, findings = view(ref, files, _CAMERA, Claims())
    return RawEpisode(
        instruction="",
        cameras=(camera,),
        actions=None,
        rows_are_frames=False,
        annotations=(),
        findings=tuple(findings),
    )
