"""A registry: source cards by name, in YAML, shared by many recipes.

Cards come from two places: the ones that ship with Joinery for public datasets (`data_cards.registry`) and the file
a recipe names as ``registry``, which is asked first. A recipe that says ``card: droid`` gets the card of that name.
"""

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from schemas.recipe_problems import closest
from schemas.recipe_text import BombError, Problem, check_size, check_values
from schemas.source_card import SourceCard

Cards = Mapping[str, SourceCard]


class RegistryError(Exception):
    """A registry that cannot be used; the message names file, card, key, found and expected."""


def parse_registry(text: str, name: str) -> dict[str, SourceCard]:
    """The cards of a registry's YAML. Raises RegistryError for the first thing wrong with it."""
    try:
        check_size(text)
        check_values(yaml.compose(text, yaml.SafeLoader))
        data = yaml.safe_load(text)
    except (yaml.YAMLError, BombError, ValueError) as error:
        raise RegistryError(f"{name}: is no YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise RegistryError(f"{name}: is no YAML that anybody wrote: sections inside sections without end") from error
    if not isinstance(data, dict):
        raise RegistryError(f"{name}: found {type(data).__name__}, expected source cards by name")
    cards = {}
    for card_name, stated in data.items():
        try:
            cards[str(card_name)] = SourceCard.model_validate(stated)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, (card_name, *first["loc"])))
            found = "" if first["type"] == "missing" else f" (found {first['input']!r:.200})"
            raise RegistryError(f"{name}: {key}: {first['msg'].lower()}{found}; correct this card") from error
    return cards


def with_cards(data: Any, cards: Cards, registry: str) -> tuple[Any, list[Problem]]:
    """A recipe's data with every card that is named replaced by its content, and a problem for each unknown name.

    ``registry`` says where to register a source that is not.
    """
    sources = data.get("sources") if isinstance(data, dict) else None
    if not isinstance(sources, list):
        return data, []
    problems, resolved = [], []
    for position, source in enumerate(sources):
        named = source.get("card") if isinstance(source, dict) else None
        if isinstance(named, str) and named in cards:
            source = {**source, "card": cards[named].model_dump(mode="json")}  # noqa: PLW2901 - the same source, resolved
        elif isinstance(named, str):
            meant = closest(named, cards)
            advice = f"did you mean '{meant}'?" if meant else f"register it in {registry}"
            problems.append(Problem(("sources", position, "card"), f"no source card {named!r} is registered; {advice}"))
            source = {**source, "card": {"licence": "unknown"}}  # noqa: PLW2901 - so that the rest is checked too
        resolved.append(source)
    return {**data, "sources": resolved}, problems
