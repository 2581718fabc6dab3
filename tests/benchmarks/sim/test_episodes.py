"""The simulators themselves: the same command makes the same rows and truth, whatever else is made beside them."""

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.sim.episodes import make
from benchmarks.sim.recordings import Measurement
from benchmarks.sim.tasks import DEVELOPMENT
from pipeline.errors import JoineryError
from tests.test_repository import ROOT

PYTHON = ROOT / ".venv-sim" / "bin" / "python"


def in_simulators(out: Path, *arguments: str) -> None:
    command = [str(PYTHON), "-m", "benchmarks.sim", str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ})
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(JoineryError, match="is not empty"):
        make(tmp_path, [DEVELOPMENT["push"]], [0], Measurement(), 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_both_simulators_make_the_same_episodes_twice(tmp_path: Path) -> None:
    if not PYTHON.is_file():
        pytest.skip("the simulators have no environment here: run `make sim`")
    in_simulators(tmp_path / "a", "--tasks", "pick-place,Lift", "--seeds", "2,3", "--no-pictures")
    in_simulators(tmp_path / "b", "--tasks", "Lift,pick-place", "--seeds", "3", "--size", "64", "--jobs", "1")
    truths = [json.loads((tmp_path / name / "truth.json").read_text(encoding="utf-8")) for name in ("a", "b")]
    both, again = ({(e["source"], e["locator"]): e for e in truth["episodes"]} for truth in truths)
    assert len(both) == 4
    assert again == {key: both[key] for key in again}
    for source, locator in again:
        rows = [pq.read_table(tmp_path / name / source / locator / "rows.parquet") for name in ("a", "b")]
        assert rows[0].equals(rows[1])
        kinds = {boundary["kind"] for boundary in again[source, locator]["boundaries"]}
        assert {"grasp", "lift", "support", "release", "retreat"} <= kinds
