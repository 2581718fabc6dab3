"""Licences in the words of a card and of the sites videos come from."""

import pytest

from pipeline.sources.licences import disagree

YOUTUBE = "Creative Commons Attribution license (reuse allowed)"


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("CC-BY-3.0", YOUTUBE),
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-NC-SA-4.0", "by-nc-sa"),
        ("CC-BY-SA-2.5", "Creative Commons Attribution-Share Alike 2.5"),
        ("CC0-1.0", "http://creativecommons.org/publicdomain/zero/1.0/"),
        ("Standard YouTube License", "standard  youtube license"),
    ],
)
def test_the_same_in_other_words_is_no_contradiction(card: str, said: str) -> None:
    assert not disagree(card, said)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ("CC-BY-4.0", "by-nc"),
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/3.0/"),
        ("CC-BY-4.0", "Standard YouTube License"),
        ("CC0-1.0", YOUTUBE),
        ("OpenMDW-1.1", YOUTUBE),
        ("CC-BY-4.0", "CC-BY-ND-4.0"),
        ("CC-BY-4.0", "Creative Commons Attribution-NonCommercial 4.0"),
    ],
)
def test_other_terms_other_versions_and_words_nobody_knows_are_told(card: str, said: str) -> None:
    assert disagree(card, said)
    assert disagree(said, card)
