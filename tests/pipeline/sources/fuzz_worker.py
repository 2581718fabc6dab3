"""Reads spoilt sources in a process of its own and says how each ended; a crash takes only this process along.

Every line on stdin is a recipe section; every line on stdout is the outcome: ``read``, ``refused``, or what must never
happen. Memory is limited; opening a file outside the allowed folders, running a program or unpickling is noted.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.formats import discover
from schemas import arrow
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec
from schemas.recipe_sources import SourceSpec

MEMORY_BYTES = 2 << 30
_MAX_EPISODES = 6
_NEVER = ("pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "exec")
_LIBRARY = ("frozen", "/encodings/")
"""Python's own modules that are imported when first needed, such as a codec."""
_SPEC: TypeAdapter[Any] = TypeAdapter(SourceSpec)


def outcome(section: dict[str, Any]) -> str:
    """How a source ends: every finding and record must be one the store can hold."""
    files, spec = SourceFiles(section["path"]), _SPEC.validate_python(section)
    refused = 0
    try:
        for number, found in enumerate(discover(spec, files, MemoryDigests())):
            if isinstance(found, Finding):
                refused += found.verdict is not Verdict.KEEP
                arrow.to_table(Finding, [found])
            elif number < _MAX_EPISODES:
                try:
                    for record in ingest(found, files, IngestSpec()):
                        arrow.to_table(type(record), [record])
                except SourceError:
                    refused += 1
    except SourceError:
        refused += 1
    return "refused" if refused else "read"


def watch(allowed: tuple[str, ...], seen: list[str]) -> None:
    """Note what a reader has no business doing."""

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event in _NEVER and not (event == "exec" and any(word in str(args) for word in _LIBRARY)):
            seen.append(f"{event} {args!r:.80}")
        elif event == "open" and isinstance(args[0], str | bytes):
            path = Path(args[0].decode() if isinstance(args[0], bytes) else args[0]).absolute()
            if not str(path).startswith(allowed):
                seen.append(f"open {path}")

    sys.addaudithook(note)


def main() -> None:
    seen: list[str] = []
    first = json.loads(sys.stdin.readline())
    for section in first["warm_up"]:  # imports and caches are filled before anything is watched
        outcome(section)
    usage = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (usage + MEMORY_BYTES, usage + MEMORY_BYTES))
    watch(tuple(first["allowed"]), seen)
    print("ready", flush=True)
    for line in sys.stdin:
        seen.clear()
        try:
            said = outcome(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
            said = f"raised {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        print(json.dumps({"said": f"did {sorted(set(seen))[:3]}" if seen else said}), flush=True)


if __name__ == "__main__":
    main()
