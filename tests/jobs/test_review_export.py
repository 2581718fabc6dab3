"""What people said goes back: one reviewed episode is one episode done again, and it says what they said."""

import json
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from annotators.review.document import label_key
from annotators.review.operation import Decide, Merge, Move, Relabel
from jobs.cli import app
from jobs.review_export import export_revision
from jobs.run import RunResult, run_recipe
from jobs.trees import verify_trees
from pipeline.revision import PATH
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from schemas.event import Event, Level, ReviewState, Verb
from schemas.recipe_file import LoadedRecipe
from tests.jobs.reviews import Reviewed, under_review
from tests.jobs.runs import Silent, done


def told(reviewed: Reviewed, *words: str) -> Result:
    command = ["review", "export", str(reviewed.recipe), *words]
    return CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.fixture
def reviewed(reference: tuple[RunResult, LoadedRecipe], corpus: Path, tmp_path: Path) -> Reviewed:
    return under_review(reference[1], corpus, tmp_path)


def one_of(reviewed: Reviewed, at_least: int = 3) -> str:
    """The first episode with so many actions."""
    with closing(reviewed.store()) as store:
        return next(e for e in store.episodes() if len(list(store.document(e)[1].lane(Level.ACTION))) >= at_least)


def actions(reviewed: Reviewed, episode_id: str) -> list[tuple[str, int, int]]:
    with closing(reviewed.store()) as store:
        lane = store.document(episode_id)[1].lane(Level.ACTION)
        return [(span.start_id, span.frame_start, span.frame_end) for span in lane]


def at(events: list[Event], level: Level) -> dict[tuple[int, int], Event]:
    return {(e.span.frame_start, e.span.frame_end): e for e in events if e.level is level}


def test_one_reviewed_episode_is_done_again_and_no_other(reviewed: Reviewed) -> None:
    assert run_recipe(reviewed.load(), Silent()).succeeded
    episode = one_of(reviewed)
    (start, first, last), (second, a, _), (third, _, c) = actions(reviewed, episode)[:3]
    reviewed.says(
        episode,
        Relabel(level=Level.ACTION, boundary_id=start, caption="reach past the lamp", verb=Verb.REACH),
        Merge(boundary_id=third),
        Decide(entity=label_key(Level.ACTION, second), state=ReviewState.REJECTED),
    )
    dry = json.loads(told(reviewed, "--dry-run", "--json").stdout)
    assert dry["changed"] == [episode]
    assert not (reviewed.folder.parent / PATH).exists()
    assert set(done(run_recipe(reviewed.load(), Silent())).values()) == {0}
    shown = told(reviewed)
    assert shown.exit_code == 0
    assert "1 episodes to do again" in shown.stdout

    counts = done(result := run_recipe(reviewed.load(), Silent()))
    assert result.succeeded
    for stage in ("ingest", "lag", "vote", "align", "calibrate", "outline"):
        assert counts[stage] == 0, stage
    for stage in ("segment", "caption", "cut", "embed", "assign"):
        assert counts[stage] == 1, stage

    events = reviewed.events(episode)
    said = at(events, Level.ACTION)[first, last]
    assert (said.caption, said.verb, said.review) == ("reach past the lamp", Verb.REACH, ReviewState.EDITED)
    assert said.caption_by is not None
    assert (said.caption_by.proposer, said.caption_by.model) == ("human", "ann")
    rejected = at(events, Level.ACTION)[a, c]
    assert rejected.review is ReviewState.REJECTED
    workspace, ledger = reviewed.opened()
    sampled = _sampled(reviewed)
    by_id = {event.event_id: event for event in events}
    inside = {e.event_id for e in events if e.level is Level.SEGMENT and by_id[e.parent_id] is rejected}
    assert not sampled & (inside | {rejected.event_id})
    assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()
    assert verify_trees(workspace, ledger, reviewed.load().recipe.caption.by).problems == ()


def _sampled(reviewed: Reviewed) -> set[str]:
    """Events in the newest shard set."""
    blobs = reviewed.opened()[0].blobs
    with blobs.open(f"{shard_set_path(blobs)}/manifest.parquet") as file:
        return set(pq.read_table(file, columns=["event_id"]).column("event_id").to_pylist())


@pytest.mark.slow
def test_exporting_the_same_again_does_nothing_again_and_without_reviews_the_old_results_are_there(
    reviewed: Reviewed,
) -> None:
    assert run_recipe(reviewed.load(), Silent()).succeeded
    episode = one_of(reviewed)
    start, first, last = actions(reviewed, episode)[1]
    machine = reviewed.events(episode)
    reviewed.says(episode, Move(boundary_id=start, frame=first + 1))
    told(reviewed)
    bytes_before = (reviewed.folder.parent / PATH).read_bytes()
    assert run_recipe(reviewed.load(), Silent()).succeeded
    assert (first + 1, last) in at(reviewed.events(episode), Level.ACTION)
    assert json.loads(told(reviewed, "--json").stdout)["changed"] == []
    assert (reviewed.folder.parent / PATH).read_bytes() == bytes_before
    assert set(done(run_recipe(reviewed.load(), Silent())).values()) == {0}
    assert reviewed.events(episode, "review.use=false") == machine


def test_an_earlier_revision_comes_out_byte_for_byte(reviewed: Reviewed) -> None:
    episode = one_of(reviewed)
    (start, first, _), (other, _, _) = actions(reviewed, episode)[1:3]
    path = reviewed.folder.parent / PATH
    reviewed.says(episode, Move(boundary_id=start, frame=first + 1))
    told(reviewed)
    then = path.read_bytes()
    reviewed.says(episode, Move(boundary_id=start, frame=first + 2), actor="bob")
    reviewed.says(episode, Decide(entity=label_key(Level.ACTION, other), state=ReviewState.ACCEPTED))
    told(reviewed)
    assert path.read_bytes() != then
    told(reviewed, "--at-rev", "1")
    assert path.read_bytes() == then
    told(reviewed, "--at-rev", "0")
    assert json.loads(path.read_text())["episodes"] == 0
    refused = told(reviewed, "--at-rev", "9")
    assert refused.exit_code == 1
    assert "expected 0 … 3" in refused.stderr


def test_a_raters_copy_is_not_exported(reviewed: Reviewed) -> None:
    episode = one_of(reviewed)
    with closing(reviewed.store()) as store:
        document = store.document(episode)[1]
        store.add(type(document)(f"{episode}@ann", document.n_frames, document.boundaries, document.labels), "sha")
    start, first, _ = actions(reviewed, episode)[1]
    reviewed.says(f"{episode}@ann", Move(boundary_id=start, frame=first + 1))
    workspace, _ = reviewed.opened()
    assert export_revision(workspace, reviewed.folder).episodes == 0


def test_a_revision_that_no_longer_speaks_of_an_episode_gives_it_back_to_the_machine(reviewed: Reviewed) -> None:
    episode = one_of(reviewed)
    start, first, _ = actions(reviewed, episode)[1]
    reviewed.says(episode, Move(boundary_id=start, frame=first + 1))
    told(reviewed)
    assert json.loads(told(reviewed, "--at-rev", "0", "--json").stdout)["changed"] == [episode]


@pytest.mark.slow
def test_an_episode_in_quarantine_leaves_the_shards_with_the_next_run(reviewed: Reviewed) -> None:
    episode = one_of(reviewed)
    assert run_recipe(reviewed.load(), Silent()).succeeded
    assert {event.event_id for event in reviewed.events(episode)} & _sampled(reviewed)
    with closing(reviewed.store()) as store:
        store.database.sql.execute("CREATE TABLE quarantine (episode_id TEXT, reason TEXT, actor TEXT, at_ns INTEGER)")
        store.database.write("INSERT INTO quarantine VALUES (?, 'a face is seen', 'ann', 0)", episode)
    before = {event.event_id for event in reviewed.events(episode)}
    assert json.loads(told(reviewed, "--json").stdout)["left_out"] == 1
    assert run_recipe(reviewed.load(), Silent()).succeeded
    assert reviewed.events(episode) == []
    assert not before & _sampled(reviewed)
    out = reviewed.folder.parent.parent / "csv"
    assert told(reviewed, "--to", "csv", "--out", str(out)).exit_code == 0
    assert not (out / f"{episode}.csv").exists()
