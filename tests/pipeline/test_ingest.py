"""Stage ``ingest``: one episode, one clock, one decode."""

import dataclasses
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from data_cards.registry import bundled_cards
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import STAGE, decode_view, ingest, on_picture_clock
from pipeline.recorder import EpisodeRecorder
from pipeline.sources import views
from pipeline.sources.formats import discover, read
from pipeline.stage import Bundle
from pipeline.video import frames
from schemas import arrow
from schemas.episode import ActionKind, ActionTrack, Camera, Episode, SourceSpan, SpanMeaning
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec
from schemas.recipe_file import load_recipe
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.recipe_formats.self_collected import SelfCollectedSource
from schemas.recipe_sources import SourceSpec
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film
from tests.pipeline.sources import datasets
from tests.pipeline.sources.test_video_folder import spec_for as clips_for
from tests.pipeline.sources.written.self_collected import recording
from tests.pipeline.test_video import damaged_from

R = TypeVar("R")
RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "real.yaml"


def refs_of(spec: SourceSpec) -> list[EpisodeRef]:
    found = discover(spec, SourceFiles(spec.path), MemoryDigests())
    return [ref for ref in found if isinstance(ref, EpisodeRef)]


def records_of(spec: SourceSpec, position: int = 0) -> list[object]:
    ref = refs_of(spec)[position]
    return list(ingest(ref, SourceFiles(ref.root), IngestSpec()))


def only(kind: type[R], records: list[object]) -> R:
    (found,) = [record for record in records if isinstance(record, kind)]
    return found


def checks(records: list[object]) -> list[str]:
    return sorted(record.check for record in records if isinstance(record, Finding))


def clip(root: Path, data: bytes, name: str = "clip.mp4") -> SourceSpec:
    root.mkdir(exist_ok=True)
    (root / name).write_bytes(data)
    return clips_for(root)


def test_time_zero_is_the_first_frame_wherever_the_file_starts(tmp_path: Path) -> None:
    late = film(drifting(10), pts=list(range(30, 40)), container="mkv")
    camera = only(Episode, records_of(clip(tmp_path, late, "late.mkv"))).master
    assert camera.times_ns[0] == 0
    assert camera.video.start_ns == 1_500_000_000
    assert camera.n_frames == 10
    assert camera.end_ns == pytest.approx(500_000_000, abs=2_000_000)


def test_a_views_window_gives_its_frames_again(tmp_path: Path) -> None:
    """`pipeline.cut` decodes ``camera.video`` later and must meet the same frames at the same times."""
    datasets.write_v3(tmp_path, [12, 15, 9])
    spec = datasets.spec_for(tmp_path)
    files = SourceFiles(str(tmp_path))
    for ref in refs_of(spec):
        camera = only(Episode, list(ingest(ref, files, IngestSpec()))).master
        with files.open(ref.file(camera.video.part).path) as file:
            pts = [picture.pts_ns for picture in frames(file, camera.video, "film")]
        assert pts == (camera.times_ns + camera.video.start_ns).tolist()


def test_rows_take_the_time_of_their_frames_when_the_nominal_rate_is_off(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [40])
    video = tmp_path / f"videos/chunk-000/{datasets.CAMERA}/episode_000000.mp4"
    video.write_bytes(film(drifting(40), pts=[1001 * i for i in range(40)], time_base=Fraction(1, 19000)))
    records = records_of(datasets.spec_for(tmp_path))
    episode, actions = only(Episode, records), only(ActionTrack, records)
    assert checks(records) == ["fps_disagrees"]
    assert np.array_equal(actions.times_ns, episode.master.times_ns)
    assert episode.annotations == (SourceSpan("task_index", 0, episode.master.end_ns, "task 0", SpanMeaning.TASK),)


def test_unequal_counts_are_told_and_the_nominal_times_stand(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [20])
    video = tmp_path / f"videos/chunk-000/{datasets.CAMERA}/episode_000000.mp4"
    video.write_bytes(film(drifting(18), rate=datasets.FPS))
    records = records_of(datasets.spec_for(tmp_path))
    finding = next(record for record in records if isinstance(record, Finding))
    assert (finding.check, finding.value, finding.threshold) == ("frame_count_disagrees", 18, 20)
    assert only(ActionTrack, records).n_rows == 20
    assert only(Episode, records).master.n_frames == 18


def test_views_of_other_rates_that_end_together_are_no_finding(tmp_path: Path) -> None:
    with EpisodeRecorder(tmp_path / "one", recording(state=[], joints=[])) as recorder:
        for i, picture in enumerate(drifting(60)):
            recorder.picture("front", picture, i * 33_333_333)
            if i % 2 == 0:
                recorder.picture("wrist", picture, i * 33_333_333 + 5_000_000)
    spec = SelfCollectedSource.model_validate(
        {"format": "self_collected", "name": "own", "path": str(tmp_path), "card": {"licence": "MIT"}}
    )
    assert "view_length_disagrees" not in checks(records_of(spec))


def test_a_shorter_second_view_is_told(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [20], cameras=(datasets.CAMERA, "observation.images.wrist_left"))
    video = tmp_path / "videos/chunk-000/observation.images.wrist_left/episode_000000.mp4"
    video.write_bytes(film(drifting(15), rate=datasets.FPS))
    records = records_of(datasets.spec_for(tmp_path))
    assert checks(records) == ["frame_count_disagrees", "view_length_disagrees"]
    episode = only(Episode, records)
    assert [(camera.name, camera.n_frames) for camera in episode.cameras] == [("front", 20), ("wrist_left", 15)]
    strips = [record for record in records if isinstance(record, Filmstrip)]
    assert [(strip.camera, len(strip.luma)) for strip in strips] == [("front", 20), ("wrist_left", 15)]


def test_an_uneven_frame_rate_is_told_and_kept(tmp_path: Path) -> None:
    uneven = film(drifting(6), pts=[0, 1, 2, 6, 7, 8], container="mkv")
    records = records_of(clip(tmp_path, uneven, "uneven.mkv"))
    assert checks(records) == ["variable_frame_rate"]
    assert only(Episode, records).master.times_ns.tolist() == [50_000_000 * k for k in (0, 1, 2, 6, 7, 8)]


def test_a_turned_video_is_told_and_has_the_size_one_sees(tmp_path: Path) -> None:
    records = records_of(clip(tmp_path, film(drifting(4), rotation=-90)))
    camera = only(Episode, records).master
    assert checks(records) == ["picture_turned"]
    assert (camera.width, camera.height) == (96, 128)


def test_a_window_outside_the_file_is_an_error(tmp_path: Path) -> None:
    datasets.write_v3(tmp_path, [12, 15])
    video = tmp_path / f"videos/{datasets.CAMERA}/chunk-000/file-000.mp4"
    video.write_bytes(film(drifting(12), rate=datasets.FPS))
    with pytest.raises(SourceError, match=r"no frame between .* outside the file"):
        records_of(datasets.spec_for(tmp_path), 1)


def test_a_row_belongs_to_its_frame_by_position(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [5])
    ref = refs_of(datasets.spec_for(tmp_path))[0]
    raw = read(ref, SourceFiles(ref.root))
    master = only(Episode, list(ingest(ref, SourceFiles(ref.root), IngestSpec()))).master
    slow = dataclasses.replace(master, times_ns=np.arange(5) * 100, end_ns=500)
    spans = (SourceSpan("x", raw.actions.times_ns[1], raw.actions.times_ns[3], "mid"),) if raw.actions else ()
    placed = on_picture_clock(dataclasses.replace(raw, annotations=spans), slow)
    assert placed.actions is not None
    assert placed.actions.times_ns.tolist() == [0, 100, 200, 300, 400]
    assert placed.annotations == (SourceSpan("x", 100, 300, "mid"),)


def test_every_video_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.write_v2(tmp_path, [6], cameras=(datasets.CAMERA, "observation.images.wrist"))
    decoded = []
    plain = frames

    def counted(file: io.BytesIO, window: object, name: str, *rest: object, **more: object) -> object:
        decoded.append(name)
        return plain(file, window, name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(views, "frames", counted)
    records_of(datasets.spec_for(tmp_path))
    assert len(decoded) == len(set(decoded)) == 2


def test_the_stage_writes_only_what_it_declares_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [12])
    ref = refs_of(datasets.spec_for(tmp_path))[0]
    runs = [list(STAGE.run(Bundle(item=ref.episode_id, ref=ref), IngestSpec())) for _ in range(2)]
    assert {type(record) for record in runs[0]} <= set(STAGE.writes)
    tables = [[arrow.to_table(type(record), [record]) for record in records] for records in runs]
    assert all(a.equals(b) for a, b in zip(*tables, strict=True))


def test_undecodable_pictures_are_located_and_trimmed(tmp_path: Path, real: Path) -> None:
    data = (real / "sim/robosuite_pickplacecan_seed0_wrist.mp4").read_bytes()
    records = records_of(clip(tmp_path, damaged_from(data, 0.6)))
    (finding,) = (record for record in records if isinstance(record, Finding) and record.verdict is Verdict.TRIM)
    (camera,) = next(record for record in records if isinstance(record, Episode)).cameras
    assert finding.check == "undecodable_pictures"
    assert finding.start_ns is not None
    assert finding.end_ns is not None
    assert 0 < finding.start_ns < finding.end_ns <= camera.end_ns


def test_a_second_view_that_cannot_be_read_costs_only_itself(tmp_path: Path) -> None:
    datasets.write_v2(tmp_path, [6], cameras=(datasets.CAMERA, "observation.images.wrist"))
    (wrist,) = tmp_path.rglob("observation.images.wrist/*.mp4")
    data = wrist.read_bytes()
    pictures = data.index(b"mdat") + 700  # past the encoder's own text
    wrist.write_bytes(data[:pictures] + bytes(400) + data[pictures + 400 :])
    with pytest.raises(SourceError):
        records_of(datasets.spec_for(tmp_path, cameras=["observation.images.wrist", datasets.CAMERA]))
    records = records_of(datasets.spec_for(tmp_path, cameras=[datasets.CAMERA, "observation.images.wrist"]))
    assert len(next(record for record in records if isinstance(record, Episode)).cameras) == 1
    assert "view_unreadable" in {record.check for record in records if isinstance(record, Finding)}


def first_view(root: Path, starts_ns: int) -> Camera:
    """The view of a film of 6 pictures at 10 per second that starts some time after or before the episode does."""
    spec = clip(root, film(drifting(6), rate=10))
    ref = refs_of(spec)[0]
    raw = dataclasses.replace(read(ref, SourceFiles(ref.root)).cameras[0], starts_ns=starts_ns)
    return decode_view(ref, SourceFiles(ref.root), raw, IngestSpec()).camera


def test_a_view_that_starts_later_keeps_its_distance(tmp_path: Path) -> None:
    camera = first_view(tmp_path, 250_000_000)
    assert camera.times_ns[0] == 250_000_000
    assert camera.video.start_ns == 0, "the file's own clock"


def test_pictures_before_the_episode_are_left_out(tmp_path: Path) -> None:
    camera = first_view(tmp_path, -250_000_000)
    assert camera.times_ns[0] == 50_000_000
    assert camera.n_frames == 3
    assert camera.video.start_ns == 300_000_000, "so that cut finds the same first picture"


# -- the real recordings ---------------------------------------------------------------------------------------


def real_sources() -> dict[str, SourceSpec]:
    return {source.name: source for source in load_recipe(RECIPE, (), bundled_cards()).recipe.sources}


def test_the_real_recipe_names_folders_that_are_there(real: Path) -> None:
    for source in real_sources().values():
        assert Path(source.path).is_dir()
        assert Path(source.path).resolve().is_relative_to(real.resolve())
        assert refs_of(source)


def test_a_g1_episode_has_a_row_per_frame(real: Path) -> None:
    records = records_of(real_sources()["g1"])
    episode, actions = only(Episode, records), only(ActionTrack, records)
    assert episode.action_kind is ActionKind.MEASURED
    assert (episode.embodiment, episode.licence) == ("Unitree_G1_Inspire", "MIT")
    assert (episode.master.n_frames, actions.n_rows) == (221, 221)
    assert episode.master.end_ns == 7_366_666_667
    assert [thumbnail.frame for thumbnail in records if isinstance(thumbnail, Thumbnail)][:4] == [0, 8, 15, 23]
    assert checks(records) == []


def test_the_gr1_hands_are_those_of_modality_json(real: Path) -> None:
    source = real_sources()["gr1"]
    slices = json.loads((Path(source.path) / "meta/modality.json").read_text())
    assert isinstance(source, LeRobotSource)
    for side, arms in (("state", source.state), ("action", source.target)):
        for arm in arms:
            hand = slices[side][f"{arm.arm}_hand"]
            assert arm.fingers is not None
            assert (arm.fingers.start, arm.fingers.stop) == (hand["start"], hand["end"])


@pytest.mark.parametrize(("source", "fps"), [("headset_clips", 4), ("boil_water", 1)])
def test_headset_clips_have_4_and_boil_water_1_frame_per_second(real: Path, source: str, fps: int) -> None:
    camera: Camera = only(Episode, records_of(real_sources()[source])).master
    assert np.unique(np.diff(camera.times_ns)).tolist() == [10**9 // fps]
