"""``make audit``: known vulnerabilities of what is installed, the code itself, and the licences of all dependencies.

Fails on a known vulnerability, on a finding of high severity in the code, on a licence outside of the list below. Where
the service that knows vulnerabilities is not reached, that is said and fails nothing: an audit that could not look is
neither good nor bad. `pip-audit` and `bandit` live in an environment of their own, since they are run, not imported.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".venv-audit" / "bin"
CONSTRAINTS = ROOT / "constraints.txt"
RESULTS = ROOT / "benchmarks" / "results" / "audit.txt"
PACKAGES = ("schemas", "pipeline", "annotators", "clustering", "jobs", "trainer", "data_cards", "benchmarks")
ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not reach us, by id, with the reason."""
PERMISSIVE = re.compile(
    r"Apache( Software License|[ -]?2\.0( License)?)|BSD( License|-[23]-Clause)?|3-Clause BSD License"
    r"|MIT( License|-0|-CMU)?|ISC( License \(ISCL\))?|PSF-2\.0|Zlib|BSL-1\.0|CNRI-Python|LLVM-exception"
    r"|DFSG approved|any-OSI|MPL-2\.0|Mozilla Public License 2\.0 \(MPL 2\.0\)"
)
"""MPL is copyleft file by file and asks nothing of who uses such files as they are."""
READ_BY_HAND = {
    "axe-playwright-python": "MIT, in its LICENSE file",
    "cmeel-qhull": "Qhull's own licence, permissive: notices stay, changes are marked",
    "mlcroissant": "Apache-2.0, in its repository",
    "torchcodec": "BSD-3-Clause, in its LICENSE file",
}
"""Packages whose metadata say nothing."""


@dataclass(frozen=True)
class Part:
    """One audit: what it saw, and what makes it fail."""

    name: str
    lines: tuple[str, ...]
    failures: tuple[str, ...]


def pinned() -> list[str]:
    """Names of everything that is installed for core, development and training."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return [line.partition("==")[0] for line in lines if "==" in line and not line.startswith("#")]


# -- licences --------------------------------------------------------------------------------------------------------


def stated(found: Distribution) -> str:
    """The licence as a package states it: an expression, else classifiers, else the first line of free text."""
    about = found.metadata
    if expression := about.get("License-Expression"):
        return expression
    classifiers = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License")]
    return "; ".join(classifiers) or (about.get("License") or "").strip().partition("\n")[0]


def is_allowed(licence: str) -> bool:
    """Whether all parts of a licence are on the list."""
    parts = re.split(r"\s+(?:AND|OR|WITH)\s+|;\s*", licence)
    return bool(licence) and all(PERMISSIVE.fullmatch(part.strip()) for part in parts)


def licences(names: Iterable[str]) -> Part:
    """Of every package; one that is not installed is told, not guessed."""
    counts: Counter[str] = Counter()
    missing, failures = [], []
    for name in names:
        try:
            found = stated(distribution(name))
        except PackageNotFoundError:
            missing.append(name)
            continue
        if name in READ_BY_HAND and not found:
            counts[f"{READ_BY_HAND[name]} ({name})"] += 1
        elif is_allowed(found):
            counts[found] += 1
        else:
            failures.append(f"{name}: licence {found or 'not stated'!r} is not on the list of benchmarks/audit.py")
    lines = [f"{n:4d}  {licence}" for licence, n in counts.most_common()]
    if missing:
        lines.append(f"not installed here: {', '.join(missing)}")
    return Part("licences", tuple(lines), tuple(failures))


# -- vulnerabilities -------------------------------------------------------------------------------------------------


def vulnerabilities(report: Sequence[dict[str, Any]]) -> Part:
    """What pip-audit says of every package."""
    skipped = [package["name"] for package in report if "skip_reason" in package]
    asked = [package for package in report if "skip_reason" not in package]
    known = [(package, each) for package in asked for each in package["vulns"]]
    failures = [
        f"{package['name']} {package['version']}: {each['id']} (mended in {', '.join(each['fix_versions']) or 'none'})"
        for package, each in known
        if each["id"] not in ACCEPTED
    ]
    lines = [f"{len(asked)} of {len(report)} packages looked up, {len(known)} known vulnerabilities"]
    if skipped:
        lines.append(
            f"NOT LOOKED UP: {len(skipped)}; the service that knows vulnerabilities does not answer here"
            if not asked
            else f"not looked up: {', '.join(skipped)}"
        )
    return Part("known vulnerabilities (pip-audit)", tuple(lines), tuple(failures))


# -- code ------------------------------------------------------------------------------------------------------------


def code(report: dict[str, Any]) -> Part:
    """What bandit says; severity is what a finding would cost if it were one."""
    counts = Counter(found["issue_severity"] for found in report["results"])
    lines = [", ".join(f"{counts[kind]} {kind.lower()}" for kind in ("HIGH", "MEDIUM", "LOW"))]
    kinds = Counter((found["test_id"], found["test_name"]) for found in report["results"])
    lines += [f"{n:4d}  {test} {name}" for (test, name), n in kinds.most_common()]
    failures = [
        f"{found['filename']}:{found['line_number']}: {found['test_id']} {found['issue_text']}"
        for found in report["results"]
        if found["issue_severity"] == "HIGH"
    ]
    failures += [f"{error['filename']}: {error['reason']}" for error in report["errors"]]
    return Part("the code (bandit)", tuple(lines), tuple(failures))


def run(tools: Path) -> list[Part]:
    """All three; the two tools at once, since one waits for the network."""
    asking = [str(tools / "pip-audit"), "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip"]
    asking += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    looking = [str(tools / "bandit"), "--quiet", "--recursive", *PACKAGES, "--format", "json"]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for command in (asking, looking)
    ]
    (asked, said), (looked, error) = (process.communicate() for process in started)
    if not looked:
        raise SystemExit(f"bandit failed: {error}")
    try:
        known = vulnerabilities(json.loads(asked)["dependencies"])
    except (ValueError, KeyError):
        reason = (said.strip().splitlines() or ["no answer"])[-1]
        known = Part("known vulnerabilities (pip-audit)", (f"NOT LOOKED UP: {reason[:200]}",), ())
    return [known, code(json.loads(looked)), licences(pinned())]


def main() -> None:
    """Print all three; status 1 where something fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, default=TOOLS, help="Where pip-audit and bandit are.")
    parser.add_argument("--write", action="store_true", help="Keep what is printed beside the other results.")
    given = parser.parse_args()
    parts = run(given.tools)
    text = "\n\n".join("\n".join([part.name, *(f"  {line}" for line in part.lines)]) for part in parts)
    failures = [f"{part.name}: {failure}" for part in parts for failure in part.failures]
    text += f"\n\n{len(failures)} findings that fail the audit\n" + "".join(f"  {failure}\n" for failure in failures)
    print(text, end="")
    if given.write:
        RESULTS.write_text(text, encoding="utf-8")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
