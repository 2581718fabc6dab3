"""A batch of work: one bad item is a value, wide inputs stream, and outputs are what the stage declares."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import cv2
import pytest
from threadpoolctl import threadpool_info

from jobs import worker
from jobs.river import RIVER, stage_named
from jobs.worker import Batch, one_thread, run_batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError, ServiceError, StoreError
from pipeline.stage import Bundle, Question, Scope, Stage
from pipeline.store import Workspace
from pipeline.work_item import WorkItem
from schemas.finding import Finding, Verdict
from schemas.model_call import CallOutcome, ModelCall
from schemas.recipe import Recipe


def finding(subject: str) -> Finding:
    return Finding(subject, "s", "toy", "c", Verdict.KEEP, "m")


def run_toy(bundle: Bundle, _spec: object) -> list[object]:
    if bundle.item == "bad":
        raise ValueError("row 3: found 26 values, expected 28")
    if bundle.item == "stranger":
        return [bundle]
    return [finding(bundle.item)]


TOY = Stage("toy", 1, Scope.EPISODE, (), (Finding,), lambda recipe: recipe.align, run_toy)


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Batch:
    monkeypatch.setattr(worker, "stage_named", lambda _name: TOY)
    source = {"format": "video_folder", "name": "s", "path": "/r", "card": {"licence": "CC0"}}
    recipe = Recipe.model_validate({"joinery": 1, "workspace": {"url": "/ws"}, "sources": [source]})
    items = tuple(WorkItem(name, f"key-{name}", {}, "", None) for name in ("a", "bad", "b"))
    return Batch(Workspace.open(str(tmp_path)), recipe, "run", "toy", items)


def test_one_bad_item_is_quarantined_and_loses_nothing_else(batch: Batch) -> None:
    attempt = run_batch(batch)
    batch.workspace.commit([attempt])
    assert [done.item for done in attempt.done] == ["a", "b"]
    (failure,) = attempt.failures
    assert (failure.item, failure.work_key, failure.error) == ("bad", "key-bad", "ValueError")
    assert failure.message == "row 3: found 26 values, expected 28"
    assert "run_toy" in failure.traceback
    written = batch.workspace.read(Finding, [done.attempt for done in attempt.done])
    assert sorted(row.subject for rows in written.values() for row in rows) == ["a", "b"]


def test_results_that_cannot_be_written_are_told_in_one_line_and_are_no_items_fault(batch: Batch) -> None:
    """Raised as it is, the system's error would come out of Ray as a page of its own tracebacks."""
    (Path(batch.workspace.url) / "tables" / "findings.lance" / "data").write_text("in the way")
    with pytest.raises(
        StoreError, match=r"^stage toy: the results of a and 2 others cannot be written: OSError: .*"
    ) as told:
        run_batch(batch)
    assert str(told.value).endswith("nothing is quarantined for it; run again once that is mended")


def test_a_stage_that_writes_what_it_does_not_declare_fails(batch: Batch) -> None:
    stranger = replace(batch, items=(WorkItem("stranger", "key", {}, "", None),))
    (failure,) = run_batch(stranger).failures
    assert failure.message == "stage toy wrote ['Bundle'], which it does not declare"


def test_items_of_a_stage_that_waits_are_done_at_once_and_come_back_in_order(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Barrier(3)

    def run(bundle: Bundle, spec: object) -> list[object]:
        meeting.wait(timeout=20)
        return run_toy(bundle, spec)

    monkeypatch.setattr(worker, "stage_named", lambda _name: replace(TOY, run=run, at_once=lambda _spec: 8))
    attempt = run_batch(batch)
    assert [done.item for done in attempt.done] == ["a", "b"]
    assert [failure.message for failure in attempt.failures] == ["row 3: found 26 values, expected 28"]


class Lengths:
    """A model that knows how long a word is, and notes what it is shown at a time."""

    n_at_once = 3

    def __init__(self) -> None:
        self.shown: list[list[str]] = []

    def question(self, bundle: Bundle, _spec: object) -> Question[Finding]:
        if bundle.item == "bad":
            raise ValueError("no picture")
        words = [bundle.item] * len(bundle.item)
        return Question(words, lambda lengths: [finding(f"{bundle.item}:{lengths}")])

    def answers(self, inputs: Sequence[str]) -> list[int]:
        self.shown.append(list(inputs))
        if "broken" in inputs:
            raise JoineryError("out of memory")
        return [len(word) for word in inputs]


def asked(batch: Batch, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[Lengths, Attempt]:
    model = Lengths()
    monkeypatch.setattr(worker, "stage_named", lambda _name: replace(TOY, model=lambda _spec: model))
    monkeypatch.setattr(worker, "LOADED_AT_ONCE", 2)
    items = tuple(WorkItem(name, f"key-{name}", {}, "", None) for name in names)
    return model, run_batch(replace(batch, items=items))


def test_items_share_a_models_batches_and_get_their_own_answers(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    model, attempt = asked(batch, monkeypatch, "a", "bad", "bb", "c", "dd", "e")
    assert model.shown == [["a", "bb", "bb"], ["c", "dd", "dd"], ["e"]]
    assert [done.item for done in attempt.done] == ["a", "bb", "c", "dd", "e"]
    assert [(failure.item, failure.message) for failure in attempt.failures] == [("bad", "no picture")]
    batch.workspace.commit([attempt])
    written = batch.workspace.read(Finding, [done.attempt for done in attempt.done])
    assert [row.subject for rows in written.values() for row in rows] == [
        "a:[1]", "bb:[2, 2]", "c:[1]", "dd:[2, 2]", "e:[1]",
    ]  # fmt: skip


def test_what_a_model_cannot_do_is_no_items_fault(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JoineryError, match="out of memory"):
        asked(batch, monkeypatch, "a", "broken")


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_service_that_is_down_ends_the_run_and_is_no_items_fault(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    def run(bundle: Bundle, _spec: object) -> list[object]:
        if bundle.item != "a":
            raise ServiceError("nothing answers")
        return [finding("a")]

    monkeypatch.setattr(worker, "stage_named", lambda _name: replace(TOY, run=run, at_once=lambda _spec: at_once))
    attempt = run_batch(batch)
    assert attempt.stopped == "nothing answers"
    assert [done.item for done in attempt.done] == ["a"], "what was done before is kept"
    assert attempt.failures == ()


CALL = ModelCall("", "", "tree", "ev-1", "m@1", "key", CallOutcome.ANSWERED, 100, 20, 1, 0.5)


def test_a_content_keyed_stage_is_known_downstream_by_what_it_wrote(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "stage_named", lambda _name: replace(TOY, content_keyed=True))
    first, second = run_batch(batch).done, run_batch(batch).done
    assert [done.output_key for done in first] == [done.output_key for done in second]
    assert first[0].output_key != first[0].work_key
    assert first[0].output_key != first[1].output_key


def test_numeric_libraries_run_on_one_thread_and_are_restored() -> None:
    cv2.setNumThreads(2)
    with one_thread():
        assert cv2.getNumThreads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    assert cv2.getNumThreads() == 2
    cv2.setNumThreads(1)


def test_an_unknown_stage_names_those_there_are() -> None:
    with pytest.raises(KeyError, match="no stage 'nothing'; there are \\['ingest'"):
        stage_named("nothing")
    assert stage_named("cut") is RIVER[[stage.name for stage in RIVER].index("cut")]
