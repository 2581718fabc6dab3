"""What is installed: the interpreter, the libraries Joinery asks for, and which code of Joinery this is."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from platform import machine, python_version

from packaging.requirements import Requirement

from jobs.doctor.check import Check, broken, doubtful, well

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "pipeline", "annotators", "clustering", "trainer", "jobs", "data_cards")
PYTHONS = ((3, 11), (3, 13))
"""The first that works and the first that does not."""
_PIN = re.compile(r"^([A-Za-z0-9_.\-]+)==(\S+)$")
_NAMED = 3
"""Versions a warning spells out."""


def installation() -> Iterator[Check]:
    """Interpreter, requirements, and how far they are from the set that was tested together."""
    first, beyond = PYTHONS
    expected = f"{first[0]}.{first[1]} or later, before {beyond[0]}.{beyond[1]}"
    if not first <= sys.version_info[:2] < beyond:
        yield broken("python", python_version(), expected, "make an environment with a Python of that version")
    else:
        yield well("python", f"{python_version()} on {machine()}")
    wanted = [Requirement(line) for line in requires("joinery") or []]
    wanting = [found for one in wanted if _applies(one) and (found := _wanting(one))]
    if wanting:
        advice = "pip install --constraint constraints.txt --editable ."
        yield broken("libraries", "; ".join(wanting), "what pyproject.toml asks for", advice)
        return
    yield well("libraries", f"joinery {version('joinery')}, code {code_digest()[:12]}, {len(wanted)} requirements met")
    others = list(_other_than_tested())
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        advice = "pip install --constraint constraints.txt: all machines of a run need the same versions"
        yield doubtful("versions", ", ".join(others[:_NAMED]) + more, "those of constraints.txt", advice)


def code_digest() -> str:
    """One digest of all of Joinery's own code: the version number stays the same from commit to commit."""
    hasher = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            hasher.update(path.relative_to(CHECKOUT).as_posix().encode())
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def _applies(one: Requirement) -> bool:
    return one.marker is None or one.marker.evaluate({"extra": ""})


def _wanting(one: Requirement) -> str:
    try:
        there = version(one.name)
    except PackageNotFoundError:
        return f"{one.name} is missing"
    return "" if one.specifier.contains(there, prereleases=True) else f"{one.name} {there}, wanted {one.specifier}"


def _other_than_tested() -> Iterator[str]:
    """Installed versions that are not those of the checkout's constraints; nothing for an installation without one."""
    path = CHECKOUT / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    direct = {Requirement(line).name.lower().replace("_", "-") for line in requires("joinery") or []}
    for match in filter(None, map(_PIN.match, lines)):
        name, tested = match[1].lower().replace("_", "-"), match[2]
        try:
            there = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
        if name in direct and there != tested.partition("+")[0]:
            yield f"{name} {there} (tested: {tested})"
