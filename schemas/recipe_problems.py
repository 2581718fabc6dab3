"""What is wrong with a recipe's values, in words.

`schemas.recipe.Recipe` is the only place that says what a recipe may contain, `schemas.data_card.DataCard` of a card.
This module asks their JSON schema what stands where, so that every message can say what was found and what was expected
without a second list of keys.
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.recipe_text import KeyPath, Problem, value_at

_LONGEST_FOUND = 60

M = TypeVar("M", bound=BaseModel)


def validated(data: Any, model: type[M]) -> tuple[M | None, list[Problem]]:
    """The recipe or card, or None and everything that is wrong with it.

    Through JSON because pydantic is then strict the way YAML is: ``"1"`` and ``true`` are no numbers, while an enum is
    written as its text.
    """
    try:
        return model.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    schema = model.model_json_schema()
    problems = [_problem(item, data, schema) for item in found]
    guessed = {(*problem.path[:-1], meant) for problem, meant in problems if meant is not None}
    missing = {problem.path for (problem, _), item in zip(problems, found, strict=True) if item["type"] == "missing"}
    return None, [problem for problem, _ in problems if problem.path not in guessed & missing]


def _problem(error: Mapping[str, Any], data: Any, schema: dict[str, Any]) -> tuple[Problem, str | None]:
    """The problem, and for an unknown key the known one that was probably meant."""
    path = _key_path(error["loc"], data, schema)
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(_node(path[:-1], data, schema), schema)
            meant = closest(str(path[-1]), known)
            return Problem(path, f"unknown key; {_suggestion(meant, known)}"), meant
        case "missing":
            return Problem(path, f"missing; add {_expected(path, data, schema)}"), None
        case "union_tag_not_found" | "union_tag_invalid":
            union = _resolved(_node(path, data, schema, pick=False), schema)
            key = union["discriminator"]["propertyName"]
            tag = value_at(data, (*path, key))
            found = "missing; add" if tag is None else f"found {found_text(tag)}, expected"
            return Problem((*path, key), f"{found} {_any_of(union['discriminator']['mapping'])}"), None
        case "impossible":
            context = error["ctx"]
            below = tuple(int(step) if step.isdigit() else step for step in context["key"].split("."))
            return Problem(path + below, context["problem"]), None
    quote = (
        "; put it in quotes"
        if error["type"] == "string_type" and isinstance(error["input"], bool | int | float)
        else ""
    )
    found = found_text(error["input"])
    return Problem(path, f"found {found}, expected {_expected(path, data, schema)}{quote}"), None


def _key_path(loc: Iterable[str | int], data: Any, schema: dict[str, Any]) -> KeyPath:
    """Pydantic's location without the names of union branches, which stand in no file."""
    path: KeyPath = ()
    for step in loc:
        union = _resolved(_node(path, data, schema, pick=False), schema)
        if "discriminator" not in union or step not in union["discriminator"]["mapping"]:
            path = (*path, step)
    return path


# -- walking the JSON schema -----------------------------------------------------------------------------------------


def _node(path: KeyPath, data: Any, schema: dict[str, Any], *, pick: bool = True) -> dict[str, Any]:
    """The schema of the value at a path; ``pick`` chooses a union's branch by the data's own tag."""
    node = schema
    for depth, key in enumerate(path):
        node = _branch(node, value_at(data, path[:depth]), schema)
        below = node.get("items") if isinstance(key, int) else node.get("properties", {}).get(key)
        extra = node.get("additionalProperties")
        node = below or (extra if isinstance(extra, dict) else {})
    return _branch(node, value_at(data, path), schema) if pick else node


def _branch(node: dict[str, Any], value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    node = _resolved(node, schema)
    if "discriminator" not in node:
        return node
    tag = value_at(value, (node["discriminator"]["propertyName"],))
    target = node["discriminator"]["mapping"].get(tag) if isinstance(tag, str) else None
    return _resolved({"$ref": target}, schema) if target else node


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The node itself instead of a reference to it or of "it or nothing"; a description beside a reference is kept."""
    options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved({**options[0], **_description(node)}, schema)
    if "$ref" in node:
        return {**schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], **_description(node)}
    return node


def _description(node: dict[str, Any]) -> dict[str, Any]:
    return {"description": node["description"]} if "description" in node else {}


def _known_keys(node: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    return list(_resolved(node, schema).get("properties", {}))


# -- words -----------------------------------------------------------------------------------------------------------


def _expected(path: KeyPath, data: Any, schema: dict[str, Any]) -> str:
    """What may stand at a path, with its description when it has one of its own."""
    node = _node(path, data, schema, pick=False)
    own = _description(node).get("description") if "$ref" not in node else None
    return _kind(node, schema) + (f" ({own.rstrip('.')})" if own else "")


def _kind(node: dict[str, Any], schema: dict[str, Any]) -> str:
    node = _resolved(node, schema)
    if "const" in node or "enum" in node:
        return _any_of(node.get("enum", [node.get("const")]))
    if "discriminator" in node:
        key = node["discriminator"]["propertyName"]
        return f"a section with {key}: {_any_of(node['discriminator']['mapping'])}"
    some = bool(node.get("minLength") or node.get("minItems"))
    match node.get("type"):
        case "string":
            words = f"text matching {node['pattern']}" if "pattern" in node else "some text" if some else "text"
            words = "a day such as 2026-03-31" if node.get("format") == "date" else words
        case "array":
            words = f"a list of {'at least one ' if some else ''}{_kind(node['items'], schema).removeprefix('some ')}"
        case "integer" | "number" | "boolean" as kind:
            words = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}[kind]
            words += _bounds(node)
        case _:
            keys = ", ".join(_known_keys(node, schema))
            words = f"a section with the keys {keys}" if keys else "a section"
    return words


def _bounds(node: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {node[bound]:g}" for bound, sign in signs.items() if bound in node]
    if "multipleOf" in node:
        bounds.append(f"a multiple of {node['multipleOf']}")
    return " " + " and ".join(bounds) if bounds else ""


def found_text(value: Any) -> str:
    """A value as a message shows it: short, and unmistakable about its type."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return f"a section with the keys {', '.join(value)}" if value else "an empty section"
        case list():
            return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= _LONGEST_FOUND else f"{text[:_LONGEST_FOUND]}…"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, or None."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def _suggestion(meant: str | None, known: list[str]) -> str:
    return f"did you mean '{meant}'?" if meant else f"expected {_any_of(known)}"


def _any_of(words: Iterable[Any]) -> str:
    *most, last = [repr(word) for word in words]
    return f"{', '.join(most)} or {last}" if most else last
