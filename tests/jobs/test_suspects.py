"""The item that kills its process is found among the others, and nobody is blamed for what came from outside."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.alone import Death
from jobs.suspects import DEATHS, without_killers
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import StoreError
from pipeline.store import Workspace
from pipeline.work_item import WorkItem
from schemas.recipe import Recipe
from schemas.run import WorkDone

CRASH = Death("killed by SIGSEGV", own_doing=True, said="Fatal Python error: Segmentation fault")
FROM_OUTSIDE = Death("killed by SIGKILL", own_doing=False, peak_bytes=3 << 30)


def batch_of(n_items: int) -> Batch:
    source = {"format": "video_folder", "name": "s", "path": "/r", "card": {"licence": "CC0"}}
    recipe = Recipe.model_validate({"joinery": 1, "workspace": {"url": "/ws"}, "sources": [source]})
    items = tuple(WorkItem(f"i{n}", f"key-{n}", {}, "", None) for n in range(n_items))
    return Batch(Workspace(str(Path("/ws"))), recipe, "run", "toy", items)


def dying(killers: dict[str, Death], tries: Counter[str], lives_at: int = 10**6) -> Callable[[Batch], Attempt | Death]:
    """A process that dies of the first killer among its items, until that item has been tried so often."""

    def alone(batch: Batch) -> Attempt | Death:
        for item in batch.items:
            tries[item.item] += 1
            if item.item in killers and tries[item.item] < lives_at:
                return killers[item.item]
        done = [WorkDone(item.work_key, "toy", item.item, "a", item.work_key, "run", 0.0) for item in batch.items]
        return Attempt({}, tuple(done), ())

    return alone


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_whoever_kills_is_quarantined_and_all_others_are_done_once(drawn: tuple[int, set[int]]) -> None:
    n, killers = drawn
    alone = dying({f"i{k}": CRASH for k in killers}, Counter())
    attempts = list(without_killers(batch_of(n), alone))
    done = [row.item for attempt in attempts for row in attempt.done]
    blamed = [failure.item for attempt in attempts for failure in attempt.failures]
    assert done == [f"i{k}" for k in range(n) if k not in killers]
    assert blamed == [f"i{k}" for k in sorted(killers)]


def test_why_gets_the_signal_and_the_stack() -> None:
    (attempt,) = without_killers(batch_of(1), dying({"i0": CRASH}, Counter()))
    (failure,) = attempt.failures
    assert (failure.stage, failure.item, failure.work_key, failure.run_id) == ("toy", "i0", "key-0", "run")
    assert failure.error == "WorkerDied"
    assert f"died {DEATHS} times out of {DEATHS}" in failure.message
    assert "killed by SIGSEGV" in failure.message
    assert failure.traceback == CRASH.said


def test_an_item_that_lives_the_third_time_is_done() -> None:
    tries: Counter[str] = Counter()
    (attempt,) = without_killers(batch_of(1), dying({"i0": CRASH}, tries, lives_at=DEATHS))
    assert [row.item for row in attempt.done] == ["i0"]
    assert tries["i0"] == DEATHS


def test_a_process_killed_from_outside_ends_the_run_and_blames_nobody() -> None:
    with pytest.raises(StoreError, match=r"stage toy, i1: .* died 3 times \(killed by SIGKILL\).* taken 3\.0 GiB"):
        list(without_killers(batch_of(2), dying({"i1": FROM_OUTSIDE}, Counter())))
