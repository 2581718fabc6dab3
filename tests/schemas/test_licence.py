"""Licences by name, and what a list of them lets through."""

import pytest

from schemas.licence import admitted, terms
from schemas.source_card import Redistribution

ALLOWED, NC, FORBIDDEN, UNSTATED = (
    Redistribution.ALLOWED, Redistribution.NON_COMMERCIAL, Redistribution.FORBIDDEN, Redistribution.NOT_STATED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("CC-BY-NC-SA-4.0", {"by", "nc", "sa"}),
        ("Creative Commons Attribution NonCommercial", {"by", "nc"}),
        ("CC0-1.0", set()),
        ("MIT", set()),
        ("Apache-2.0", set()),
        ("LicenseRef-Ego4D (signed agreement)", set()),
    ],
)
def test_terms_are_those_a_name_says_outright(name: str, stated: set[str]) -> None:
    assert terms(name) == stated


@pytest.mark.parametrize(
    ("licence", "mode", "allow", "through"),
    [
        ("CC-BY-NC-4.0", NC, None, True),
        ("CC-BY-4.0", UNSTATED, ["CC-BY-4.0"], True),
        ("cc-by-4.0 ", UNSTATED, ["CC-BY-4.0"], True),
        ("CC-BY-4.0", ALLOWED, ["CC-BY-3.0"], False),
        ("CC-BY-NC-4.0", NC, ["CC-BY-4.0"], False),
        ("CC-BY", ALLOWED, ["CC-BY-4.0"], False),
        ("anything", ALLOWED, ["allowed"], True),
        ("anything", NC, ["allowed"], False),
        ("anything", NC, ["allowed", "non_commercial"], True),
        ("CC-BY-4.0", FORBIDDEN, ["CC-BY-4.0"], False),
        ("CC-BY-4.0", FORBIDDEN, ["forbidden"], True),
        ("MIT (BridgeData V2, CC-BY-4.0)", ALLOWED, ["MIT"], False),
    ],
)
def test_a_list_lets_through_what_it_names_and_nothing_that_is_merely_like_it(
    licence: str, mode: Redistribution, allow: list[str] | None, through: bool
) -> None:
    assert admitted(licence, mode, allow) is through
