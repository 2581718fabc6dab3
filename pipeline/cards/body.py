"""What a card says: sections in the order a reader asks, from what people state and what was counted."""

from typing import Any

from pipeline.cards import body_data, body_people
from pipeline.cards.blocks import Card, Figure
from pipeline.cards.words import hours, number, plural, size
from schemas.data_card import DataCard


def card_of(card: DataCard, facts: dict[str, Any]) -> Card:
    """The card of a shard set."""
    sections = (
        body_people.uses(card),
        body_people.robots(card, facts),
        body_people.collection(card, facts),
        body_data.composition(facts),
        body_data.words(facts, card),
        body_people.annotation(card, facts),
        body_data.provenance(facts),
        body_data.licences(facts, card),
        body_people.people(card, facts),
        body_people.limits(card, facts),
        body_data.balance(facts),
        body_data.checks(facts),
        body_data.reading(facts),
        body_people.upkeep(card, facts),
    )
    return Card(card.title, card.summary or lead(facts), figures(facts), sections)


def lead(facts: dict[str, Any]) -> str:
    """The first sentence, where nobody wrote one."""
    n_samples = sum(split["n_samples"] for split in facts["splits"].values())
    episodes = facts["episodes"]
    return (
        f"{plural(n_samples, 'sample')}, each one event of robot or human video with the actions and "
        "captions of exactly "
        f"the same span, from {plural(episodes['n'], 'recorded episode')} ({hours(episodes['duration_ns'])} hours). "
        "Plain WebDataset tars, ordered so that every prefix follows the sampling plan."
    )


def figures(facts: dict[str, Any]) -> tuple[Figure, ...]:
    """The numbers at the top."""
    splits, levels = facts["splits"].values(), facts["levels"].values()
    reviewed = sum(level["n"] - level["n_proposed"] for level in levels)
    n_events = sum(level["n"] for level in levels)
    return (
        Figure(number(sum(split["n_samples"] for split in splits)), "samples"),
        Figure(number(facts["episodes"]["n"]), "episodes"),
        Figure(hours(facts["episodes"]["duration_ns"]), "hours recorded"),
        Figure(number(facts["episodes"]["n_pictures"]), "pictures"),
        Figure(size(facts["n_bytes"]), "on disk"),
        Figure(f"{100 * reviewed / n_events if n_events else 0:.1f} %", "of events reviewed"),
    )
