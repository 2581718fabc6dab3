"""What is beside a document: kept as it was, thinned without losing a peak; the blind get only what was measured."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.review.database import Database
from annotators.review.document import label_key
from annotators.review.folder import ReviewFolder
from annotators.review.from_tree import boundary_id, document_of
from annotators.review.sheet import Sheets, blind
from annotators.review.sheet_evidence import alternatives_of, evidence_of
from annotators.review.sheet_signals import signals_of, thinned
from annotators.review.store import UnknownEpisodeError
from annotators.review.token import kept_token
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm, SourceSpan, SpanMeaning
from schemas.event import Level
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import EPISODE_ID, Recording, synthetic
from tests.annotators.review.live import recording


@pytest.fixture(scope="module")
def slip() -> Recording:
    return synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.SLIP,)}))


def test_a_sheet_is_kept_as_it_was_and_a_newer_one_takes_its_place(tmp_path: Path) -> None:
    made = recording(tmp_path, picture=None).imported
    database = Database(tmp_path / "review.sqlite")
    sheets = Sheets(database)
    sheets.put(made)
    assert sheets.get("ep-1") == made.sheet
    assert (sheets.run_of("ep-1"), sheets.run_of("ep-2"), sheets.personal("ep-1")) == ("run-1", "", False)
    sheets.put(dataclasses.replace(made, run="run-2", sheet=dataclasses.replace(made.sheet, personal=True)))
    assert (sheets.run_of("ep-1"), sheets.personal("ep-1")) == ("run-2", True)
    assert sheets.personal("ep-unknown"), "nobody has said that it shows no people"
    with pytest.raises(UnknownEpisodeError):
        sheets.get("ep-2")
    database.close()


def test_the_blind_are_told_what_was_measured_and_nothing_that_was_concluded(tmp_path: Path) -> None:
    sheet = recording(tmp_path, picture=None).imported.sheet
    assert (blind(sheet).evidence, blind(sheet).alternatives, blind(sheet).findings) == ({}, {}, ())
    assert blind(sheet).signals == sheet.signals != ()


def test_every_boundary_has_its_reason(slip: Recording) -> None:
    tree = slip.tree()
    document = document_of(EPISODE_ID, len(slip.episode.master.clock), tree)
    evidence = evidence_of(EPISODE_ID, tree)
    assert set(evidence) == set(document.boundaries)
    for name, edge in document.boundaries.items():
        assert (evidence[name].kind, evidence[name].confidence) == (edge.kind, edge.confidence)
        assert evidence[name].why.endswith(".")
    assert any("lost without support (right arm)" in told.why for told in evidence.values())
    doubted = {boundary_id(EPISODE_ID, event.start.frame) for event in tree if event.doubts}
    assert {name for name, told in evidence.items() if told.doubts} == doubted


def test_words_of_the_source_are_offered_for_the_event_they_are_about(slip: Recording) -> None:
    tree = slip.tree()
    action = next(event for event in tree if event.level is Level.ACTION)
    spans = (
        SourceSpan("narration", action.span.start_ns, action.span.end_ns, "catch it", SpanMeaning.NARRATION),
        SourceSpan("tone", action.span.start_ns, action.span.end_ns, "beep", SpanMeaning.SPEECH),
        SourceSpan("subtask", 0, 1, "too short to be about anything", SpanMeaning.SUBTASK),
    )
    episode = dataclasses.replace(slip.episode, annotations=spans)
    document = document_of(EPISODE_ID, len(episode.master.clock), tree)
    offered = alternatives_of(document, episode, tree)
    assert set(offered) <= set(document.labels)
    (words,) = offered[label_key(Level.ACTION, boundary_id(EPISODE_ID, action.start.frame))]
    assert (words.caption, words.by) == ("catch it", "narration")
    assert not any(other.caption in ("beep", spans[2].text) for found in offered.values() for other in found)


def test_signals_are_those_of_the_arms(slip: Recording) -> None:
    signals = signals_of(slip.episode, slip.actions, slip.calibration, None, SegmentSpec())
    assert [(signal.name, signal.arm) for signal in signals] == [("opening", "right"), ("speed", "right")]
    assert all(len(signal.times_ns) == len(signal.values) > 50 for signal in signals)
    assert min(value for value in signals[0].values if value is not None) < 0.5, "the gripper closes"


@given(st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1, max_size=400), st.integers(6, 60))
def test_thinning_keeps_the_extremes_and_the_holes_and_the_order(numbers: list[float], most: int) -> None:
    values = np.array(numbers)
    kept = list(thinned(values, most))
    assert kept == sorted(set(kept))
    assert len(kept) <= max(most, 3)
    known = values[np.isfinite(values)]
    if len(known):
        shown = values[kept][np.isfinite(values[kept])]
        assert (shown.min(), shown.max()) == (known.min(), known.max())
    assert np.isnan(values[kept]).any() == np.isnan(values).any()


def test_the_token_stays_and_is_the_owners_alone(tmp_path: Path) -> None:
    folder = ReviewFolder(tmp_path)
    token = kept_token(folder)
    assert kept_token(folder) == token
    assert len(token) >= 32
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
