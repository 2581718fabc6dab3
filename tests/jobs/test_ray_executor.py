"""The ray executor owns its session, and gives stages that hold a model actors of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
import torch

from clustering.encoders import encoder_of
from jobs.placement import Placement
from jobs.ray_executor import RayExecutor
from jobs.run import RunResult, run_recipe
from jobs.worker import Batch
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from pipeline.work_item import WorkItem
from schemas.recipe import OpenClipEncoder
from schemas.recipe_file import LoadedRecipe
from tests.jobs.runs import Silent, done, shard_bytes

Load = Callable[..., LoadedRecipe]


def test_a_cluster_nobody_asked_for_is_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ray start` leaves its address where `ray.init` looks, also when it is long dead."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    executor = RayExecutor(None, 1)
    try:
        assert [node["Resources"]["CPU"] for node in ray.nodes()] == [1.0]
    finally:
        executor.close()


def test_a_machine_that_cannot_be_reached_is_given_up_after_minutes_not_seven() -> None:
    program = "import jobs; from ray._raylet import Config; print(Config.grpc_client_keepalive_time_ms())"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "30000"


@pytest.mark.parametrize("before", ["", pytest.param("RayExecutor(None, 1).close()", marks=pytest.mark.slow)])
def test_only_an_executor_starts_ray(before: str) -> None:
    """A thread may outlive a shutdown; a call of its must not start a cluster that dies with the thread."""
    program = f"""
from jobs.ray_executor import RayExecutor
import ray

{before}
try:
    ray.put(1)
except ray.exceptions.RaySystemError:
    print("refused", ray.is_initialized())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["refused", "False"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A real cluster that stays up between runs. Its GPU is a number only: nothing here computes on one."""
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def encoder(checkpoint: Path, device: str = "cpu") -> str:
    keys = f"encoder: open_clip, model: ViT-S-32-alt, checkpoint: {checkpoint}, device: {device}, batch: 8"
    return f"embed.vision_language={{{keys}}}"


def weights(file: Path, seed: int) -> Path:
    spec = OpenClipEncoder(encoder="open_clip", model="ViT-S-32-alt", seed=seed, device="cpu")
    torch.save(encoder_of(spec)._model.state_dict(), file)  # type: ignore[attr-defined]  # the protocol hides it
    return file


def pools_of_actors() -> int:
    """How many actors for batches this cluster has ever started."""
    return sum(actor["ActorClassName"] == "BatchActor" for actor in ray._private.state.actors().values())


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_stage_with_a_model_runs_on_actors_and_makes_the_same_bytes(
    reference: tuple[RunResult, LoadedRecipe], load: Load, tmp_path: Path
) -> None:
    """Upstream of embed is taken from the reference run, so only what a model changes is done."""
    first, other = weights(tmp_path / "first.pt", 1), weights(tmp_path / "other.pt", 2)
    found = {}
    for name, executor in {"inline": ["inline"], "one": ["ray", 1], "two": ["ray", 2]}.items():
        shutil.copytree(reference[1].recipe.workspace.url, tmp_path / name)
        said = [f"workspace.url={tmp_path / name}", f"run.executor={executor[0]}"]
        said += [f"run.workers={count}" for count in executor[1:]]
        before = pools_of_actors()
        result = run_recipe(load(encoder(first), *said), Silent())
        assert pools_of_actors() - before == (0 if name == "inline" else executor[1])
        assert done(result)["ingest"] == done(result)["caption"] == 0 < done(result)["embed"]
        assert result.succeeded
        found[name] = shard_bytes(tmp_path / name)
    assert found["inline"] == found["one"] == found["two"]

    again = done(run_recipe(load(encoder(first), *said), Silent()))
    assert set(again.values()) == {0}
    first.rename(tmp_path / "moved.pt")
    assert done(run_recipe(load(encoder(tmp_path / "moved.pt"), *said), Silent()))["embed"] == 0
    swapped = done(run_recipe(load(encoder(other), *said), Silent()))
    assert swapped["embed"] == done(result)["embed"]
    assert swapped["caption"] == 0


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_actors_share_the_gpus_a_cluster_says_it_has(load: Load) -> None:
    executor = RayExecutor(None, None)
    assert [executor.n_workers(Placement(1, holds_model=True, gpus=gpus)) for gpus in (2, 1, 0.5, 1 / 3)] == [
        0,
        1,
        2,
        3,
    ]
    recipe = load(encoder(Path("x"), "cuda").replace("checkpoint: x, ", ""), "run.executor=ray").recipe
    workspace = Workspace.open(recipe.workspace.url)
    batches = [Batch(workspace, recipe, "run-1", "embed", ()) for _ in range(3)]
    with pytest.raises(JoineryError, match=r"device: found cuda, but torch .* finds no GPU here"):
        list(executor.execute(iter(batches), Placement(1, holds_model=True, gpus=0.5)))


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_more_gpu_than_any_machine_has_is_told_before_any_stage_runs(load: Load) -> None:
    asked = load(encoder(Path("x"), "cuda").replace("checkpoint: x, ", ""), "run.executor=ray", "run.gpu_share=2")
    with pytest.raises(JoineryError, match=r"stage embed: .* 2 GPU per process .* no machine of the ray executor"):
        run_recipe(asked, Silent())


class Deadly(Batch):
    """What ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Callable[[int], None], tuple[int]]:
        return os._exit, (3,)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_too_many_dead_workers_are_looked_into_before_the_rest_is_done(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is too many here; what comes after it is done all the same."""
    monkeypatch.setattr("jobs.ray_executor.MOST_LOST", 1)
    monkeypatch.setattr("jobs.ray_pools.AHEAD", 1)
    recipe = load().recipe
    workspace = Workspace.open(recipe.workspace.url)
    item = WorkItem("killer", "key", {}, "", None, None)
    deadly = Deadly(workspace, recipe, "run-1", "align", (item,))
    others = [Batch(workspace, recipe, "run-1", "align", ()) for _ in range(5)]
    attempts = list(RayExecutor(None, 1).execute(iter([deadly, *others]), Placement(1)))
    failed = [number for number, attempt in enumerate(attempts) if attempt.failures]
    assert len(attempts) == 6
    assert len(failed) == 1
    assert failed[0] < 5
    assert [failure.error for failure in attempts[failed[0]].failures] == ["WorkerDied"]


def test_a_run_that_ends_before_its_work_leaves_ray_without_a_crash(load: Load) -> None:
    """As when the disk is full, or somebody presses Ctrl-C: nobody may wait for Ray when it is shut down."""
    program = """
import sys, threading
from jobs.placement import Placement
from jobs.ray_executor import RayExecutor
from jobs.worker import Batch
from pipeline.store import Workspace
from schemas.recipe_file import load_recipe
from pathlib import Path

recipe = load_recipe(Path(sys.argv[1])).recipe
batches = [Batch(Workspace.open(recipe.workspace.url), recipe, "run-1", "align", ()) for _ in range(200)]
executor = RayExecutor(None, 1)
attempts = executor.execute(iter(batches), Placement(1))
next(attempts)
attempts.close()
print([thread.name for thread in threading.enumerate() if thread.name == "joinery-watched"])
executor.close()
"""
    file = str(load().path)
    done = subprocess.run(
        [sys.executable, "-c", program, file], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"
