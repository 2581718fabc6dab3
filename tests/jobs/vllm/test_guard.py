"""Nothing a run started outlives it, however the run ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.vllm import guard

FAMILY = """
import pathlib, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(0.2 if "ends" in sys.argv else 60)
"""
"""A server with an engine process of its own, as vLLM has."""


class Guarded:
    """A guard with a family under it."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.file = folder / "engine"
        command = [sys.executable, guard.__file__, sys.executable, "-c", FAMILY, str(self.file), *words]
        self.guard = subprocess.Popen(command, stdin=subprocess.PIPE)
        wait(self.file.exists)
        wait(lambda: self.file.read_text() != "")
        self.engine = int(self.file.read_text())


def wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has collected yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    family = Guarded(tmp_path)
    yield family
    family.guard.kill()


def test_a_closed_pipe_ends_the_server_and_its_engine(guarded: Guarded) -> None:
    assert not gone(guarded.engine)
    assert guarded.guard.stdin is not None
    guarded.guard.stdin.close()
    guarded.guard.wait(10)
    assert gone(guarded.engine)


def test_a_server_that_ends_takes_its_engine_along(tmp_path: Path) -> None:
    family = Guarded(tmp_path, "ends")
    assert family.guard.wait(10) == 0
    wait(lambda: gone(family.engine))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_guard_that_is_told_to_end_ends_everything(guarded: Guarded, how: signal.Signals) -> None:
    guarded.guard.send_signal(how)
    guarded.guard.wait(10)
    wait(lambda: gone(guarded.engine))


def test_a_server_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "GRACE_S", 0.3)
    file = tmp_path / "engine"
    line = [sys.executable, "-c", FAMILY, str(file), "stubborn"]
    child = subprocess.Popen(line, start_new_session=True)
    wait(lambda: file.exists() and file.read_text() != "")
    guard.end_session(child)
    assert child.returncode == -signal.SIGKILL
    wait(lambda: gone(int(file.read_text())))


def test_the_run_killed_outright_leaves_nothing(tmp_path: Path) -> None:
    """The run is a process that holds the pipe; SIGKILL lets it tidy up nothing."""
    file = tmp_path / "engine"
    run = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, {guard.__file__!r}, sys.executable, "-c", {FAMILY!r}, {str(file)!r}],
    stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", run])
    wait(lambda: file.exists() and file.read_text() != "")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait(lambda: gone(int(file.read_text())))
