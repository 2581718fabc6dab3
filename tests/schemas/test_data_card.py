"""What a card may say, and what contradicts itself."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.data_card import DataCard


def test_a_card_may_say_nothing_at_all() -> None:
    card = DataCard()
    assert (card.version, card.released, card.contact) == ("0.0.0", None, "not stated")
    assert card.people.personal_data == []


def test_what_is_stated_is_typed() -> None:
    card = DataCard.model_validate_json('{"released": "2026-03-31", "people": {"takedown_days": 7}}', strict=True)
    assert card.released == date(2026, 3, 31)
    assert card.people.takedown_days == 7


@pytest.mark.parametrize(
    "stated",
    [
        {"card": 2},
        {"version": "1.0"},
        {"doi": "https://doi.org/10.1/x"},
        {"url": "example.org"},
        {"languages": ["English"]},
        {"titel": "x"},
        {"people": {"personal_data": [{"subject": "faces", "method": "x", "n_checked": 3, "n_missed": 4}]}},
        {"people": {"personal_data": [{"subject": "faces", "method": m} for m in "ab"]}},
        {"people": {"gate": {"prompt": "agree", "fields": {"Country": "nation"}}}},
        {"collection": {"first_day": "2026-02-01", "last_day": "2026-01-01"}},
    ],
    ids=lambda stated: str(stated)[:60],
)
def test_what_cannot_be_is_refused(stated: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DataCard.model_validate(stated)
