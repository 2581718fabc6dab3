"""Reading a recipe file: all of it right, or every problem at once.

Nobody should learn of the second mistake in a recipe after an hour of work on the first stage. `load_recipe` checks
syntax, keys, types, ranges, combinations and places before any process starts, and says for each problem the line, the
key, what was found, what was expected and what to do. Its four steps have a file each: `schemas.recipe_text` (lines),
`schemas.recipe_problems` (values), `schemas.recipe_places` (paths), and `schemas.recipe` (what a recipe is).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from schemas.data_card_file import with_card
from schemas.identity import canonical_json, digest
from schemas.recipe import Recipe
from schemas.recipe_extras import extras_problems
from schemas.recipe_places import REGISTRY, SECRET_KEYS, STORAGE, place_problems, with_absolute_places
from schemas.recipe_problems import validated
from schemas.recipe_text import Document, Problem, override, parse, value_at
from schemas.registry_file import Cards, RegistryError, parse_registry, with_cards
from schemas.robot_files import with_chains


@dataclass(frozen=True)
class LoadedRecipe:
    """A valid recipe and what it was read from."""

    recipe: Recipe
    """Every path in it is absolute."""
    text: str
    """As written, for the ledger; overrides stand as comments at the end."""
    path: Path
    digest: str
    """Of what the recipe makes, wherever: workspace, folders and how to run do not count (`recipe_digest`)."""


class RecipeErrors(Exception):  # noqa: N818 - many errors in one, as the name says
    """Everything that is wrong with a recipe; ``problems`` holds one line each, in the order of the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load_recipe(path: Path, overrides: Sequence[str] = (), cards: Cards = MappingProxyType({})) -> LoadedRecipe:
    """The recipe in a file, with overrides such as ``run.executor=inline`` written over it.

    ``cards`` are the source cards a recipe may name; those of its own ``registry`` come first.

    Relative paths, also those of overrides, are relative to the file's folder. Raises RecipeErrors listing all
    problems, each as ``file:line: key: problem`` or ``override 'key=value': key: problem``.
    """
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeErrors([f"{name}: {_unreadable(error)}"]) from error
    document = parse(text, name)
    if document.data is None:
        raise _errors(document, document.problems, overrides)
    for assignment in overrides:
        override(document, assignment)
    data = with_absolute_places(document.data, path.absolute().parent)
    data, unregistered = _with_registered_cards(data, cards)
    data, unreadable = with_chains(data)
    data, unstated = with_card(data, path.absolute().parent)
    recipe, problems = validated(data, Recipe)
    elsewhere = [*place_problems(data), *extras_problems(data)]
    problems = [*document.problems, *unregistered, *unreadable, *unstated, *problems, *elsewhere]
    if recipe is None or problems:
        raise _errors(document, problems, overrides)
    said = "".join(f"# override: {assignment}\n" for assignment in overrides)
    text = f"{text.rstrip()}\n{said}" if said else text
    return LoadedRecipe(recipe, text, path, recipe_digest(recipe))


def _with_registered_cards(data: Any, cards: Cards) -> tuple[Any, list[Problem]]:
    """The data with named source cards filled in from the recipe's registry and from ``cards``."""
    registry = value_at(data, REGISTRY)
    if not isinstance(registry, str):
        return with_cards(data, cards, "a file that `registry` names")
    try:
        own = parse_registry(Path(registry).read_text(encoding="utf-8"), registry)
    except (OSError, UnicodeDecodeError) as error:
        return data, [Problem(REGISTRY, f"{registry}: {_unreadable(error)}")]
    except RegistryError as error:
        return data, [Problem(REGISTRY, str(error))]
    return with_cards(data, {**cards, **own}, registry)


def recipe_digest(recipe: Recipe) -> str:
    """Digest of everything in a recipe that says *what* to make; the same on every machine.

    Left out are ``workspace`` and ``run``, ``load`` and ``recover``, which no stage reads, and the folders of sources
    and checkpoint: contents are identified by the stages that read them, and a moved folder changes nothing.
    """
    values = recipe.model_dump(mode="json", exclude={"workspace", "registry", "load", "recover", "run"})
    for source in values["sources"]:
        del source["path"]
    checkpoint = values["embed"]["vision_language"].get("checkpoint")
    if checkpoint is not None:
        values["embed"]["vision_language"]["checkpoint"] = Path(checkpoint).name
    return digest(canonical_json(values))


def recipe_json_schema() -> dict[str, Any]:
    """JSON schema of a recipe, for editors that complete and check YAML."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Recipe.model_json_schema()}


def _errors(document: Document, problems: Sequence[Problem], overrides: Sequence[str]) -> RecipeErrors:
    lines = [document.sentence(problem) for problem in sorted(problems, key=document.order)]
    for assignment in overrides:
        lines = [line.replace(assignment, _blanked(assignment)) for line in lines]
    return RecipeErrors(list(dict.fromkeys(lines)))


def _unreadable(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8; save the file as UTF-8"
    if isinstance(error, FileNotFoundError):
        return "no such file; name an existing recipe"
    if isinstance(error, IsADirectoryError):
        return "is a folder, expected a recipe file"
    return f"cannot be read: {error.strerror}"


def _blanked(assignment: str) -> str:
    """An override without what may be a credential: errors are read by others, and kept in logs."""
    key = assignment.partition("=")[0].strip()
    storage = ".".join(map(str, STORAGE))
    shallow = key == storage or storage.startswith(f"{key}.")
    secret = key.endswith(SECRET_KEYS) or (shallow and any(name in assignment for name in SECRET_KEYS))
    return f"{key}=***" if secret else assignment
