"""A stage that does to its process what a hostile file would make a decoder do; the item's name says which."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipeline.errors import SourceError
from pipeline.stage import Bundle, Scope, Stage
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec


def said(text: str) -> Finding:
    return Finding("e", "s", "poison", "said", Verdict.KEEP, text)


def segfault(_: Bundle) -> str:
    ctypes.string_at(0)
    return "survived"


def abort(_: Bundle) -> str:
    os.abort()


def leave(_: Bundle) -> str:
    os._exit(3)


def loop(_: Bundle) -> str:
    while True:
        pass


def sleep(_: Bundle) -> str:
    time.sleep(3600)
    return "woke"


def memory(_: Bundle) -> str:
    return str(np.ones(1 << 40, np.uint8)[-1])


def many(_: Bundle) -> str:
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


def refuse(_: Bundle) -> str:
    raise SourceError("a.bin: is not what it says")


def bug(_: Bundle) -> str:
    raise KeyError("a bug")


def tried(call: Callable[[], object]) -> str:
    """What became of an attempt to get out."""
    try:
        return f"did it: {call()!r}"
    except OSError as error:
        return f"denied: {type(error).__name__}"


def dial(_: Bundle) -> str:
    return tried(lambda: socket.create_connection(("127.0.0.1", 9), timeout=1))


def resolve(_: Bundle) -> str:
    return tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def fork(_: Bundle) -> str:
    return tried(os.fork)


def run(_: Bundle) -> str:
    return tried(lambda: subprocess.run(["true"], check=True))


def execute(_: Bundle) -> str:
    return tried(lambda: os.execv("/bin/true", ["true"]))


def kill_worker(_: Bundle) -> str:
    nursery = os.getppid()
    return tried(lambda: os.kill(nursery, signal.SIGKILL))


def thread(_: Bundle) -> str:
    heard = []
    thread = threading.Thread(target=lambda: heard.append("threads run"))
    thread.start()
    thread.join()
    return heard[0]


def read_passwords(_: Bundle) -> str:
    return tried(lambda: Path("/etc/passwd").read_bytes())


def read_worker(_: Bundle) -> str:
    return tried(lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes())


def write_outside(bundle: Bundle) -> str:
    return tried(lambda: Path(bundle.episode_ref().root, "new").write_bytes(b"x"))


def change_outside(bundle: Bundle) -> str:
    return tried(lambda: os.chmod(Path(bundle.episode_ref().root, "a.bin"), 0o777))


def delete_outside(bundle: Bundle) -> str:
    return tried(lambda: os.unlink(Path(bundle.episode_ref().root, "a.bin")))


def read_directly(bundle: Bundle) -> str:
    return tried(lambda: Path(bundle.episode_ref().root, "a.bin").read_bytes())


def reopen_for_writing(bundle: Bundle) -> str:
    with bundle.source_files().open("a.bin") as file:
        return tried(lambda: os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDWR))


def read_source(bundle: Bundle) -> str:
    with bundle.source_files().open("a.bin") as file:
        file.seek(2)
        return file.read().decode()


def read_elsewhere(bundle: Bundle) -> str:
    with bundle.source_files().open("../secret") as file:
        return file.read().decode()


def temporary(_: Bundle) -> str:
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    Path(tempfile.gettempdir(), "left behind").write_bytes(b"x")
    return tempfile.gettempdir()


def fill_disk(_: Bundle) -> str:
    for i in range(1 << 20):
        Path(tempfile.gettempdir(), str(i)).write_bytes(bytes(1 << 20))
    return "filled"


def environment(_: Bundle) -> str:
    return repr(sorted(os.environ.items()))


def descriptors(_: Bundle) -> str:
    held = [Path(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if int(name) > 2]
    return repr([str(each.readlink()) for each in held if each.is_symlink()])  # one was the listing's own


def privileges(_: Bundle) -> str:
    wanted = ("CapEff", "CapPrm", "NoNewPrivs", "Seccomp:")
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return " ".join("=".join(line.split()) for line in lines if line.startswith(wanted))


def remember(_: Bundle) -> str:
    """A second item must not meet what a first one left."""
    found = getattr(sys, "poisoned", "clean")
    sys.poisoned = "poisoned"  # type: ignore[attr-defined]
    return str(found)


DEEDS: dict[str, Callable[[Bundle], str]] = {
    deed.__name__: deed
    for deed in (
        segfault, abort, leave, loop, sleep, memory, many, refuse, bug, dial, resolve, fork, run, execute, kill_worker,
        thread, read_passwords, read_worker, write_outside, change_outside, delete_outside, read_directly,
        reopen_for_writing, read_source, read_elsewhere, temporary, fill_disk, environment, descriptors, privileges,
        remember,
    )
}  # fmt: skip


def poison(bundle: Bundle, spec: IngestSpec) -> Iterator[object]:
    """One finding with what was said; ``stranger`` and ``flood`` give what they should not."""
    if bundle.item == "stranger":
        yield spec
    if bundle.item == "flood":
        while True:
            yield said("x" * (1 << 20))
    yield said("before")
    yield said(DEEDS[bundle.item](bundle))


STAGE = Stage("poison", 1, Scope.EPISODE, (), (Finding,), lambda recipe: recipe.ingest, poison, reads_source=True)
