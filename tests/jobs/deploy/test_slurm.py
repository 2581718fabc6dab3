"""The batch script on a real Slurm of two nodes: cancelled midway, submitted again, nothing left behind."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from jobs.vllm.server import free_port
from tests.jobs.conftest import BUDGET, write_recipe
from tests.jobs.runs import done_of_told, shard_bytes

SCRIPT = Path(__file__).resolve().parents[3] / "jobs" / "deploy" / "slurm" / "joinery.sbatch"
WAIT_S = 400.0
MIDWAY = "segment "
"""Once this has been told of, the job is cancelled: much is done, and much is not."""
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
KillWait=20
NodeName=n1 NodeAddr=127.0.0.1 NodeHostname={host} Port={first}
NodeName=n2 NodeAddr=127.0.0.1 NodeHostname={host} Port={second}
PartitionName=all Nodes=n1,n2 Default=YES State=UP
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_job_that_was_cancelled_is_submitted_again_and_publishes_the_same_bytes(
    tmp_path: Path, corpus: Path, reference_bytes: dict[str, str]
) -> None:
    if not shutil.which("slurmctld") or os.geteuid() != 0:
        pytest.skip("needs Slurm's daemons (Debian: slurm-wlm) and root")
    write_recipe(tmp_path / "recipe.yaml", corpus, tmp_path / "workspace")
    with _slurm(tmp_path / "slurm") as environment:
        first = _submit(tmp_path, environment)
        _until(lambda: MIDWAY in _told(tmp_path, first), lambda: _told(tmp_path, first))
        _slurm_command(environment, "scancel", first)
        _until(lambda: not _slurm_command(environment, "squeue", "--noheader"), lambda: _told(tmp_path, first))
        second = _submit(tmp_path, environment)
        _until(lambda: not _slurm_command(environment, "squeue", "--noheader"), lambda: _told(tmp_path, second))
        assert "JobState=COMPLETED" in _slurm_command(environment, "scontrol", "show", "job", second)
    said = _told(tmp_path, second)
    assert done_of_told(said, "ingest") == 0, said
    assert done_of_told(said, "publish") == 1, said
    assert shard_bytes(tmp_path / "workspace") == reference_bytes
    assert not _left(tmp_path), "the job has left processes"


def _submit(folder: Path, environment: Mapping[str, str]) -> str:
    """The job's number."""
    words = ["--parsable", "--nodes=2", "--cpus-per-task=1", f"--chdir={folder}", f"--output={folder}/%j.out"]
    return _slurm_command(environment, "sbatch", *words, str(SCRIPT), "recipe.yaml", "--set", BUDGET).strip()


def _told(folder: Path, job: str) -> str:
    file = folder / f"{job}.out"
    return file.read_text("utf-8", "replace") if file.exists() else ""


@contextmanager
def _slurm(folder: Path) -> Iterator[dict[str, str]]:
    """What commands of Slurm have to find in the environment, while its daemons run."""
    for name in ("state", "spool-n1", "spool-n2", "home"):
        (folder / name).mkdir(parents=True)
    file = folder / "slurm.conf"
    ports = {name: free_port("127.0.0.1") for name in ("control", "first", "second")}
    file.write_text(CONFIGURATION.format(host=socket.gethostname().partition(".")[0], folder=folder, **ports), "utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "SLURM_CONF": str(file), "PATH": path, "HOME": str(folder / "home")}
    environment.pop("RAY_AUTH_MODE", None)
    daemons = [["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]]
    with (folder / "daemons.log").open("wb") as log:
        started = [
            subprocess.Popen([*words, "-f", str(file)], env=environment, stdout=log, stderr=log) for words in daemons
        ]
    try:
        _until(
            lambda: _slurm_command(environment, "sinfo", "--noheader", "--format=%D %t") == "2 idle\n",
            lambda: (folder / "daemons.log").read_text("utf-8"),
        )
        yield environment
    finally:
        for daemon in started:
            daemon.terminate()
        for daemon in started:
            daemon.wait(60)


def _slurm_command(environment: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(words, check=False, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0 or words[0] == "sinfo", done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8")


def _left(folder: Path) -> list[list[str]]:
    """Processes that were started with the home folder of this test's jobs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(folder / "slurm" / "home"):
                found.append(process.cmdline())
        except psutil.Error:  # it has ended, or is not ours
            continue
    return found


def _until(there: Callable[[], bool], said: Callable[[], str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not there():
        assert time.monotonic() < deadline, said()
        time.sleep(0.5)
