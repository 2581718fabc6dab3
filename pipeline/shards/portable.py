"""The recipe as it travels with a shard set: what was made and how, without where.

Workspace, run section and the places of files are left out, so that the same recordings and settings give the
same bytes on any machine, and no bucket name or credential leaves the house.
"""

from typing import Any

import yaml

from pipeline.cards.folder import CARD_SOURCE
from schemas.recipe import Recipe
from schemas.recipe_places import place_paths
from schemas.recipe_text import dotted, value_at

_HEADER = """\
# The recipe of this shard set. `workspace`, `run` and the places of files are left out, because they change no byte;
# to run it again, add `workspace` and fill in the places in angle brackets.
"""


def portable_values(recipe: Recipe) -> dict[str, Any]:
    """The recipe with its defaults written out and every place replaced by its key in brackets."""
    values: dict[str, Any] = recipe.model_dump(mode="json", exclude={"workspace", "run", "load"})
    for path in place_paths(values):
        if isinstance(value_at(values, path), str):
            value_at(values, path[:-1])[path[-1]] = f"<{dotted(path)}>"
    values["shard"]["card"] = CARD_SOURCE
    return values


def portable_text(values: dict[str, Any]) -> str:
    """Canonical YAML of `portable_values`. They are keyed and this is not: it takes tens of milliseconds."""
    return _HEADER + yaml.safe_dump(values, sort_keys=True, allow_unicode=True, width=100)
