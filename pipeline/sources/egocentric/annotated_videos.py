"""Videos that annotation files list by id, of which only some may be there: Ego4D and EPIC-KITCHENS come so.

An annotated video without a file is an episode without pictures, so that cleaning drops it by name instead of nobody
noticing. Annotation times are those of the video file's own clock, on which the first frame often is not at 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.raw import RawCamera
from pipeline.sources.reference import about_source, metadata_of, reference, source_files
from pipeline.sources.slices import Slices
from pipeline.sources.video_folder import VIDEO_SUFFIXES
from pipeline.sources.views import Claims, first_shown_ns, part_of, view
from schemas.finding import Finding, Verdict
from schemas.recipe_source import SourceSection
from schemas.source import EpisodeRef

_CAMERA = "ego"


@dataclass
class AnnotatedVideos:
    """One listing of a source: which videos are there, and a count of those that are not."""

    spec: SourceSection
    files: SourceFiles
    digests: DigestCache
    listing: list[FileStat]
    listed: int = 0
    missing: int = 0
    example: str = ""
    _videos: dict[str, FileStat] = field(default_factory=dict)

    def add_to(self, slices: Slices) -> None:
        """Every video file as a slice of the recording that its name says."""
        self._videos = {stat.path: stat for stat in self.listing if stat.path.lower().endswith(VIDEO_SUFFIXES)}
        for path in self._videos:
            slices.add(PurePosixPath(path).stem, {"video": path})

    def references(
        self, id_: str, key: str, pieces: list[dict[str, Any]], part: dict[str, Any]
    ) -> Iterator[EpisodeRef | Finding]:
        """One video's reference; ``key`` says what kind of id it is. Of several copies the largest file is taken."""
        videos = [self._videos[piece["video"]] for piece in pieces if "video" in piece]
        videos.sort(key=lambda stat: (-stat.size, stat.path))
        name = self.spec.name
        if len(videos) > 1:
            others = ", ".join(stat.path for stat in videos[1:])
            message = f"{name}: video {id_} is there {len(videos)} times; {videos[0].path} is read, not {others}"
            yield about_source(name, "several_video_files", message, value=float(len(videos)))
        if videos and not videos[0].size:
            message = f"{name}: {videos[0].path} is empty; fetch it again or remove it"
            yield about_source(name, "empty_file", message, verdict=Verdict.DROP)
            videos = []
        self.listed += 1
        if not videos:
            self.missing, self.example = self.missing + 1, id_
        yield reference(
            self.spec,
            self.files.root,
            embodiment="none",
            locator=f"{key}={id_}",
            files=source_files(self.files, self.digests, [(part_of(_CAMERA), stat) for stat in videos[:1]]),
            metadata=metadata_of(self.spec, {key: id_, **part}),
        )

    def findings(self) -> Iterator[Finding]:
        """What is not there."""
        if self.missing:
            message = (
                f"{self.spec.name}: {self.missing} of {self.listed} videos have no file below {self.files.root}, e.g. "
                f"{self.example}; they are listed without pictures: download them, or leave their annotations out"
            )
            yield about_source(self.spec.name, "video_missing", message, value=float(self.missing))


def seen(ref: EpisodeRef, files: SourceFiles, claims: Claims) -> tuple[list[RawCamera], list[Finding], int]:
    """The one view of a video, if it is there, and when its first frame is shown on the file's own clock."""
    if not ref.files:
        return [], [], 0
    camera, findings = view(ref, files, _CAMERA, claims)
    return [camera], findings, first_shown_ns(ref, files, camera)
