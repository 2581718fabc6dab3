"""Folders of videos: one episode per file, known by its content and found by its path."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.cut import view_frames
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover, pictures, read
from pipeline.sources.reference import common_part
from schemas.episode import CameraRole, Episode, Protocol
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import EpisodeRef, SourceKind
from tests.pipeline.films import drifting, film
from tests.pipeline.odd_films import NOTHING, edited, encoded, tuned_into, with_sound


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
    streams, others = read(refs[0], SourceFiles(refs[0].root)).findings
    assert streams.check == "several_video_streams"
    assert "decoders disagree on the default" in streams.message
    assert others.check == "streams_not_read"
    assert "audio (aac)" in others.message
    assert "subtitle (mov_text)" in others.message


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


def test_a_sidecar_makes_no_other_recording_and_a_corrected_one_reads_it_afresh(clips: Path) -> None:
    before, _ = discovered(spec_for(clips))
    (clips / "b.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.100\npick\n")
    added, _ = discovered(spec_for(clips))
    assert [ref.episode_id for ref in added] == [ref.episode_id for ref in before]
    assert [ref.fingerprint for ref in added[:2]] == [ref.fingerprint for ref in before[:2]]
    (clips / "b.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.100\nput\n")
    corrected, _ = discovered(spec_for(clips))
    assert len({before[2].fingerprint, added[2].fingerprint, corrected[2].fingerprint}) == 3


def test_a_video_renamed_with_its_sidecars_keeps_its_key(clips: Path) -> None:
    (clips / "b.en.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:00.100\npick\n")
    before, _ = discovered(spec_for(clips))
    (clips / "b.mp4").rename(clips / "c.mp4")
    (clips / "b.en.vtt").rename(clips / "c.en.vtt")
    after, _ = discovered(spec_for(clips))
    assert after[2].fingerprint == before[2].fingerprint
    assert [span.text for span in read(after[2], SourceFiles(str(clips))).annotations] == ["pick"]


def test_unfinished_downloads_and_sidecars_without_a_video_are_told(clips: Path) -> None:
    (clips / "x.mp4.part").write_bytes(b"half")
    (clips / "y.info.json").write_text("{}")
    _, findings = discovered(spec_for(clips))
    assert [finding.check for finding in findings] == ["unfinished_download", "sidecar_without_video"]
    assert "1 downloads are unfinished, e.g. x.mp4.part" in findings[0].message
    assert "y.info.json" in findings[1].message


def test_a_suffix_that_is_wrong_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.avi").write_bytes(film(drifting(4), container="matroska"))
    (ref,), _ = discovered(spec_for(tmp_path))
    files = SourceFiles(ref.root)
    (camera,) = read(ref, files).cameras
    assert len(list(pictures(ref, files, camera.video))) == 4


def test_sound_alone_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(with_sound())
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"a\.mp4: no video stream, found audio \(aac\)"):
        read(ref, SourceFiles(ref.root))


def test_a_header_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film(drifting(1))[:40])
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"a\.mp4: cannot be decoded"):
        read(ref, SourceFiles(ref.root))


def test_an_edit_list_that_would_be_shown_wrongly_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(edited([(10, 0, 1 << 16), (5, NOTHING, 1 << 16), (10, 10, 1 << 16)])[1])
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"a\.mp4: its edit list pauses as edit 2"):
        read(ref, SourceFiles(ref.root))


def test_a_film_cut_between_key_frames_begins_with_its_first_whole_picture(tmp_path: Path) -> None:
    options = {"g": "12", "bf": "3", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}
    whole = encoded("libx264", "mpegts", drifting(60), options=options, b_frames=3)
    (tmp_path / "a.ts").write_bytes(tuned_into(whole, 0.3))
    (ref,), _ = discovered(spec_for(tmp_path))
    found = {finding.check: finding.message for finding in read(ref, SourceFiles(ref.root)).findings}
    assert "cannot be decoded; it is used from the first whole one on" in found["view_starts_late"]


@pytest.mark.parametrize(
    ("options", "check", "said"),
    [
        ({"aspect": Fraction(4, 3)}, "pixels_not_square", "1.333 times as wide as high; they are made square"),
        ({"aspect": Fraction(9)}, "pixels_not_square", "9 times as wide as high; it is used as stored"),
        ({"transfer": 18}, "high_dynamic_range", "high dynamic range (HLG)"),
    ],
)
def test_pictures_that_are_not_meant_to_be_seen_as_stored_are_told(
    tmp_path: Path, options: dict[str, Any], check: str, said: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(encoded("libx264", "mp4", drifting(3), **options))
    (ref,), _ = discovered(spec_for(tmp_path))
    (finding,) = read(ref, SourceFiles(ref.root)).findings
    assert finding.check == check
    assert said in finding.message


ODD: dict[str, tuple[dict[str, Any], str | None]] = {
    "mirrored": ({"matrix": (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)}, "picture_turned"),
    "square": ({"aspect": Fraction(4, 3)}, "pixels_not_square"),
    "interlaced": ({"options": {"flags": "+ildct+ilme", "x264-params": "tff=1"}}, "interlaced"),
    "deep": ({"pix_fmt": "yuv420p10le"}, None),
}


@pytest.mark.parametrize("odd", ODD)
def test_ingest_and_cut_see_the_same_pictures_and_ingest_tells_what_was_done(tmp_path: Path, odd: str) -> None:
    options, check = ODD[odd]
    (tmp_path / "a.mp4").write_bytes(encoded("libx264", "mp4", drifting(12), **options))
    (ref,), _ = discovered(spec_for(tmp_path))
    files = SourceFiles(ref.root)
    records = list(ingest(ref, files, IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    (camera,) = episode.cameras
    cut = [(pts - camera.video.start_ns, f.width, f.height) for pts, f in view_frames(ref, files, camera)]
    assert cut == [(int(t), camera.width, camera.height) for t in camera.times_ns]
    assert [record.check for record in records if isinstance(record, Finding)] == ([check] if check else [])


@pytest.mark.parametrize("lead", [10, 2**33 * 20 // 90_000 - 30], ids=["wraps", "plain"])
def test_a_transport_stream_is_whole_to_ingest_and_cut(tmp_path: Path, lead: int) -> None:
    first = 2**33 * 20 // 90_000 - lead
    (tmp_path / "a.ts").write_bytes(film(drifting(40), pts=[first + i for i in range(40)], container="mpegts"))
    (ref,), _ = discovered(spec_for(tmp_path))
    files = SourceFiles(ref.root)
    (episode,) = (record for record in ingest(ref, files, IngestSpec()) if isinstance(record, Episode))
    assert episode.master.n_frames == len(list(view_frames(ref, files, episode.master))) == 40
    assert episode.master.times_ns[0] == 0
