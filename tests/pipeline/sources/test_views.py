"""Which stream of a video file is a view, and where the file contradicts what is claimed of it."""

from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.raw import RawCamera
from pipeline.sources.views import Claims, part_of, view
from pipeline.video import FROM_THE_START, TO_THE_END
from schemas.episode import CameraRole, VideoWindow
from schemas.finding import Finding
from tests.pipeline.films import drifting, film
from tests.pipeline.sources.one_episode import ref_to

ONE, TWO = film(drifting(2)), film(drifting(2), sizes=[(256, 192)])


def seen(root: Path, data: bytes, claims: Claims, camera: str = "wrist_left") -> tuple[RawCamera, list[Finding]]:
    (root / "a.mp4").write_bytes(data)
    return view(ref_to(str(root), (part_of(camera), "a.mp4")), SourceFiles(str(root)), camera, claims)


def test_a_view_without_claims_is_the_whole_of_its_stream(tmp_path: Path) -> None:
    camera, findings = seen(tmp_path, ONE, Claims())
    assert camera.video == VideoWindow("video/wrist_left", 0, FROM_THE_START, TO_THE_END)
    assert (camera.name, camera.role) == ("wrist_left", CameraRole.WRIST_LEFT)
    assert (camera.expected_fps, camera.expected_frames) == (None, None)
    assert findings == []


def test_claims_about_the_clock_are_passed_on_for_ingest_to_check(tmp_path: Path) -> None:
    camera, findings = seen(tmp_path, ONE, Claims(fps=30.0, frames=7, size=(96, 128), window_ns=(5, 9)))
    assert (camera.expected_fps, camera.expected_frames) == (30.0, 7)
    assert (camera.video.start_ns, camera.video.end_ns) == (5, 9)
    assert findings == []


def test_pictures_of_another_size_than_claimed_are_told_height_first(tmp_path: Path) -> None:
    _, (finding,) = seen(tmp_path, ONE, Claims(size=(128, 96)))
    assert finding.check == "frame_size_disagrees"
    assert finding.message.endswith("a.mp4 has pictures of 96x128, the metadata says (128, 96); pictures count")


def test_of_several_streams_the_largest_is_taken_and_the_others_are_told(tmp_path: Path) -> None:
    camera, (finding,) = seen(tmp_path, TWO, Claims(size=(192, 256)))
    assert camera.video.stream == 1
    assert (finding.check, finding.value, finding.threshold) == ("several_video_streams", 2, 1)
    assert finding.message.endswith(
        "video stream 1 (256x192, h264) is used because its picture is the largest, not video stream 0 (128x96, h264)"
    )


def test_a_file_that_is_no_video_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.mp4: cannot be decoded .* fetch it again"):
        seen(tmp_path, b"no film" * 50, Claims())


def test_a_view_whose_file_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"b\.mp4: no such file, .*complete the download"):
        view(ref_to(str(tmp_path), ("video/front", "b.mp4")), SourceFiles(str(tmp_path)), "front", Claims())
