"""A process that dies says how, and takes nobody along."""

import signal
import sys
from pathlib import Path

import cloudpickle
import psutil  # type: ignore[import-untyped]
import pytest

from jobs.alone import Death, machine_bytes, run_alone
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from pipeline.work_item import WorkItem
from schemas.recipe import Recipe


class Trap:
    """What goes off where it is unpickled: inside the process, before there is any batch."""

    def __init__(self, program: str) -> None:
        self._program = program

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (self._program,)


def sprung(program: str, memory_bytes: int | None = None) -> Attempt | JoineryError | Death:
    return run_alone(cloudpickle.dumps(Trap(program)), memory_bytes)


def test_a_crash_is_told_by_its_signal_with_the_stack_it_died_with() -> None:
    found = sprung("import ctypes; ctypes.string_at(0)")
    assert isinstance(found, Death)
    assert (found.how, found.own_doing) == ("killed by SIGSEGV", True)
    assert "Segmentation fault" in found.said
    assert "jobs/alone.py" in found.said, "the stack says where"


def test_a_process_that_ends_itself_has_died_too() -> None:
    found = sprung("import os; os._exit(3)")
    assert isinstance(found, Death)
    assert (found.how, found.own_doing) == ("ended by itself with status 3", True)


def test_sigkill_comes_from_outside() -> None:
    found = sprung("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert isinstance(found, Death)
    assert (found.how, found.own_doing) == (f"killed by {signal.Signals.SIGKILL.name}", False)


def test_what_takes_too_much_memory_is_ended_before_others_are() -> None:
    found = sprung("import time; taken = bytearray(600 << 20); time.sleep(60)", memory_bytes=400 << 20)
    assert isinstance(found, Death)
    assert found.own_doing
    assert found.how.startswith("out of memory: it took 0.")
    assert found.peak_bytes > 400 << 20


def test_an_exception_is_no_death() -> None:
    found = sprung("raise LookupError('a bug of ours')")
    assert isinstance(found, JoineryError)
    assert "LookupError: a bug of ours" in str(found)


def test_a_batch_is_done_as_any_worker_does_it(tmp_path: Path) -> None:
    source = {"format": "video_folder", "name": "s", "path": str(tmp_path), "card": {"licence": "CC0"}}
    recipe = Recipe.model_validate({"joinery": 1, "workspace": {"url": str(tmp_path)}, "sources": [source]})
    items = (WorkItem("ep-1", "key", {}, "", None),)
    found = run_alone(cloudpickle.dumps(Batch(Workspace.open(str(tmp_path)), recipe, "run", "ingest", items)))
    assert isinstance(found, Attempt)
    assert [(failure.item, failure.error) for failure in found.failures] == [("ep-1", "ValueError")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads cgroups")
def test_a_machine_has_no_more_memory_than_it_has() -> None:
    assert 0 < machine_bytes() <= psutil.virtual_memory().total
