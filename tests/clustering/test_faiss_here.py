"""faiss computes with what the machine has, and is imported in one place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import json, os
from clustering.faiss_here import faiss
from threadpoolctl import threadpool_info

found = {}
for library in threadpool_info():
    if library["internal_api"] == "openblas":
        found["faiss" if "faiss" in library["filepath"] else "numpy"] = library["architecture"]
print(json.dumps([found, os.environ.get("OPENBLAS_CORETYPE")]))
"""
WITH_AVX = {"Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"}


def kernels(**environment: str) -> tuple[dict[str, str], str | None]:
    inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    command = [sys.executable, "-c", PROGRAM]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env=inherited | environment, timeout=120)
    found: tuple[dict[str, str], str | None] = tuple(json.loads(said.stdout.splitlines()[-1]))
    return found


def test_faiss_uses_the_kernels_of_the_machine_and_nobody_inherits_that() -> None:
    found, left = kernels()
    if found.get("numpy") not in WITH_AVX or "faiss" not in found:
        pytest.skip(f"no x86 with AVX2, or another BLAS: {found}")
    assert found["faiss"] in WITH_AVX
    assert left is None


def test_what_somebody_says_stays() -> None:
    found, left = kernels(OPENBLAS_CORETYPE="Nehalem")
    assert left == "Nehalem"
    assert found.get("faiss", "Nehalem") == "Nehalem"


def test_faiss_is_imported_nowhere_else() -> None:
    folders = ("schemas", "pipeline", "annotators", "clustering", "jobs", "trainer", "tests", "benchmarks")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    found = [str(file.relative_to(ROOT)) for file in files if "\nimport faiss" in file.read_text(encoding="utf-8")]
    assert found == []
