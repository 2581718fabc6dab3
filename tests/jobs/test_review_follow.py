"""A newer run comes in beside what people said, and changes none of it."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from annotators.review.accepted import said_in
from annotators.review.document import Origin
from annotators.review.operation import Merge, Move, Relabel
from jobs.cli import app
from jobs.run import RunResult, run_recipe
from schemas.event import Level, Verb
from schemas.recipe_file import LoadedRecipe
from tests.jobs.reviews import Reviewed, under_review
from tests.jobs.runs import Silent

OTHERWISE = "segment.max_segment_s=0.9"


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    return under_review(reference[1], corpus, tmp_path)


def follow(reviewed: Reviewed, *overrides: str) -> dict[str, object]:
    options = [word for one in overrides for word in ("--set", one)]
    words = ["review", "follow", str(reviewed.recipe), "--json", *options]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.mark.slow
def test_the_same_run_changes_nothing_and_another_follows_it_but_for_people(reviewed: Reviewed) -> None:
    same = follow(reviewed)
    assert (same["changed"], same["suggestions"], same["refused"], same["without_tree"]) == (0, 0, [], [])
    with closing(reviewed.store()) as store:
        episodes = store.episodes()
        lanes = {e: list(store.document(e)[1].lane(Level.ACTION)) for e in episodes}
    episode = next(e for e in episodes if len(lanes[e]) >= 4)
    first, second, third = lanes[episode][1:4]
    reviewed.says(
        episode,
        Move(boundary_id=first.start_id, frame=first.frame_start + 1),
        Relabel(level=Level.ACTION, boundary_id=second.start_id, caption="mine", verb=Verb.POUR),
        Merge(boundary_id=third.start_id),
    )
    with closing(reviewed.store()) as store:
        document = store.document(episode)[1]
        human = {k: e for k, e in document.boundaries.items() if e.origin is Origin.HUMAN}
        spans = {
            (s.span.level, s.span.frame_start, s.span.frame_end) for s in said_in(document, store.log(episode)).events
        }
    assert run_recipe(reviewed.load(OTHERWISE), Silent()).succeeded
    newer = follow(reviewed, OTHERWISE)
    assert newer["refused"] == []
    assert isinstance(newer["changed"], int)
    assert newer["changed"] >= 1
    assert isinstance(newer["suggestions"], int)
    assert newer["suggestions"] >= 1
    with closing(reviewed.store()) as store:
        after = store.document(episode)[1]
        assert {k: e for k, e in after.boundaries.items() if e.origin is Origin.HUMAN} == human
        lanes_after = {(s.level, s.frame_start, s.frame_end) for level in Level for s in after.lane(level)}
        assert spans <= lanes_after
        assert len(list(after.lane(Level.SEGMENT))) > len(list(document.lane(Level.SEGMENT)))
        assert [problem for e in episodes for problem in store.verify(e)] == []
        actors = {entry.actor for e in episodes for entry in store.log(e)} - {"ann"}
        assert len(actors) == 1
        assert actors.pop().startswith("pipeline:")
        assert store.suggestions(episode)
    assert follow(reviewed, OTHERWISE)["changed"] == 0
