"""Killed at any step and repeated, a takedown comes to the same end; and it never meets a run or another takedown."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jobs.forget import Wish, forget
from jobs.run import RunResult, run_recipe
from pipeline.at_work import FOLDER, Deed, at_work
from pipeline.errors import StoreError
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe
from schemas.takedown import pending_path, takedown_path
from tests.jobs.runs import Silent, shard_bytes
from tests.jobs.test_forget import AT, named

NEVER = -1
ROUNDS = 6
KILLED_AFTER = """
import os, signal, sys
import jobs.forget
from pipeline.store import Workspace
steps = jobs.forget.steps
def killing(*of):
    for n, step in enumerate(steps(*of)):
        if n == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield step
jobs.forget.steps = killing
jobs.forget.forget(Workspace.existing(sys.argv[1]), jobs.forget.Wish((sys.argv[2],), sys.argv[4]))
"""


@pytest.fixture
def copies(reference: tuple[RunResult, LoadedRecipe], tmp_path: Path) -> tuple[Workspace, Workspace]:
    """The reference run's workspace twice."""
    for name in ("killed", "left_alone"):
        shutil.copytree(reference[1].recipe.workspace.url, tmp_path / name)
    return Workspace.existing(str(tmp_path / "killed")), Workspace.existing(str(tmp_path / "left_alone"))


def state(workspace: Workspace) -> dict[str, object]:
    """Everything a takedown leaves: shard sets and the list to the byte, tables row by row."""
    found: dict[str, object] = dict(shard_bytes(Path(workspace.url)))
    for path in workspace.blobs.list("forgotten"):
        found[path] = json.loads(workspace.blobs.read(path))
    for name in workspace.tables():
        columns = [c for c in workspace.columns(name).names if c in ("work_key", "attempt", "episode_id", "item")]
        rows = workspace.scan_table(name, columns).read_all().to_pylist() if columns else []
        found[name] = sorted(json.dumps(row) for row in rows)
    found["blobs"] = workspace.blobs.list("tars") + workspace.blobs.list("manifests")
    return found


def begun(workspace: Workspace, episode: str, after: int) -> subprocess.Popen[str]:
    """A takedown in a process of its own, which kills itself before a step; before none that is not there."""
    command = [sys.executable, "-c", KILLED_AFTER, workspace.url, episode, str(after), AT]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def was_killed(process: subprocess.Popen[str]) -> bool:
    """Whether a takedown was, and did not end by itself."""
    _, said = process.communicate(timeout=600)
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


def until_at_work(workspace: Workspace, process: subprocess.Popen[str]) -> None:
    while process.poll() is None and not any(f'"pid": {process.pid}' in mark for mark in marks(workspace)):
        time.sleep(0.01)


def marks(workspace: Workspace) -> list[str]:
    """What those at work have written down; one may end while we look."""
    return [workspace.blobs.read(path).decode() for path in workspace.blobs.list(FOLDER)]


def test_killed_in_the_middle_of_removal_it_comes_to_the_same(copies: tuple[Workspace, Workspace]) -> None:
    one, other = copies
    episode = named(one, "teleop")
    assert was_killed(begun(one, episode, 3))
    with pytest.raises(AssertionError):
        assert state(one) == state(other)
    assert forget(one, Wish((episode,), "later")).proven
    assert forget(other, Wish((episode,), AT)).proven
    assert state(one) == state(other)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_every_third_step_one_after_the_other_it_comes_to_the_same(
    copies: tuple[Workspace, Workspace],
) -> None:
    one, other = copies
    episode, after = named(one, "teleop"), 0
    while was_killed(begun(one, episode, after)):
        after += 3
    assert after > 30, "there are some sixty steps"
    assert forget(other, Wish((episode,), AT)).proven
    assert state(one) == state(other)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_again_and_again_at_random_moments_it_comes_to_the_same(
    copies: tuple[Workspace, Workspace], tmp_path: Path
) -> None:
    one, other = copies
    episode, rng = named(one, "teleop"), random.Random(3)
    undisturbed = begun(other, episode, NEVER)
    until_at_work(other, undisturbed)
    since = time.monotonic()
    assert not was_killed(undisturbed)
    lasted, n_killed = time.monotonic() - since, 0
    for turn in range(ROUNDS):
        again = Workspace.existing(shutil.copytree(one.url, str(tmp_path / str(turn))))
        for nth in range(4):  # what is done already makes the next attempt shorter
            process = begun(again, episode, NEVER)
            until_at_work(again, process)
            time.sleep(rng.uniform(0, lasted / 2**nth))
            process.send_signal(signal.SIGKILL)
            n_killed += was_killed(process)
            if again.blobs.exists(takedown_path(episode)) and not again.blobs.exists(pending_path(episode)):
                break  # done, whether it still lived or not; asked once more it would only search for less
        else:
            assert forget(again, Wish((episode,), AT)).proven
        assert state(again) == state(other), turn
    assert n_killed > ROUNDS


def test_it_does_not_meet_a_run_or_another(
    reference: tuple[RunResult, LoadedRecipe], copies: tuple[Workspace, Workspace]
) -> None:
    workspace, _ = copies
    episode = named(workspace, "teleop")
    for deed in (Deed.RUN, Deed.FORGET):
        with at_work(workspace.blobs, deed), pytest.raises(StoreError, match=f"`joinery {deed}` is at work"):
            forget(workspace, Wish((episode,), AT))
    recipe = reference[1].recipe
    moved = recipe.model_copy(update={"workspace": recipe.workspace.model_copy(update={"url": workspace.url})})
    loaded = LoadedRecipe(**{**vars(reference[1]), "recipe": moved})
    with at_work(workspace.blobs, Deed.FORGET), pytest.raises(StoreError, match="`joinery forget` is at work"):
        run_recipe(loaded, Silent())
