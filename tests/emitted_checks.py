"""Which checks the code can emit: read off its syntax, so that pages and tests can be held against it.

A check's name reaches a `Finding` through few doors (`episode_finding`, `about_episode`, …) or through a function that
passes it on. Functions that do so become doors themselves; where a name comes out of a table beside the call, the table
counts. A call whose name cannot be told raises: a check nobody can list is a check nobody can document.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.test_repository import ROOT

NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
DOORS = {"episode_finding": 1, "about_episode": 1, "about_source": 1, "Finding": 3}
"""Function → place of the check among its arguments, the object it is called on left aside."""
FOLDERS = ("pipeline", "annotators", "clustering", "jobs")
ELSEWHERE = {
    "pipeline/sources/reference.py": "from the recipe's `known_defects`",
    "pipeline/sources/tabular_actions.py": "remarks of the functions that read columns, tuples of check and message",
    "pipeline/sources/ros/ros_arms.py": "remarks of the functions that read columns, tuples of check and message",
}
"""Files that emit names which come from somewhere else."""


@cache
def emitted(*folders: str) -> dict[str, set[str]]:
    """Check → files that can emit it, below these folders (all of ours when none is named)."""
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in _files(FOLDERS)}
    doors = dict(DOORS)
    while shared := _shared_doors(trees, doors):  # a door may lead to a door
        doors |= shared
    found: dict[str, set[str]] = {}
    for name, tree in trees.items():
        if not folders or any(name == folder or name.startswith(f"{folder}/") for folder in folders):
            for check in _checks_of(tree, name, doors):
                found.setdefault(check, set()).add(name)
    return found


def _shared_doors(trees: dict[str, ast.Module], doors: dict[str, int]) -> dict[str, int]:
    """Functions of any file that pass a check on and are not known yet; private ones stay in their file."""
    found: dict[str, int] = {}
    for tree in trees.values():
        found |= {name: place for name, place in _through(tree, doors)[1].items() if not name.startswith("_")}
    return {name: place for name, place in found.items() if name not in doors}


def _files(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        path = ROOT / folder
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def _checks_of(tree: ast.Module, file: str, shared: dict[str, int]) -> set[str]:
    doors = dict(shared)
    while True:
        names, passed_on, unknown = _through(tree, doors)
        if passed_on.items() <= doors.items():
            break
        doors |= passed_on
    told = _told(tree)
    if not unknown or file in ELSEWHERE:
        return names | told
    tables = told | _tables(tree)
    if not tables:
        raise AssertionError(f"{file}: cannot tell which check line {unknown[0]} emits; name it in the call")
    return names | tables


def _through(tree: ast.Module, doors: dict[str, int]) -> tuple[set[str], dict[str, int], list[int]]:
    """Names that go through doors, functions that pass a parameter on, and lines whose name comes from elsewhere."""
    names: set[str] = set()
    passed_on: dict[str, int] = {}
    unknown: list[int] = []
    for function, call in _calls(tree):
        door = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if door == "partial" and call.args and isinstance(call.args[0], ast.Name) and call.args[0].id in doors:
            passed_on |= _alias(function, call, doors)
            continue
        if door not in doors:
            continue
        given = next((word.value for word in call.keywords if word.arg == "check"), None)
        if given is None and len(call.args) > doors[door]:
            given = call.args[doors[door]]
        literals = _literals(given) or _assigned(given, function)
        parameters = [] if function is None else [arg.arg for arg in (*function.args.args, *function.args.kwonlyargs)]
        if literals:
            names |= literals
        elif isinstance(given, ast.Name) and function is not None and given.id in parameters:
            passed_on[function.name] = parameters.index(given.id) - (parameters[0] == "self")
        elif given is not None and not (isinstance(given, ast.Attribute) and given.attr == "check"):  # a copy
            unknown.append(call.lineno)
    return names, passed_on, unknown


def _assigned(given: ast.expr | None, function: ast.FunctionDef | None) -> set[str]:
    """The names that a function puts into the variable it hands on."""
    if not isinstance(given, ast.Name) or function is None:
        return set()
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == given.id for t in node.targets):
            found |= _literals(node.value)
    return found


def _told(tree: ast.Module) -> set[str]:
    """Names that stand in a tuple in front of their message; a reader collects them and hands them on together."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) in (2, 3) and _is_message(node.elts[1]):
            found |= {name for name in _literals(node.elts[0]) if "_" in name}
    return found


def _is_message(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and " " in node.value
    if isinstance(node, ast.JoinedStr):
        return any(_is_message(part) for part in node.values if isinstance(part, ast.Constant))
    return isinstance(node, ast.Name) and node.id in ("message", "text", "told")


@cache
def _calls(tree: ast.Module) -> list[tuple[ast.FunctionDef | None, ast.Call]]:
    """Every call with the function it stands in, innermost."""

    def walk(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.FunctionDef | None, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                yield function, child
            yield from walk(child, child if isinstance(child, ast.FunctionDef) else function)

    return list(walk(tree, None))


def _alias(function: ast.FunctionDef | None, call: ast.Call, doors: dict[str, int]) -> dict[str, int]:
    """``note = partial(door, a)`` makes ``note`` a door with one place less."""
    inner = call.args[0]
    assert isinstance(inner, ast.Name)
    place = doors[inner.id] - (len(call.args) - 1)
    body = [] if function is None else list(ast.walk(function))
    targets = [node.targets[0] for node in body if isinstance(node, ast.Assign) and node.value is call]
    return {target.id: place for target in targets if isinstance(target, ast.Name)}


def _literals(given: ast.expr | None) -> set[str]:
    """The names an argument can be: a literal, or one of two."""
    if isinstance(given, ast.Constant) and isinstance(given.value, str) and NAME.fullmatch(given.value):
        return {given.value}
    if isinstance(given, ast.IfExp):
        one, other = _literals(given.body), _literals(given.orelse)
        return one | other if one and other else set()
    return set()


def _tables(tree: ast.Module) -> set[str]:
    """Names that stand first in a tuple with a message, or are values of a table of checks."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) >= 2:
            found |= {name for name in _literals(node.elts[0]) if "_" in name}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.IfExp):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if any("check" in name.lower() or name == "name" for name in names):
                values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
                found |= {name for value in values for name in _literals(value)}
    return found
