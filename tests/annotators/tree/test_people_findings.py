"""``joinery why`` says what became of what people said."""

from dataclasses import replace

import pytest

from annotators.review.operation import Decide, Split
from annotators.segment import run
from pipeline.stage import Bundle
from schemas.calibration import Calibration
from schemas.episode import ActionTrack, Alignment, Episode, KeptRange
from schemas.event import Event, Level, ReviewState
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import SegmentSpec
from schemas.review import Review
from tests.annotators.recordings import all_kept
from tests.annotators.review.reviewed import Session, grasping, under_review

RECORDING = grasping()


@pytest.fixture
def session() -> Session:
    return Session(under_review(RECORDING))


def ran(review: Review | None, alignment: Alignment | None = None) -> tuple[list[Event], dict[str, list[Finding]]]:
    episode = RECORDING.episode
    records = {
        Episode: [episode],
        ActionTrack: [RECORDING.actions],
        Filmstrip: [],
        Alignment: [alignment or all_kept(episode)],
        Calibration: [RECORDING.calibration],
    }
    found = run(Bundle(episode.episode_id, review=review, records=records), SegmentSpec())
    findings: dict[str, list[Finding]] = {}
    for finding in found:
        if isinstance(finding, Finding):
            findings.setdefault(finding.check, []).append(finding)
    return [event for event in found if isinstance(event, Event)], findings


def accepted_task(session: Session) -> Review:
    name = next(iter(session.document.lane(Level.TASK))).start_id
    return session.does(Decide(entity=f"label:task:{name}", state=ReviewState.ACCEPTED)).review()


def test_how_much_stands_is_told(session: Session) -> None:
    _, findings = ran(accepted_task(session))
    assert ["1 of 1 events that people spoke of stand" in one.message for one in findings["review"]] == [True]
    assert ran(None)[1].keys() == findings.keys() - {"review"}


def test_what_cleaning_trimmed_is_told_event_by_event(session: Session) -> None:
    end_ns = RECORDING.episode.master.end_ns
    shorter = replace(all_kept(RECORDING.episode), kept=(KeptRange(0, end_ns // 2),))
    events, findings = ran(accepted_task(session), shorter)
    (lost,) = findings["review_left_out"]
    assert "people's task of frames [0, " in lost.message
    assert (lost.start_ns, lost.end_ns) == (0, end_ns)
    assert "0 of 1 events" in findings["review"][0].message
    task = next(event for event in events if event.level is Level.TASK)
    assert (task.review, task.span.frame_start) == (ReviewState.ACCEPTED, 0)


def test_a_review_of_other_pictures_is_not_used(session: Session) -> None:
    plain, _ = ran(None)
    session.does(Split(boundary_id="new-0001", frame=plain[-1].span.frame_start + 6, rank=3))
    events, findings = ran(replace(session.review(), n_frames=7))
    assert events == plain
    assert "people saw 7 pictures" in findings["review_of_other_pictures"][0].message


def test_an_episode_that_people_took_out_has_no_events(session: Session) -> None:
    events, findings = ran(replace(accepted_task(session), left_out="a face is seen"))
    assert events == []
    assert list(findings) == ["withheld"]
    assert (findings["withheld"][0].verdict, "a face is seen" in findings["withheld"][0].message) == (
        Verdict.DROP,
        True,
    )
