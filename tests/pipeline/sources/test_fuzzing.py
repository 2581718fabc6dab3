"""The fuzzer notices what it is there to notice."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.sources.fuzzing import ROOT, Tally, judged, touched, write_canaries
from tests.pipeline.sources.mutations.damage import FILLED, Damage

WHOLE = {
    "read": {
        "d0": {"locator": "a.hdf5#demo_0", "files": ["a.hdf5"]},
        "d1": {"locator": "a.hdf5#demo_1", "files": ["a.hdf5"]},
        "d2": {"locator": "b/store episode 0", "files": ["b/store"]},
    }
}
FINE = {
    "read": dict(WHOLE["read"]), "refused": [], "findings": 0, "unsound": [], "raised": "", "did": [], "cpu_s": 0.1,
    "peak_bytes": 1,
}  # fmt: skip


def problems(done: Damage, root: Path, **found: Any) -> list[str]:
    return list(judged({**FINE, **found}, [done], WHOLE, root / "spoilt", root / "whole", Tally()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in ("spoilt", "whole"):
        (tmp_path / place / "b/store").mkdir(parents=True)
        (tmp_path / place / "a.hdf5").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"raised": "KeyError: 'x'"}, "raised KeyError"),
        ({"did": ["opened /x"]}, "did"),
        ({"cpu_s": 10.1}, "took 10.1 s"),
        ({"peak_bytes": 3 << 30}, "took 3072 MiB"),
        ({"unsound": ["a.hdf5: infinite"]}, "infinite"),
        ({"refused": ["something is wrong"]}, "names no file"),
        ({"refused": [f"a.hdf5 says {FILLED}"]}, "tells what a file outside holds"),
        ({"refused": ["a.hdf5 says \ud800"]}, "cannot be stored"),
    ],
)
def test_what_no_reader_may_do_is_said(found: dict[str, Any], said: str, root: Path) -> None:
    (problem,) = problems(Damage("x", "a.hdf5"), root, **found)
    assert said in problem
    assert problems(Damage("x", "a.hdf5"), root) == []


@pytest.mark.parametrize(
    ("done", "lost"),
    [
        (Damage("x", "a.hdf5"), ["b/store episode 0"]),
        (Damage("x", "a.hdf5", "/data/demo_0/obs/"), ["a.hdf5#demo_1", "b/store episode 0"]),
        (Damage("x", "b/store/0.0"), ["a.hdf5#demo_0", "a.hdf5#demo_1"]),
        (Damage("x", None), ["a.hdf5#demo_0", "a.hdf5#demo_1", "b/store episode 0"]),
        (Damage("x", "meta.json"), []),
    ],
)
def test_an_episode_of_which_nothing_was_touched_may_not_be_lost(done: Damage, lost: list[str], root: Path) -> None:
    said = problems(done, root, read={})
    assert [line.split(", of which")[0].removeprefix("lost ") for line in said] == lost


def test_a_crash_is_a_problem(root: Path) -> None:
    found = list(judged("crashed with exit code -11", [], WHOLE, root / "spoilt", root / "whole", Tally()))
    assert found == ["crashed with exit code -11"]


def test_a_canary_that_is_read_is_noticed(tmp_path: Path) -> None:
    if os.statvfs(tmp_path).f_flag & os.ST_NOATIME:
        pytest.skip("this file system does not say when a file was read; what opens it in Python is seen all the same")
    write_canaries(tmp_path / "canary")
    assert touched(tmp_path / "canary") == []
    (tmp_path / "canary/a.h5").read_bytes()
    assert touched(tmp_path / "canary") == [str(tmp_path / "canary/a.h5")]
    assert touched(tmp_path / "canary") == []
    (tmp_path / "canary/made").touch()
    assert touched(tmp_path / "canary") == [str(tmp_path / "canary/made")]


def test_the_watch_sees_writing_reading_elsewhere_running_and_unpickling(tmp_path: Path) -> None:
    """In a process of its own: an audit hook cannot be taken back."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/fine.txt").write_text("x")
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "source/out.txt").symlink_to("../secret.txt")
    code = f"""
import json, os, pickle, subprocess, sys, sysconfig
from pathlib import Path
from tests.pipeline.sources.fuzz_worker import Watch
watch = Watch((sysconfig.get_paths()["stdlib"], sys.prefix), "/nowhere-to-write/")
watch.source = {str(tmp_path / "source")!r}
seen = []
def after(act):
    watch.seen.clear()
    act()
    seen.append(sorted({{line.split()[0] for line in watch.seen}}))
root = Path({str(tmp_path)!r})
after(lambda: (root / "source/fine.txt").read_text())
after(lambda: (root / "secret.txt").read_text())
after(lambda: (root / "source/out.txt").read_text())
after(lambda: (root / "source/made.txt").write_text("x"))
after(lambda: (root / "source/made.txt").unlink())
after(lambda: subprocess.run(["true"]))
after(lambda: pickle.loads(b"cos\\nsystem\\n."))
after(lambda: exec(compile("1", str(root / "source/x.py"), "exec")))
print(json.dumps(seen))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ}, capture_output=True, text=True, check=True)
    fine, secret, link, wrote, removed, ran, unpickled, executed = json.loads(done.stdout.splitlines()[-1])
    assert fine == []
    assert (secret, link) == (["opened"], ["opened"])
    assert wrote == ["wrote"]
    assert removed == ["os.remove"]
    assert "subprocess.Popen" in ran
    assert "pickle.find_class" in unpickled
    assert executed == ["exec"]
