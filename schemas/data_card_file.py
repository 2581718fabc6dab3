"""Reading a ``card.yaml``: a whole valid card, or everything that is wrong with it, each with its line.

A recipe names the file, or writes the card in place. Like source cards (`schemas.registry_file`) it is content, not a
place: what it says is part of the recipe from here on, and so is what people's agreement was measured to be.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.agreement import AgreementReport
from schemas.data_card import DataCard
from schemas.recipe_places import CARD, absolute, is_local, replaced
from schemas.recipe_problems import validated
from schemas.recipe_text import KeyPath, Problem, parse, value_at

AGREEMENT: KeyPath = ("annotation", "agreement")


class CardErrors(Exception):  # noqa: N818 - many errors in one, as the name says
    """Everything that is wrong with a card; ``problems`` holds one line each, in the order of the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_card(path: Path) -> DataCard:
    """The card in a file. Raises CardErrors: ``file:line: key: found …, expected …``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CardErrors([f"{path}: no such file; name an existing card, or write the section in the recipe"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CardErrors([f"{path}: cannot be read: {error}; expected YAML in UTF-8"]) from error
    return parse_card(text, str(path), path.absolute().parent)


def parse_card(text: str, name: str, folder: Path) -> DataCard:
    """The card in a text; what it names is relative to ``folder``. Raises CardErrors."""
    document = parse(text, name, what="a card with keys such as 'title', 'contact' and 'people'")
    if document.data is None:
        raise CardErrors([document.sentence(problem) for problem in document.problems])
    data, unreadable = with_agreement(document.data, (), folder)
    card, problems = validated(data, DataCard)
    problems = [*document.problems, *unreadable, *problems]
    if card is None or problems:
        raise CardErrors([document.sentence(problem) for problem in sorted(problems, key=document.order)])
    return card


def with_card(data: Any, folder: Path) -> tuple[Any, list[Problem]]:
    """A recipe's data (paths absolute) with the card's content in place of its path, and what is wrong with the file.

    ``folder`` is the recipe's: what a card written in place names is relative to it.
    """
    named = value_at(data, CARD)
    if not isinstance(named, str):
        return with_agreement(data, CARD, folder)
    if not is_local(named):
        return replaced(data, CARD, {}), [Problem(CARD, f"found {named!r}, expected a file on this machine")]
    try:
        card = read_card(Path(named)).model_dump(mode="json")
    except CardErrors as errors:
        return replaced(data, CARD, {}), [Problem(CARD, problem) for problem in errors.problems]
    return replaced(data, CARD, card), []


def with_agreement(data: Any, card: KeyPath, folder: Path) -> tuple[Any, list[Problem]]:
    """The data with the measured agreement in place of the path of its document."""
    path = (*card, *AGREEMENT)
    named = value_at(data, path)
    if not isinstance(named, str):
        return data, []
    place = Path(absolute(named, folder))
    try:
        report = AgreementReport.model_validate(json.loads(place.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}" if first else " ".join(str(error).split())
        advice = "write it anew with `joinery review agreement`"
        return replaced(data, path, None), [Problem(path, f"{place}: is no agreement document ({said}); {advice}")]
    return replaced(data, path, report.model_dump(mode="json")), []
