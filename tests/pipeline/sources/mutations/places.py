"""Changes to where files are: links, pipes, folders in place of files, and names that hardly are names."""

import os
import random
import socket
from pathlib import Path

from tests.pipeline.sources.mutations.damage import canary


def file_replaced(path: Path, rng: random.Random) -> str:
    """Something else in a file's place. Returns what."""
    data = path.read_bytes()
    path.unlink()
    kind = rng.choice(
        (
            "link out",
            "link out",
            "relative link out",
            "link to itself",
            "link to a device",
            "nothing",
            "nothing",
            "an empty file",
            "a folder",
            "a pipe",
            "another name",
        )
    )
    if kind == "link out":
        path.symlink_to(rng.choice((canary(f"a{path.suffix}"), canary(), Path("/etc/passwd"))))
    elif kind == "relative link out":
        path.symlink_to(os.path.relpath(canary(f"a{path.suffix}"), path.parent))
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "link to a device":
        path.symlink_to(rng.choice(("/dev/zero", "/dev/stdin", "/proc/self/mem", "/proc/self/environ")))
    elif kind == "an empty file":
        path.touch()
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "another name":
        path.with_name(path.name.upper()).write_bytes(data)
    return f"replaced by {kind}"


def put_beside(root: Path, rng: random.Random) -> str:
    """Something hostile beside the good files, which must all be read as before. Returns what."""
    some = rng.choice(sorted(path for path in root.rglob("*") if path.is_file()))
    place, suffix = some.parent, some.suffix
    kind = rng.choice(
        (
            "link to the folder itself",
            "link up",
            "folder link out",
            "file link out",
            "pipe",
            "socket",
            "odd name",
            "long name",
            "dangling link",
            "secret folder",
        )
    )
    if kind == "link to the folder itself":
        (place / "loop").symlink_to(".")
        (place / "again").symlink_to(".")
    elif kind == "link up":
        (place / "up").symlink_to("..")
    elif kind == "folder link out":
        (place / "out").symlink_to(canary())
    elif kind == "file link out":
        (place / f"zz_out{suffix}").symlink_to(canary(f"a{suffix}"))
    elif kind == "pipe":
        os.mkfifo(place / f"zz_pipe{suffix}")
    elif kind == "socket":
        here = os.getcwd()
        os.chdir(place)  # a socket's path may only be short
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("zz_socket")
        os.chdir(here)
    elif kind == "odd name":
        odd = rng.choice((b"zz\xff\xfe", b"zz\nb", b"zz b", "zz\u202e".encode(), b"zz'; --", b"-zz", b"zz%s{0}"))
        with open(os.path.join(os.fsencode(place), odd), "wb") as file:
            file.write(b"x")
    elif kind == "long name":
        (place / ("z" * 250)).write_bytes(b"")
    elif kind == "dangling link":
        (place / f"zz_gone{suffix}").symlink_to("nowhere")
    else:
        (place / ".hidden").mkdir(exist_ok=True)
        (place / ".hidden/x").write_bytes(b"x")
    return f"{kind} put beside {some.relative_to(root)}"
