"""All that is made of a card and its facts: ``facts.json``, ``README.md``, ``croissant.json``, ``card.html``."""

from typing import Any

import yaml

from pipeline.cards.body import card_of
from pipeline.cards.count import count
from pipeline.cards.croissant import croissant
from pipeline.cards.folder import CROISSANT, FACTS, PAGE, README, SetFiles
from pipeline.cards.front_matter import front_matter
from pipeline.cards.markdown import markdown
from pipeline.cards.page import page
from pipeline.shards.json_text import pretty
from schemas.data_card import DataCard


def papers(of: SetFiles, card: DataCard) -> dict[str, str]:
    """File → text, the same for the same files."""
    facts = count(of, card)
    return {FACTS: pretty(facts), **told(of, card, facts)}


def told(of: SetFiles, card: DataCard, facts: dict[str, Any]) -> dict[str, str]:
    """What is said of facts that were counted already."""
    whole = card_of(card, facts)
    return {
        README: f"{front_matter(card, facts)}\n{markdown(whole)}",
        CROISSANT: pretty(croissant(of, card, facts)),
        PAGE: page(whole),
    }


def card_text(card: DataCard) -> str:
    """``card.yaml`` as it travels with a set: what was stated, in the order of the schema."""
    values = card.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump({"card": card.card, **values}, sort_keys=False, allow_unicode=True, width=100)
