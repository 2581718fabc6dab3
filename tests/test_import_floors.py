"""The house has floors: a package imports only from those below it (docs/architecture.md).

Read from the source text, so that imports inside functions count too and nothing has to be installed or executed.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

MAY_IMPORT = {
    "schemas": (),
    "pipeline": ("schemas",),
    "annotators": ("schemas", "pipeline"),
    "clustering": ("schemas", "pipeline"),
    "trainer": ("schemas", "pipeline.loader"),
    "jobs": ("schemas", "pipeline", "annotators", "clustering", "trainer", "data_cards"),
    "data_cards": ("schemas",),
}
MUST_NOT_IMPORT = {"annotators": ("pipeline.sources",), "clustering": ("pipeline.sources",)}
"""Source formats are opened on floor 2 and nowhere above it."""
BESIDE_THE_HOUSE = ("tests", "benchmarks")
ONLY_IN = {"ray": "jobs", "lance": "pipeline.store"}
"""Libraries whose interface changes often, or that would tie the arithmetic to an executor, have one place."""


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, at whatever depth."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, f"{'.' * node.level}{node.module or ''}"


def broken(module: str, source: str) -> list[str]:
    """Imports of a module that its floor does not allow."""
    return [f"{module}:{line} imports {name}" for line, name in imported(source) if not _allowed(module, name)]


def _allowed(module: str, name: str) -> bool:
    package, top = module.partition(".")[0], name.partition(".")[0]
    if top in ONLY_IN:
        return _below(module, ONLY_IN[top])
    if name.startswith(".") or top in BESIDE_THE_HOUSE:
        return False
    if top not in MAY_IMPORT or top == package:
        return True
    forbidden = any(_below(name, other) for other in MUST_NOT_IMPORT.get(package, ()))
    return not forbidden and any(_below(name, other) for other in MAY_IMPORT[package])


def _below(name: str, parent: str) -> bool:
    return f"{name}.".startswith(f"{parent}.")


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_from_the_floors_below(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += broken(module, path.read_text(encoding="utf-8"))
    assert found == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("schemas.event", "from pipeline.errors import SourceError"),
        ("schemas.event", "import ray"),
        ("pipeline.align", "from annotators.segment import STAGE"),
        ("pipeline.align", "def f():\n    import lance"),
        ("annotators.segment", "from pipeline.sources.lerobot.lerobot import read"),
        ("annotators.segment", "from pipeline import sources"),
        ("clustering.embed", "from annotators import caption"),
        ("trainer.run", "from pipeline.store import Workspace"),
        ("trainer.run", "import pipeline"),
        ("trainer.run", "import ray.data"),
        ("jobs.run", "from tests.conftest import REAL"),
        ("pipeline.align", "from .stage import Stage"),
    ],
)
def test_an_import_from_above_or_beside_is_found(module: str, line: str) -> None:
    assert len(broken(module, line)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("trainer.run", "from pipeline.loader.read import Sample"),
        ("pipeline.sources.lerobot.lerobot", "from pipeline.sources.raw import RawEpisode"),
        ("clustering.embed", "from pipeline import stage"),
        ("jobs.ray_executor", "import ray.data"),
        ("pipeline.store", "from lance.fragment import write_fragments"),
        ("schemas.arrow", "import numpy.typing"),
    ],
)
def test_an_import_from_below_is_allowed(module: str, line: str) -> None:
    assert broken(module, line) == []
