"""Pseudo-actions in ingest: off unless asked, on the frames of the one decode, never over what was measured."""

from pathlib import Path
from typing import TypeVar

import pytest

from pipeline import ingest as stage
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.pseudo import apply
from pipeline.sources import reference, video_folder
from pipeline.sources.lerobot import lerobot
from schemas.episode import ActionKind, ActionTrack, Episode
from schemas.finding import Finding
from schemas.recipe import IngestSpec
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film
from tests.pipeline.pseudo.made_hands import FakeTracker, hand, tracking
from tests.pipeline.sources import datasets
from tests.pipeline.sources.test_video_folder import spec_for

R = TypeVar("R")
ASKED = {"pseudo_actions": {"method": "mediapipe_hands", "hz": 20}}


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> FakeTracker:
    return use(monkeypatch, FakeTracker([hand()]))


def use(monkeypatch: pytest.MonkeyPatch, tracker: FakeTracker, revision: str = "fake 1") -> FakeTracker:
    for module in (apply, reference):
        monkeypatch.setattr(module, "TRACKERS", tracking(tracker, revision))
    return tracker


def clip(folder: Path, *, asked: bool = True) -> EpisodeRef:
    (folder / "clip.mp4").write_bytes(film(drifting(30)))
    spec = spec_for(folder)
    spec = type(spec).model_validate({**spec.model_dump(), **(ASKED if asked else {})})
    (ref,) = [
        ref
        for ref in video_folder.discover(spec, SourceFiles(str(folder)), MemoryDigests())
        if isinstance(ref, EpisodeRef)
    ]
    return ref


def records(ref: EpisodeRef) -> list[object]:
    return list(ingest(ref, SourceFiles(ref.root), IngestSpec()))


def of(kind: type[R], found: list[object]) -> list[R]:
    return [record for record in found if isinstance(record, kind)]


def test_nobody_looks_for_hands_unless_asked(tmp_path: Path, tracker: FakeTracker) -> None:
    found = records(clip(tmp_path, asked=False))
    assert of(ActionTrack, found) == []
    assert of(Episode, found)[0].action_kind is ActionKind.NONE
    assert tracker.seen == []


def test_hands_become_the_actions_of_a_recording_without_any(tmp_path: Path, tracker: FakeTracker) -> None:
    found = records(clip(tmp_path))
    (episode,), (track,) = of(Episode, found), of(ActionTrack, found)
    assert episode.action_kind is track.kind is ActionKind.PSEUDO
    assert track.provenance.startswith("hands in view main by fake 1; ")
    assert set(track.times_ns.tolist()) <= set(episode.master.times_ns.tolist())
    assert track.n_rows == 30
    (finding,) = [finding for finding in of(Finding, found) if finding.check == "pseudo_actions"]
    assert "hands in 30 pictures of view main: left 0%, right 100%; they make a pseudo action track" in finding.message


def test_pictures_are_decoded_once(tmp_path: Path, tracker: FakeTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, decode = [], stage.pictures
    monkeypatch.setattr(stage, "pictures", lambda *given: calls.append(given) or decode(*given))
    records(clip(tmp_path))
    assert len(calls) == 1
    assert len(tracker.seen) == 30


def test_pictures_without_hands_leave_a_recording_without_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeTracker([]))
    found = records(clip(tmp_path))
    assert of(ActionTrack, found) == []
    assert of(Episode, found)[0].action_kind is ActionKind.NONE
    assert any("no track is made of so few" in finding.message for finding in of(Finding, found))


def test_measured_actions_are_never_replaced(tmp_path: Path, tracker: FakeTracker) -> None:
    datasets.write_v3(tmp_path, [12])
    spec = datasets.spec_for(tmp_path)
    asked = type(spec).model_validate({**spec.model_dump(), **ASKED})
    ref = next(
        ref
        for ref in lerobot.discover(asked, SourceFiles(str(tmp_path)), MemoryDigests())
        if isinstance(ref, EpisodeRef)
    )
    found = records(ref)
    (track,) = of(ActionTrack, found)
    assert track.kind is ActionKind.MEASURED
    assert tracker.seen == []
    (told,) = [finding for finding in of(Finding, found) if finding.check == "pseudo_actions_left_out"]
    assert "pseudo-actions never replace" in told.message


def test_what_looks_for_hands_is_part_of_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, FakeTracker([]), "fake 1")
    first = clip(tmp_path)
    plain = clip(tmp_path, asked=False)
    use(monkeypatch, FakeTracker([]), "fake 2")
    second = clip(tmp_path)
    assert len({first.fingerprint, second.fingerprint, plain.fingerprint}) == 3
    assert first.episode_id == second.episode_id == plain.episode_id
    assert clip(tmp_path, asked=False).fingerprint == plain.fingerprint
    with pytest.raises(SourceError, match="listed for hands by fake 1, this worker has fake 2"):
        records(first)
