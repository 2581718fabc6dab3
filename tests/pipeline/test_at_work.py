"""A takedown is alone in a workspace; the dead hold nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import at_work as module
from pipeline.at_work import Deed, at_work
from pipeline.blobs import Blobs
from pipeline.errors import StoreError


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path))


def test_runs_may_be_beside_each_other(blobs: Blobs) -> None:
    with at_work(blobs, Deed.RUN), at_work(blobs, Deed.RUN):
        assert len(blobs.list("at_work")) == 2
    assert blobs.list("at_work") == []


@pytest.mark.parametrize(
    ("first", "second"), [(Deed.RUN, Deed.FORGET), (Deed.FORGET, Deed.RUN), (Deed.FORGET, Deed.FORGET)]
)
def test_a_takedown_meets_nobody(blobs: Blobs, first: Deed, second: Deed) -> None:
    with at_work(blobs, first):
        with pytest.raises(StoreError, match=f"`joinery {first}` is at work"), at_work(blobs, second):
            pass
        assert len(blobs.list("at_work")) == 1, "who was refused has left nothing"
    with at_work(blobs, second):
        pass


def test_a_process_that_was_killed_holds_nothing(blobs: Blobs) -> None:
    code = (
        "import os, signal, sys\n"
        "from pipeline.at_work import Deed, at_work\n"
        "from pipeline.blobs import Blobs\n"
        "with at_work(Blobs(sys.argv[1]), Deed.RUN):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, blobs.url], check=False)
    assert len(blobs.list("at_work")) == 1
    with at_work(blobs, Deed.FORGET):
        assert len(blobs.list("at_work")) == 1


def test_of_another_machine_nobody_can_tell(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"deed": "run", "host": "elsewhere", "pid": 1, "began": "7"}
    blobs.put_bytes("at_work/run-1.json", json.dumps(there).encode())
    with (
        pytest.raises(StoreError, match=r"or remove .*run-1\.json if that process is gone"),
        at_work(blobs, Deed.FORGET),
    ):
        pass
    monkeypatch.setattr(module.socket, "gethostname", lambda: "elsewhere")
    with at_work(blobs, Deed.FORGET):  # process 1 of this machine began at another time than that one
        pass
