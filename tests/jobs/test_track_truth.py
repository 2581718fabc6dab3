"""Annotations as truth, and several annotators of one episode."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotators.segment import segment
from jobs.run import RunResult
from jobs.track_truth import refuse_own_cuts, track_truth
from pipeline.errors import JoineryError
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm, Episode, SourceSpan, SpanMeaning
from schemas.event import BoundaryKind, Event, Level
from schemas.recipe import SegmentSpec
from schemas.recipe_file import LoadedRecipe
from schemas.time import NS_PER_S
from tests.annotators.recordings import all_kept, synthetic
from tests.jobs.test_score import call, group

Reference = tuple[RunResult, LoadedRecipe]
MADE = synthetic(make_trajectory(11, {Arm.RIGHT: (Variant.PLAIN,)}))
STEPS = (
    SourceSpan("steps", 0, 2 * NS_PER_S, "Pick up the cup", SpanMeaning.SUBTASK),
    SourceSpan("steps", 2 * NS_PER_S, 5 * NS_PER_S, "the rest", SpanMeaning.SUBTASK),
    SourceSpan("other", 0, NS_PER_S, "x"),
)
EPISODE = replace(MADE.episode, annotations=STEPS)


class OneEpisode:
    """Stands for a ledger: the truth reads nothing else of it."""

    def present(self, _record: type[Episode], _stage: str) -> list[Episode]:
        return [EPISODE]


def test_the_edges_of_a_track_are_boundaries_of_no_kind_at_the_level_it_means() -> None:
    one: Any = OneEpisode()
    truth, level = track_truth(one, "steps")
    (entry,) = truth.episodes
    assert level is Level.SUBTASK
    assert truth.kinds == ()
    assert [(mark.t_ns // NS_PER_S, mark.kind) for mark in entry.boundaries] == [
        (2, BoundaryKind.ANNOTATION),
        (5, BoundaryKind.ANNOTATION),
    ]
    assert [(part.phase, part.end_ns // NS_PER_S) for part in entry.phases] == [("pick up", 2)]


def test_a_track_nobody_has_is_an_error_that_names_those_there_are() -> None:
    one: Any = OneEpisode()
    with pytest.raises(JoineryError, match="their tracks: other, steps"):
        track_truth(one, "nothing")


def tree(**spec: str) -> list[Event]:
    wanted = SegmentSpec().model_copy(update=spec)
    return segment(EPISODE, MADE.actions, (), all_kept(EPISODE), MADE.calibration, spec=wanted)


def test_events_cut_by_the_track_itself_are_refused() -> None:
    with pytest.raises(JoineryError, match=r"segment\.annotations=off"):
        refuse_own_cuts("steps", tree())
    refuse_own_cuts("steps", tree(annotations="off"))
    refuse_own_cuts("", tree())


def test_several_annotators_are_scored_beside_us(reference: Reference, corpus: Path, tmp_path: Path) -> None:
    truth = json.loads((corpus / "truth.json").read_text())
    second = []
    for entry in truth["episodes"]:
        late = [{**mark, "t_ns": mark["t_ns"] + 200_000_000} for mark in entry["boundaries"]]
        second.append({**entry, "annotator": "late", "boundaries": late})
    truth["episodes"] += second
    file = tmp_path / "two.json"
    file.write_text(json.dumps(truth))
    found = call(reference[1].path, file, "--json")
    assert found.exit_code == 0, found.output
    arms = group(json.loads(found.stdout), "episodes with actions")
    assert arms["annotations"] == 2 * arms["episodes"]
    human = arms["human"]
    assert human["agreement"]["f1@0.1"]["estimate"] < 0.2
    assert human["agreement"]["f1@0.25"]["estimate"] == pytest.approx(1.0, abs=0.05)
    assert human["normalised"]["f1@0.1"]["estimate"] > 1.0
    shown = call(reference[1].path, file).stdout
    assert "person and person" in shown
    assert "each of which counts as a truth" in shown
