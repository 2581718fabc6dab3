"""Videos listed by annotations: those that are there are read, those that are not are episodes that say so."""

from pathlib import Path

from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.egocentric.annotated_videos import AnnotatedVideos, seen
from pipeline.sources.slices import Slices
from pipeline.sources.views import Claims
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.ego4d import Ego4DSource
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film


def listed(root: Path, *annotated: str) -> tuple[list[EpisodeRef], list[Finding]]:
    stated = {"format": "ego4d", "name": "made", "path": str(root), "card": {"licence": "CC0-1.0"}}
    files = SourceFiles(str(root))
    videos = AnnotatedVideos(Ego4DSource.model_validate(stated), files, MemoryDigests(), files.list())
    with Slices() as slices:
        for name in annotated:
            slices.add(name, {})
        videos.add_to(slices)
        found = [x for name, pieces in slices.by_recording() for x in videos.references(name, "uid", pieces, {"n": 1})]
    found += videos.findings()
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def test_an_annotated_video_without_a_file_is_an_episode_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(film(drifting(4)))
    refs, findings = listed(tmp_path, "a", "b")
    assert [(ref.locator, len(ref.files)) for ref in refs] == [("uid=a", 0), ("uid=b", 1)]
    assert seen(refs[0], SourceFiles(str(tmp_path)), Claims()) == ([], [], 0)
    (finding,) = findings
    assert (finding.check, finding.value) == ("video_missing", 1.0)
    assert "1 of 2 videos" in finding.message
    assert "e.g. a;" in finding.message


def test_the_name_of_a_file_says_which_video_it_is_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/b.MP4").write_bytes(film(drifting(4)))
    (ref,), findings = listed(tmp_path, "b")
    assert (ref.files[0].path, findings) == ("deep/er/b.MP4", [])


def test_an_empty_file_is_told_and_leaves_its_video_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"")
    (ref,), findings = listed(tmp_path, "b")
    assert ref.files == ()
    assert [(finding.check, finding.verdict) for finding in findings] == [
        ("empty_file", Verdict.DROP),
        ("video_missing", Verdict.KEEP),
    ]


def test_a_view_comes_with_the_time_its_first_frame_is_shown(tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(film(drifting(4), pts=[3, 4, 5, 6]))
    (ref,), _ = listed(tmp_path)
    cameras, findings, first_ns = seen(ref, SourceFiles(str(tmp_path)), Claims())
    assert (len(cameras), findings) == (1, [])
    assert first_ns == 150_000_000
