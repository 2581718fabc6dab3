"""The same files and the same card give the same bytes."""

from datetime import date
from pathlib import Path

import yaml

from pipeline.cards.folder import SetFiles
from pipeline.cards.papers import card_text, papers
from schemas.data_card import DataCard, Uses
from schemas.data_card_file import parse_card
from tests.pipeline.shards.corpus import CARD


def test_papers_are_those_published(of: SetFiles, folder: Path) -> None:
    texts = papers(of, CARD)
    assert {name: (folder / name).read_text() for name in texts} == texts
    assert papers(of, CARD) == texts


def test_a_card_that_travels_says_what_was_stated_and_is_read_back_the_same() -> None:
    card = DataCard(title="Cups ümlaut", released=date(2026, 1, 2), uses=Uses(intended=["a", "b"]))
    text = card_text(card)
    assert list(yaml.safe_load(text)) == ["card", "title", "released", "uses"]
    assert parse_card(text, "card.yaml", Path()) == card
