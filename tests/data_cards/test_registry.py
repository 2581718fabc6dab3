"""The cards that ship with Joinery."""

from data_cards.registry import bundled_cards
from schemas.source_card import Redistribution


def test_public_datasets_are_registered() -> None:
    cards = bundled_cards()
    assert {"droid", "ego4d", "epic_kitchens_100", "bridge_v2"} <= set(cards)
    assert cards["droid"].licence == "CC-BY-4.0"


def test_a_licence_that_forbids_commerce_is_not_called_free() -> None:
    for name, card in bundled_cards().items():
        if "-NC" in card.licence:
            assert card.redistribution is not Redistribution.ALLOWED, name
