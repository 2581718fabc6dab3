"""What becomes of spoilt files: ``python -m benchmarks.fuzz [--cases N] [--jobs J] [--out FILE]``.

Spoils a small source of every format N times and lets a watched process read it, as the tests do with fewer
(`tests.pipeline.sources.fuzzing` says what is watched). Prints, and writes as JSON, how many per format were read and
refused, how many came with findings, the slowest in seconds of processor time, the most memory taken above the idle
reader's, and every case that did what none may. The same N gives the same cases. Fails when there is any such case.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.pipeline.sources.fuzzing import Tally, fuzz
from tests.pipeline.sources.specimens import SPECIMENS, format_of

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
OUT = Path(__file__).resolve().parent / "results" / "fuzz.json"
FROM = 5000
"""The first seed: these cases are others than those of the tests."""


def tally_of(name: str, cases: int) -> tuple[str, Tally]:
    """One specimen's cases, in a folder of their own."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        return name, fuzz(name, range(FROM, FROM + cases), folder, REAL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row(tallies: Iterable[Tally]) -> dict[str, Any]:
    """The numbers of several specimens together."""
    found = list(tallies)
    return {
        "cases": sum(tally.cases for tally in found),
        "read": sum(tally.read for tally in found),
        "refused": sum(tally.refused for tally in found),
        "with_findings": sum(tally.with_findings for tally in found),
        "slowest_cpu_s": round(max(tally.slowest_s for tally in found), 2),
        "peak_mib": max(tally.peak_bytes for tally in found) >> 20,
        "bad": [line for tally in found for line in tally.bad],
    }


def report(tallies: dict[str, Tally]) -> dict[str, Any]:
    """Rows by format, and one of all."""
    formats = sorted({format_of(name) for name in tallies})
    rows = {one: row(tally for name, tally in tallies.items() if format_of(name) == one) for one in formats}
    return {"all": row(tallies.values()), "formats": rows}


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=120, help="per specimen; 120 make more than 3,000 in all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    tallies: dict[str, Tally] = {}
    with ProcessPoolExecutor(args.jobs) as pool:
        for name, tally in pool.map(tally_of, SPECIMENS, [args.cases] * len(SPECIMENS)):
            tallies[name] = tally
            print(f"{name:20} {json.dumps(row([tally]))}", flush=True)
            args.out.write_text(json.dumps(report(tallies), indent=1) + "\n", encoding="utf-8")
    return 1 if any(tally.bad for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
