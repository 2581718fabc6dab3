"""Folders of videos: one episode per file, known by its content and found by its path."""

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover, read
from pipeline.sources.reference import common_part
from schemas.episode import CameraRole, Protocol
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef, SourceKind
from tests.pipeline.films import drifting, film


def spec_for(root: Path, **more: object) -> VideoFolderSource:
    stated = {"format": "video_folder", "name": "clips", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return VideoFolderSource.model_validate(stated)


def discovered(spec: VideoFolderSource) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(discover(spec, SourceFiles(spec.path), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for path, n_frames in (("b.mp4", 4), ("a/one.MP4", 5), ("a/copy.mp4", 5)):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(film(drifting(n_frames)))
    (tmp_path / "LICENSE").write_text("CC0")
    return tmp_path


def test_every_video_is_an_episode_and_other_files_are_passed_over(clips: Path) -> None:
    refs, findings = discovered(spec_for(clips))
    assert [ref.locator for ref in refs] == ["a/copy.mp4", "a/one.MP4", "b.mp4"]
    assert findings == []


def test_a_copy_under_another_name_is_the_same_recording(clips: Path) -> None:
    refs, _ = discovered(spec_for(clips))
    assert refs[0].episode_id == refs[1].episode_id
    assert refs[0].episode_id != refs[2].episode_id


def test_a_renamed_folder_changes_no_key(clips: Path) -> None:
    before, _ = discovered(spec_for(clips))
    after, _ = discovered(spec_for(clips.rename(clips.with_name(f"{clips.name}-moved"))))
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]


def test_a_recipe_says_what_a_video_cannot(clips: Path) -> None:
    spec = spec_for(clips, kind="egocentric", instruction="fold", protocol="structured", embodiment="human")
    refs, _ = discovered(spec)
    raw = read(refs[0], SourceFiles(refs[0].root))
    assert (refs[0].kind, refs[0].embodiment) == (SourceKind.EGOCENTRIC, "human")
    stated = common_part(refs[0])
    assert (stated.instruction, stated.protocol, stated.card.licence) == ("fold", Protocol.STRUCTURED, "CC0-1.0")
    assert [camera.role for camera in raw.cameras] == [CameraRole.EGO]
    assert raw.actions is None


def test_several_streams_are_told_and_the_larger_is_used(tmp_path: Path) -> None:
    (tmp_path / "two.mp4").write_bytes(film(drifting(4), sizes=[(256, 192)]))
    refs, _ = discovered(spec_for(tmp_path))
    raw = read(refs[0], SourceFiles(refs[0].root))
    (finding,) = raw.findings
    assert finding.check == "several_video_streams"
    assert "video stream 1 (256x192, h264) is used" in finding.message
    assert "not video stream 0 (128x96, h264)" in finding.message
    assert raw.cameras[0].video.stream == 1


def test_nasa_two_streams_is_told(real: Path) -> None:
    refs, _ = discovered(spec_for(real / "internet/nasa_two_streams"))
    (finding,) = read(refs[0], SourceFiles(refs[0].root)).findings
    assert finding.check == "several_video_streams"
    assert "decoders disagree on the default" in finding.message


@pytest.mark.parametrize(
    ("folder", "defect"),
    [("internet/sintel_trailer_cuts", "animated"), ("recovery/sweep_disturbed", "burned_in_caption")],
)
def test_sintel_is_animated_and_sweep_has_a_caption_by_declaration(real: Path, folder: str, defect: str) -> None:
    _, findings = discovered(spec_for(real / folder, known_defects=[defect]))
    assert [(finding.check, finding.subject) for finding in findings] == [(defect, "clips")]


def test_an_empty_file_is_told_and_left_out(clips: Path) -> None:
    (clips / "empty.mp4").write_bytes(b"")
    refs, findings = discovered(spec_for(clips))
    assert len(refs) == 3
    assert [(finding.check, finding.verdict) for finding in findings] == [("empty_file", Verdict.DROP)]


def test_a_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no video file below it, .*correct `path` of source clips"):
        discovered(spec_for(tmp_path))


def test_a_file_that_is_no_video_is_an_error_when_read(tmp_path: Path) -> None:
    (tmp_path / "fake.mp4").write_bytes(b"not a film" * 100)
    refs, _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"fake\.mp4: cannot be decoded"):
        read(refs[0], SourceFiles(refs[0].root))
