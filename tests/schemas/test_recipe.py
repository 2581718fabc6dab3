"""The recipe as a value: what it defaults to, and what its digests cover."""

import pytest
from pydantic import ValidationError

from schemas.event import Level
from schemas.recipe import DefaultEncoder, Recipe, SegmentSpec
from schemas.recipe_balance import BalanceSpec
from schemas.recipe_section import section_digest

MINIMAL = {
    "joinery": 1,
    "workspace": {"url": "out"},
    "sources": [{"format": "video_folder", "name": "web", "path": "films", "card": {"licence": "MIT"}}],
}


def test_three_keys_are_a_recipe() -> None:
    recipe = Recipe.model_validate(MINIMAL)
    assert recipe.balance.level is Level.ACTION
    assert isinstance(recipe.embed.vision_language, DefaultEncoder)


def test_a_sections_digest_covers_its_values_defaults_included() -> None:
    assert section_digest(SegmentSpec(reversal=0.2)) == section_digest(SegmentSpec())
    assert section_digest(SegmentSpec(reversal=0.3)) != section_digest(SegmentSpec())


def test_sections_of_equal_values_and_other_keys_differ() -> None:
    assert section_digest(BalanceSpec()) != section_digest(SegmentSpec())


def test_a_recipe_cannot_be_changed_after_it_was_checked() -> None:
    recipe = Recipe.model_validate(MINIMAL)
    with pytest.raises(ValidationError, match="frozen"):
        recipe.balance.alpha = 2.0


def test_an_impossible_combination_built_in_python_is_refused_with_its_key() -> None:
    with pytest.raises(ValidationError, match="beta: alpha and beta are both 0"):
        BalanceSpec(alpha=0, beta=0)
