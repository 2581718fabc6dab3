"""The text of a recipe as data that still knows where each value stands.

Pydantic sees values, people see lines. `parse` keeps, for every key path, the line its key is written on (or the
command-line override it came from), so that any later check can point at it. YAML is read by the rules of YAML
1.2: ``no`` is a word, ``1e-3`` a number and ``010`` ten, and a key given twice is an error instead of a riddle.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

KeyPath: TypeAlias = tuple[str | int, ...]
"""Where a value stands: keys and list indices from the top, e.g. ``("sources", 1, "path")``."""

_PLAIN = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9][0-9_]{0,17}",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}
MAX_VALUES, MAX_CHARACTERS = 100_000, 2 << 20
"""Nobody writes more by hand; a kilobyte of aliases (*) of aliases can stand for more than any memory holds."""
_RECIPE = "a recipe with at least the keys 'joinery', 'workspace' and 'sources'"
_BARE_STEP = re.compile(r"^\w+(\[\d+\])*$")


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's few implicit types instead of YAML 1.1's many."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own table, filled below and never again


for _name, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), None)


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a recipe."""

    path: KeyPath
    message: str
    line: int | None = None
    """Where it is, when that is not where the key path stands."""
    override: str | None = None
    """The command-line override it is about, when that names no key path."""


@dataclass
class Document:
    """A parsed recipe while it is being checked: mutable, because overrides are written into it."""

    name: str
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overridden: dict[KeyPath, str] = field(default_factory=dict)
    """First and last character of each scalar in the text."""
    problems: list[Problem] = field(default_factory=list)

    def sentence(self, problem: Problem) -> str:
        """The problem as one line: where, which key, what."""
        key = dotted(problem.path)
        return f"{self._where(problem)}: {key + ': ' if key else ''}{problem.message}"

    def order(self, problem: Problem) -> tuple[bool, int]:
        """Sort key: overrides first, then by line."""
        where = self._known(problem.path)
        by_override = problem.override is not None or where in self.overridden
        return not by_override, problem.line or self.lines.get(where, 1)

    def _where(self, problem: Problem) -> str:
        where = self._known(problem.path)
        by_override = problem.override or self.overridden.get(where)
        if by_override is not None:
            return f"override '{by_override}'"
        return f"{self.name}:{problem.line or self.lines.get(where, 1)}"

    def _known(self, path: KeyPath) -> KeyPath:
        """The path itself, or for a key that is not written the nearest section around it."""
        while path and path not in self.lines and path not in self.overridden:
            path = path[:-1]
        return path


def dotted(path: KeyPath) -> str:
    """A key path as people write it: ``sources[1].path``."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def value_at(data: Any, path: KeyPath) -> Any:
    """The value at a path, or None where there is none."""
    for key in path:
        if isinstance(key, int):
            data = data[key] if isinstance(data, list) and key < len(data) else None
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return data


def parse(text: str, name: str, what: str = _RECIPE) -> Document:
    """A recipe's text, or that of another file of sections, as a document.

    What is not YAML, or not unambiguous, is listed in ``problems``.
    """
    document = Document(name)
    try:
        check_size(text)
        node = yaml.compose(text, _Loader)
        check_values(node)
    except BombError as error:
        document.problems.append(Problem((), str(error)))
        return document
    except RecursionError:
        document.problems.append(Problem((), "not YAML that anybody wrote: sections inside sections without end"))
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found = " ".join(part for part in (error.context, error.problem) if part)
        advice = "; indent with spaces, YAML takes no tabs" if "'\\t'" in found else ""
        document.problems.append(Problem((), f"not YAML: {found}{advice}", mark.line + 1 if mark else 1))
        return document
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        document.problems.append(Problem((), f"not YAML: character U+{error.character:04X} is not allowed", line))
        return document
    if not isinstance(node, yaml.MappingNode):
        found = "nothing" if node is None else "a list" if isinstance(node, yaml.SequenceNode) else "one value"
        document.problems.append(Problem((), f"found {found}, expected {what}"))
        return document
    document.data = _build(node, (), document, ())
    return document


class BombError(Exception):
    """YAML that stands for far more than it says; the message says how."""


def check_size(text: str) -> None:
    """Raises BombError for a text that no person wrote."""
    if len(text) > MAX_CHARACTERS:
        raise BombError(
            f"holds {len(text)} characters, expected at most {MAX_CHARACTERS}; this is no file to be read here"
        )


def check_values(node: yaml.Node | None) -> None:
    """Raises BombError when the values are too many once every alias is written out. An alias of itself counts once."""
    if node is not None and (found := _values_below(node, {})) > MAX_VALUES:
        raise BombError(
            f"stands for {found if found < 10**12 else 'more than a trillion'} values, expected at most {MAX_VALUES}; "
            "write out what its aliases (*) repeat"
        )


def _values_below(node: yaml.Node, known: dict[int, int]) -> int:
    if id(node) not in known:
        known[id(node)] = 1  # while it is being counted: an alias of itself
        below = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        if isinstance(below, list):
            known[id(node)] = 1 + sum(_values_below(part, known) for part in below)
    return known[id(node)]


def _build(node: yaml.Node, path: KeyPath, document: Document, around: tuple[int, ...]) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in around:
        document.problems.append(Problem(path, "an alias (*) that contains itself"))
        return None
    around = (*around, id(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, around)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document, around) for i, item in enumerate(node.value)]
    return _scalar(node, path, document)


def _scalar(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    try:
        return _read(node, path, document)
    except ValueError:
        document.problems.append(
            Problem(path, f"found {str(node.value)[:80]!r}, which is no {node.tag.rpartition(':')[2]}")
        )
        return None


def _read(node: yaml.Node, path: KeyPath, document: Document) -> Any:
    value: Any = node.value
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "str" if any("\ud800" <= character <= "\udfff" for character in value):
            document.problems.append(Problem(path, f"found half a character in {value!r}; write it as UTF-8"))
        case "str":
            return value
        case "null":
            return None
        case "bool":
            return value.lower() == "true"
        case "int":
            return int(value.replace("_", ""))
        case "float":
            return float(value)
        case _:
            document.problems.append(Problem(path, f"found the tag {node.tag!r}, expected a plain value"))
    return None


def _mapping(node: yaml.MappingNode, path: KeyPath, document: Document, around: tuple[int, ...]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.problems.append(Problem(path, "found a list or section as a key, expected a word", line))
            continue
        below = (*path, key_node.value)
        if key_node.value in built:
            first = document.lines[below]
            document.problems.append(Problem(below, f"given twice, first on line {first}; keep one", line))
            continue
        document.lines[below] = line
        built[key_node.value] = _build(value_node, below, document, around)
    return built


def override(document: Document, assignment: str) -> None:
    """Write ``run.executor=inline`` into the document; an unusable one is added to its problems."""
    key, equals, text = assignment.partition("=")
    path = tuple(_steps(key.strip()))
    if not equals or not path:
        message = "expected key=value, such as run.executor=inline or sources[0].path=recordings"
        document.problems.append(Problem((), message, override=assignment))
        return
    value = parse(f"value: {text}", assignment)
    for stale in [known for known in document.lines if known[: len(path)] == path]:
        del document.lines[stale]
    for stale in [known for known in document.overridden if known[: len(path)] == path]:
        del document.overridden[stale]
    document.overridden[path] = assignment
    if value.problems or set(value.data) != {"value"}:
        document.problems.append(Problem(path, f"found {text!r}, expected one YAML value after ="))
        return
    document.data = _written(document, document.data, path, 0, value.data["value"])


def _written(document: Document, here: Any, path: KeyPath, depth: int, value: Any) -> Any:
    """A copy of ``here`` with the value at ``path[depth:]``; sections on the way are made when they are absent."""
    if depth == len(path):
        return value
    key = path[depth]
    if isinstance(here, list) and isinstance(key, int) and key < len(here):
        return [_written(document, item, path, depth + 1, value) if i == key else item for i, item in enumerate(here)]
    if isinstance(key, str) and (here is None or isinstance(here, dict)):
        here = here or {}
        return {**here, key: _written(document, here.get(key), path, depth + 1, value)}
    count = f"a list of {len(here)}" if isinstance(here, list) else "no list" if isinstance(key, int) else "no section"
    document.problems.append(Problem(path, f"'{dotted(path[:depth])}' is {count}; there is no {dotted((key,))} in it"))
    return here


def _steps(key: str) -> Iterator[str | int]:
    """``sources[1].path`` and ``sources.1.path`` alike; nothing for what is no key."""
    parts = key.split(".")
    if not all(_BARE_STEP.match(part) for part in parts):
        return
    for step in re.findall(r"\w+", key):
        yield int(step) if step.isdigit() else step
