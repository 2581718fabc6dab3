"""Folders of decoding processes are removed once nobody uses them, and not before."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pipeline.sandbox.scratch import remove_left, scratch_folder

OWNER = """
import os, time
from pathlib import Path
from pipeline.sandbox.scratch import scratch_folder
with scratch_folder() as folder:
    Path(folder, "unpacked").write_bytes(b"x")
    child = os.fork()
    if child:
        print(folder, child, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_is_gone_at_the_end() -> None:
    with scratch_folder() as folder:
        Path(folder, "unpacked").write_bytes(b"x")
    assert not Path(folder).exists()


def test_what_a_killed_process_left_is_removed_once_its_child_is_gone_too(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}, text=True
    )
    assert owner.stdout is not None
    folder, child = owner.stdout.readline().split()
    assert remove_left() == 0
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert remove_left() == 0
    assert Path(folder, "unpacked").exists()
    os.kill(int(child), signal.SIGKILL)
    assert _until_removed() == 1
    assert not list(tmp_path.iterdir())


def _until_removed() -> int:
    """The child is nobody's, so its end cannot be waited for."""
    deadline = time.monotonic() + 60
    while not (n := remove_left()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return n


def test_another_users_names_and_links_are_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "joinery-decoding-link").symlink_to(elsewhere)
    (tmp_path / "joinery-decoding-file").write_text("x")
    assert remove_left() == 0
    assert elsewhere.is_dir()
