"""A run whose captions a model writes: asked over HTTP, counted, kept, and never a success when it was not one."""

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import yaml

from jobs.listing import list_sources
from jobs.plan import make_plan
from jobs.river import RIVER
from jobs.run import run_recipe
from jobs.trees import verify_trees
from pipeline.errors import ServiceError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.event import Event, Level
from schemas.finding import Failure, Finding
from schemas.model_call import CallOutcome, ModelCall
from schemas.recipe_file import LoadedRecipe, load_recipe
from schemas.run import Run
from schemas.shard import Clip
from tests.jobs.canaries import quoting
from tests.jobs.clerk import MODEL, Clerk, clerk_server
from tests.jobs.conftest import write_recipe
from tests.jobs.runs import Silent, shard_bytes

SOURCES = ("teleop", "self_collected", "internet")
"""With measured actions, and without any."""
KEY = "sk-canary-of-the-clerk"
Load = Callable[..., LoadedRecipe]
StoppedAfter = Callable[..., None]
R = TypeVar("R")


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    with clerk_server() as clerk:
        yield clerk


@pytest.fixture
def load(tmp_path: Path, corpus: Path, clerk: Clerk) -> Load:
    """A few sources of the demo, captioned by the clerk, who cannot see: no canary rides along."""

    def made(*overrides: str, workspace: str = "workspace") -> LoadedRecipe:
        file = write_recipe(tmp_path / "model.yaml", corpus, tmp_path / workspace)
        recipe = yaml.safe_load(file.read_text(encoding="utf-8"))
        recipe["sources"] = [source for source in recipe["sources"] if source["name"] in SOURCES]
        recipe["caption"] = {"by": {"method": "vlm", "model": MODEL, "revision": "1", "canary_one_in": 0}}
        servers = {"endpoints": [{"url": clerk.url}], "patience_s": 2.0, "first_pause_s": 0.05, "attempts": 2}
        recipe["run"] = {"executor": "inline", "error_budget": 0.5, "vlm": servers}
        file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        return load_recipe(file, list(overrides))

    return made


def opened(loaded: LoadedRecipe) -> Workspace:
    return Workspace.open(loaded.recipe.workspace.url)


def written(loaded: LoadedRecipe, record: type[R], stage: str) -> list[R]:
    """What a stage has written for the present listing."""
    workspace = opened(loaded)
    ledger = Ledger(workspace, loaded.recipe, RIVER, list_sources(workspace, loaded.recipe).version)
    ledger.refresh_all()
    attempts = [attempt for _, attempt in ledger.done_attempts(stage)]
    return [row for rows in workspace.read(record, attempts).values() for row in rows]


def outcomes(loaded: LoadedRecipe, run: Run) -> Counter[str]:
    rows = opened(loaded).scan(ModelCall, where=f"run_id = '{run.run_id}'").read_all()
    return Counter(rows.column("outcome").to_pylist())


@pytest.mark.usefixtures("already_run")
def test_the_model_groups_and_words_what_the_detector_has_cut(load: Load, clerk: Clerk) -> None:
    loaded = load()
    result = run_recipe(loaded, Silent())
    assert result.succeeded
    events = written(loaded, Event, "caption")
    authors = {(event.level, event.caption_by.proposer) for event in events if event.caption_by is not None}
    assert {(Level.SUBTASK, "vlm"), (Level.ACTION, "vlm"), (Level.SEGMENT, "vlm")} <= authors
    assert all(event.caption for event in events)
    before = {(event.span.frame_start, event.episode_id) for event in written(loaded, Event, "segment")}
    assert {(event.span.frame_start, event.episode_id) for event in events} <= before, "the model made up a time"
    assert outcomes(loaded, result.run) == {CallOutcome.ANSWERED: len(clerk.questions)}
    (cost,) = result.costs.runs
    assert cost.calls == len(clerk.questions)
    assert cost.tokens > 0


@pytest.mark.usefixtures("already_run")
def test_events_that_the_model_has_merged_are_cut_and_published_as_such(load: Load, clerk: Clerk) -> None:
    clerk.merges = True
    loaded = load()
    assert run_recipe(loaded, Silent()).succeeded
    worded = {event.event_id for event in written(loaded, Event, "caption") if event.level is Level.ACTION}
    assert worded != {event.event_id for event in written(loaded, Event, "segment") if event.level is Level.ACTION}
    assert {clip.event_id for clip in written(loaded, Clip, "cut")} == worded
    workspace = opened(loaded)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    assert verify_trees(workspace, ledger, loaded.recipe.caption.by).problems == ()


def test_a_key_stands_nowhere_not_even_where_the_server_quotes_it(
    load: Load, clerk: Clerk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_CLERK", KEY)
    with_key = f"run.vlm.endpoints=[{{url: {clerk.url}, key: {{env: KEY_OF_THE_CLERK}}}}]"
    loaded = load(with_key)
    clerk.quotes_keys = True
    with pytest.raises(ServiceError, match="HTTP 400") as refused:
        run_recipe(loaded, Silent())
    assert KEY not in "".join(traceback.format_exception(refused.value))
    clerk.quotes_keys = False
    assert run_recipe(loaded, Silent()).succeeded
    assert quoting(opened(loaded), [KEY]) == []


@pytest.mark.slow
def test_the_plan_tells_the_price_once_it_is_known(load: Load, clerk: Clerk) -> None:
    template = load("caption.by={method: template}", "run.vlm=null")
    by_model = load()
    before = make_plan(opened(by_model), by_model.recipe).model
    assert before is not None
    assert (before.measured, before.calls) == (0, 0)
    assert make_plan(opened(template), template.recipe).model is None
    run_recipe(template, Silent())
    told = make_plan(opened(by_model), by_model.recipe).model
    assert told is not None
    run_recipe(by_model, Silent())
    assert told.calls == pytest.approx(len(clerk.questions), rel=0.2)
    after = make_plan(opened(by_model), by_model.recipe).model
    assert after is not None
    assert (after.episodes, after.calls) == (0, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("already_run")
def test_what_was_answered_once_is_never_asked_again(load: Load, clerk: Clerk) -> None:
    run_recipe(load(), Silent())
    asked = len(clerk.questions)
    again = load("caption.by.on_rejected=quarantine")
    result = run_recipe(again, Silent())
    assert len(clerk.questions) == asked
    assert outcomes(again, result.run) == {CallOutcome.CACHED: asked}


@pytest.mark.slow
def test_answers_in_any_order_on_ray_give_the_bytes_of_one_after_the_other(
    load: Load, stopped_after: StoppedAfter
) -> None:
    stopped_after("segment", "alone")
    stopped_after("segment", "ray")
    alone, ray = load(workspace="alone"), load("run.executor=ray", "run.workers=2", workspace="ray")
    assert run_recipe(alone, Silent()).succeeded
    assert run_recipe(ray, Silent()).succeeded
    assert shard_bytes(Path(alone.recipe.workspace.url)) == shard_bytes(Path(ray.recipe.workspace.url))


def test_a_server_that_dies_ends_the_run_and_the_next_one_goes_on(
    load: Load, stopped_after: StoppedAfter, clerk: Clerk
) -> None:
    stopped_after("segment", "undisturbed")
    stopped_after("segment")
    undisturbed, loaded = load(workspace="undisturbed"), load()
    assert run_recipe(undisturbed, Silent()).succeeded
    asked = len(clerk.questions)
    clerk.dies_at = asked + 3
    with pytest.raises(ServiceError, match="stage caption: .*" + clerk.url):
        run_recipe(loaded, Silent())
    workspace = opened(loaded)
    assert workspace.scan(Failure, where="stage = 'caption'").read_all().num_rows == 0, "no episode is to blame"
    assert not workspace.blobs.list("shards"), "nothing is published"
    clerk.dies_at = None
    assert run_recipe(loaded, Silent()).succeeded
    assert shard_bytes(Path(loaded.recipe.workspace.url)) == shard_bytes(Path(undisturbed.recipe.workspace.url))
    assert len(clerk.questions) == 2 * asked, "an answer was paid for twice"


def test_a_server_that_is_not_there_is_told_before_any_work_is_done(load: Load) -> None:
    loaded = load("run.vlm.endpoints=[{url: 'http://127.0.0.1:9/v1'}]")
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9/v1"):
        run_recipe(loaded, Silent())
    assert written(loaded, Event, "segment") == []


def test_weights_that_are_not_there_are_told_before_any_work_is_done(load: Load, tmp_path: Path) -> None:
    start = f"run.vlm={{start: {{weights: {tmp_path}/lost, python: {sys.executable}}}}}"
    loaded = load("run.executor=ray", start)
    with pytest.raises(ServiceError, match=r"start.weights: .*/lost: no such folder"):
        run_recipe(loaded, Silent())
    assert written(loaded, Episode, "ingest") == []


@pytest.mark.usefixtures("already_run")
@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param("{}", marks=pytest.mark.slow),
        pytest.param("not JSON", marks=pytest.mark.slow),
        '{"rows": [{"end": "C999", "l2": 1, "l1": 1}]}',
    ],
)
def test_answers_that_cannot_be_used_leave_the_detectors_tree_and_are_told(
    load: Load, clerk: Clerk, nonsense: str
) -> None:
    clerk.trouble = lambda _number: nonsense
    loaded = load()
    assert run_recipe(loaded, Silent()).succeeded
    cut, worded = written(loaded, Event, "segment"), written(loaded, Event, "caption")
    assert {event.event_id for event in worded} == {event.event_id for event in cut}
    assert {event.caption_by.proposer for event in worded if event.caption_by} == {"template"}
    findings = written(loaded, Finding, "caption")
    assert {finding.check for finding in findings} == {"model_answer_unusable"}
    assert {finding.subject for finding in findings} == {event.episode_id for event in cut}


def test_a_recipe_may_want_such_episodes_in_quarantine(load: Load, stopped_after: StoppedAfter, clerk: Clerk) -> None:
    stopped_after("segment")
    clerk.trouble = lambda _number: "{}"
    loaded = load("caption.by.on_rejected=quarantine")
    result = run_recipe(loaded, Silent())
    assert not result.succeeded
    assert outcomes(loaded, result.run) == {CallOutcome.ANSWERED: len(clerk.questions)}, "what failed has cost as much"
    assert result.quarantined >= result.episodes - 1  # a dropped episode has nothing to caption


def test_a_limit_of_calls_ends_the_run_and_nothing_is_paid_for_twice(
    load: Load, stopped_after: StoppedAfter, clerk: Clerk
) -> None:
    stopped_after("segment")
    loaded = load()
    with pytest.raises(ServiceError, match="max_calls is 1"):
        run_recipe(load("run.vlm.max_calls=1"), Silent())
    (spent,) = (
        opened(loaded).scan(ModelCall, columns=["outcome"]).read_all().column("outcome").value_counts().to_pylist()
    )
    assert spent == {"values": CallOutcome.ANSWERED, "counts": len(clerk.questions)}, "what was spent is in no ledger"
    assert run_recipe(loaded, Silent()).succeeded
    assert len(clerk.questions) == len(set(clerk.questions))
