"""Batches done by a real Ray: each is answered under its number, and one that kills its workers costs no other."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest
import ray

from jobs.ray_pools import ActorPool, Pool, TaskPool, answers
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe


@pytest.fixture(scope="module")
def one_cpu() -> Iterator[None]:
    """A Ray that does one thing at a time."""
    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def batch(load: Callable[..., LoadedRecipe]) -> Callable[[str], Batch]:
    """A batch of a stage, with nothing in it."""
    recipe = load().recipe
    workspace = Workspace.open(recipe.workspace.url)
    return lambda stage: Batch(workspace, recipe, "run-1", stage, ())


class Calls:
    """What calls something where it is unpickled, in the worker."""

    def __init__(self, call: Callable[..., Any], *given: Any) -> None:
        self._called = (call, given)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._called


def pickled(batches: dict[int, Any]) -> Iterator[tuple[int, bytes]]:
    return ((number, cloudpickle.dumps(batch)) for number, batch in batches.items())


def refused() -> None:
    raise JoineryError("not like this")


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param(lambda: TaskPool(3), id="tasks"),
        pytest.param(lambda: ActorPool(2, 0.0), id="actors", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("one_cpu")
def test_every_batch_is_answered_but_the_one_that_kills_its_workers(
    pool: Callable[[], Pool], batch: Callable[[str], Batch]
) -> None:
    """The two actors share a CPU: the second one starts when the first one has no more to do, and leaves."""
    handed = {
        10: batch("align"),
        11: Calls(os._exit, 1),
        12: Calls(int, "no number"),
        13: Calls(refused),
        14: batch("vote"),
    }
    came = list(answers(pickled(handed), pool()))
    assert sorted(number for number, _ in came) == sorted(handed)
    found = {number: cloudpickle.loads(answer) for number, answer in came if answer is not None}
    assert {number: type(answer) for number, answer in found.items()} == {10: Attempt, 13: JoineryError, 14: Attempt}


@pytest.mark.usefixtures("one_cpu")
def test_a_pool_is_gone_when_the_last_answer_is_there(batch: Callable[[str], Batch]) -> None:
    """The next stage needs the CPUs."""
    two = pickled({1: batch("align"), 2: batch("align")})
    assert {answer is None for _, answer in answers(two, ActorPool(2, 0.0))} == {False}
    assert {answer is None for _, answer in answers(pickled({3: batch("vote")}), TaskPool(1))} == {False}
