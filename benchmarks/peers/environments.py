"""The environments of the peers (`make peers`), and FFmpeg for torchcodec inside them.

torchcodec loads the FFmpeg it finds on the system. PyAV's wheel brings a complete one under names of its own, so links
with the ordinary names are enough: no system package, and both decoders run the same FFmpeg.
"""

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ANSWER = "ANSWER "
"""What a peer's process writes before a line of JSON, because libraries talk on standard output too."""
_MANGLED = re.compile(r"(lib(?:av|sw)\w+)-[0-9a-f]+\.so\.(\d+)")


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment; of this one for the empty name. Raises SystemExit when it is missing."""
    python = ROOT / f".venv-{name}" / "bin" / "python" if name else Path(sys.executable)
    if not python.exists():
        raise SystemExit(f".venv-{name} is not there: make peers")
    return python


@cache
def environment(name: str) -> dict[str, str]:
    """The variables a peer's process gets: one thread, no network, and FFmpeg where torchcodec looks."""
    quiet = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "SVT_LOG": "1", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **quiet, "LD_LIBRARY_PATH": os.pathsep.join(map(str, _ffmpeg(name)))}


def _ffmpeg(name: str) -> list[Path]:
    """Folders for the dynamic linker, none without PyAV; the links are made on first use."""
    ask = "import importlib.util as i; found = i.find_spec('av'); print(found.origin if found else '')"
    origin = subprocess.run([python_of(name), "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    if not origin:
        return []
    libraries = Path(origin).parents[1] / "av.libs"
    links = ROOT / "build" / f"ffmpeg-{name or 'joinery'}"
    links.mkdir(parents=True, exist_ok=True)
    for library in sorted(libraries.glob("lib*.so.*")):
        named = _MANGLED.match(library.name)
        if named and not (link := links / f"{named[1]}.so.{named[2]}").exists():
            link.symlink_to(library)
    return [links, libraries]
