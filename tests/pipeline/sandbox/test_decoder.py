"""Whatever a file does to the process that reads it, one item pays, and nothing gets out."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import SourceError, StoreError
from pipeline.files import SourceFiles
from pipeline.sandbox.confinement import Allowance, missing_here
from pipeline.sandbox.decoder import Decoder
from pipeline.sandbox.ended import DecoderDiedError, KilledError, ToldError, told_error
from pipeline.sandbox.nursery_process import NurseryProcess
from pipeline.stage import Bundle
from schemas.finding import Finding
from schemas.recipe import IngestSpec
from schemas.recipe_sandbox import GIB, SandboxSpec
from schemas.source import EpisodeRef, SourceFile, SourceKind, make_ref
from tests.pipeline.sandbox.poison import STAGE

CANARY = "sk-canary-0123456789"
confined = pytest.mark.skipif(bool(missing_here()), reason="needs Landlock and libseccomp")


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
        made = Decoder(SandboxSpec(memory_gib=0.25, seconds=1, seconds_per_mib=0.1, disk_gib=0.05))
        yield made
        made.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(CANARY)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"abcdef")
    return folder


def reference(root: Path) -> EpisodeRef:
    metadata = '{"dataset":{},"recipe":{"card":{"consent":"none","licence":"CC0"},"format":"video_folder"}}'
    file = SourceFile("table", "a.bin", "0" * 64, 6)
    return make_ref(source="s", kind=SourceKind.TELEOP, dataset="s", embodiment="e", locator="a.bin", root=str(root),
                    files=(file,), metadata=metadata)  # fmt: skip


def heard(decoder: Decoder, root: Path, deed: str) -> str:
    """What the poisoned stage says last."""
    bundle = Bundle(deed, "key", ref=reference(root), files=SourceFiles(str(root)))
    *_, last = decoder.records(STAGE, bundle, IngestSpec())
    assert isinstance(last, Finding)
    return last.message


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("segfault", "the decoder died with SIGSEGV after "),
        ("abort", "the decoder died with SIGABRT after "),
        ("leave", "the decoder ended with status 3 before it was done"),
        ("loop", "run.sandbox.seconds) after "),
        ("sleep", "exceeded 4 s by the clock (4 × run.sandbox.seconds)"),
        ("memory", "wants more than 0.25 GiB of memory (run.sandbox.memory_gib)"),
        ("many", "wants more than 0.25 GiB of memory (run.sandbox.memory_gib)"),
        ("fill_disk", "exceeded 0.05 GiB of temporary files (run.sandbox.disk_gib)"),
        ("flood", "more than 0.05 GiB of records (run.sandbox.disk_gib)"),
    ],
)
def test_an_item_that_breaks_its_process_says_how_and_the_next_one_is_read(
    decoder: Decoder, root: Path, deed: str, said: str
) -> None:
    with pytest.raises(DecoderDiedError, match="s, a") as died:
        heard(decoder, root, deed)
    assert said in str(died.value)
    assert heard(decoder, root, "read_source") == "cdef"


def test_errors_of_an_item_are_those_it_has_without_a_sandbox(decoder: Decoder, root: Path) -> None:
    with pytest.raises(SourceError, match="is not what it says") as refused:
        heard(decoder, root, "refuse")
    assert str(refused.value) == "a.bin: is not what it says"
    assert "in refuse" in refused.value.__notes__[0], "the place in the code is told"
    with pytest.raises(ToldError, match="a bug") as bug:
        heard(decoder, root, "bug")
    assert bug.value.name == "KeyError"
    with pytest.raises(ToldError, match=r"stage poison wrote \['IngestSpec'\], which it does not declare"):
        heard(decoder, root, "stranger")


@confined
@pytest.mark.parametrize(
    "deed",
    [
        "dial", "resolve", "fork", "run", "execute", "kill_worker", "read_passwords", "read_worker", "write_outside",
        "change_outside", "delete_outside", "read_directly", "reopen_for_writing",
    ],
)  # fmt: skip
def test_nothing_gets_out(decoder: Decoder, root: Path, deed: str) -> None:
    assert heard(decoder, root, deed) == "denied: PermissionError"
    assert sorted(os.listdir(root)) == ["a.bin"]


@confined
def test_no_privilege_is_left_even_to_root(decoder: Decoder, root: Path) -> None:
    assert heard(decoder, root, "privileges") == "CapPrm:=0000000000000000 CapEff:=0000000000000000 NoNewPrivs:=1 " \
        "Seccomp:=2"  # fmt: skip


def test_files_are_the_sources_own(decoder: Decoder, root: Path) -> None:
    assert heard(decoder, root, "read_source") == "cdef"
    with pytest.raises(SourceError, match="leads out of the source's folder"):
        heard(decoder, root, "read_elsewhere")


def test_a_decoder_has_one_way_out_and_no_secrets(decoder: Decoder, root: Path) -> None:
    assert CANARY not in heard(decoder, root, "environment")
    held = heard(decoder, root, "descriptors")
    assert held.count("socket:") == 1
    assert "pipe:" not in held


def test_threads_are_allowed(decoder: Decoder, root: Path) -> None:
    assert heard(decoder, root, "thread") == "threads run"


def test_items_leave_nothing_to_one_another(decoder: Decoder, root: Path) -> None:
    assert [heard(decoder, root, "remember") for _ in range(2)] == ["clean", "clean"]
    folder = Path(heard(decoder, root, "temporary"))
    assert folder.parent == Path(tempfile.gettempdir())
    assert not folder.exists()


def test_one_that_is_killed_from_outside_may_be_tried_again(root: Path) -> None:
    decoder = Decoder(SandboxSpec())
    assert heard(decoder, root, "thread") == "threads run"
    (nursery,) = decoder._idle

    def kill_child() -> None:
        children = Path(f"/proc/{nursery.pid}/task/{nursery.pid}/children")
        while not (found := children.read_text().split()):
            time.sleep(0.01)
        os.kill(int(found[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_child)
    killer.start()
    with pytest.raises(KilledError):
        heard(decoder, root, "sleep")
    killer.join()
    os.kill(nursery.pid, signal.SIGKILL)
    with pytest.raises(KilledError):
        heard(decoder, root, "thread")
    assert heard(decoder, root, "thread") == "threads run", "another nursery is started"
    decoder.close()


def test_whoever_stops_listening_leaves_no_process_behind(decoder: Decoder, root: Path) -> None:
    flood = Bundle("flood", "key", ref=reference(root), files=SourceFiles(str(root)))
    first = decoder.records(STAGE, flood, IngestSpec())
    next(first)
    first.close()  # type: ignore[attr-defined]
    (nursery, *_) = decoder._idle
    assert Path(f"/proc/{nursery.pid}/task/{nursery.pid}/children").read_text() == ""


def test_where_confinement_is_required_a_machine_without_it_is_refused() -> None:
    """In a process of its own, because nothing given up comes back."""
    program = (
        "from pipeline.sandbox import confinement, landlock\n"
        "landlock.confine = lambda readable, writable: False\n"
        "wanted = confinement.Allowance(1 << 30, 9, 9.0, 1 << 20, required=True)\n"
        "try: confinement.confine(wanted, '/nowhere', ())\n"
        "except confinement.UnconfinedError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Landlock (files)"
    told = told_error("a", {"unconfined": "Landlock (files)"}, Allowance(1, 1, 1.0, 1))
    assert isinstance(told, StoreError), "no item's fault: the run ends"


def test_a_full_disk_is_told_apart_from_a_bad_recording() -> None:
    told = told_error("a", {"failed": "OSError", "errno": errno.ENOSPC, "message": "full"}, Allowance(1, 1, 1.0, 1))
    assert isinstance(told, OSError)
    assert not isinstance(told, SourceError)


def test_a_format_that_nobody_knows_ends_no_nursery() -> None:
    nursery = NurseryProcess()
    allowance = Allowance(memory_bytes=GIB, cpu_s=10, wall_s=40.0, disk_bytes=GIB)
    try:
        for name in ("no_such_format", "video_folder"):
            nursery.begin(allowance, name).close()  # nobody says what is to be done
            assert nursery.ended().status == 0
    finally:
        nursery.close()
