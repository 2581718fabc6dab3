"""Source cards by name: who may use what, said once."""

from pathlib import Path

import pytest

from schemas.recipe_file import RecipeErrors, load_recipe
from schemas.registry_file import RegistryError, parse_registry
from schemas.source_card import SourceCard
from tests.schemas.recipe_example import GOOD

CARD = SourceCard(licence="MIT", consent="given", contact="me")


def recipe(tmp_path: Path, card: str, registry: str | None = None) -> Path:
    text = GOOD.replace("{licence: MIT}", card)
    if registry is not None:
        (tmp_path / "cards.yaml").write_text(registry, encoding="utf-8")
        text = text.replace("sources:", "registry: cards.yaml\nsources:", 1)
    for folder in ("arm", "web"):
        (tmp_path / "recordings" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "recordings" / folder / "a.mp4").touch()
    path = tmp_path / "demo.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_source_that_is_not_registered_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeErrors, match=r"sources\[0\].card: no source card 'kichen' is registered; did you mean"):
        load_recipe(recipe(tmp_path, "kichen"), (), {"kitchen": CARD})


def test_a_card_comes_from_the_registry_the_recipe_names_first(tmp_path: Path) -> None:
    path = recipe(tmp_path, "kitchen", "kitchen: {licence: CC0-1.0}\n")
    assert load_recipe(path, (), {"kitchen": CARD}).recipe.sources[0].card == SourceCard(licence="CC0-1.0")


def test_other_names_are_looked_up_in_the_cards_that_come_with_joinery(tmp_path: Path) -> None:
    path = recipe(tmp_path, "kitchen", "other: {licence: CC0-1.0}\n")
    assert load_recipe(path, (), {"kitchen": CARD}).recipe.sources[0].card == CARD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kitchen: {consent: given}", "kitchen.licence: field required"),
        ("kitchen: {licence: MIT, licnce: MIT}", "kitchen.licnce: extra inputs are not permitted"),
        ("kitchen: {licence: MIT, redistribution: maybe}", "kitchen.redistribution: input should be"),
        ("- kitchen", "found list, expected source cards by name"),
        ("a: [", "is no YAML"),
    ],
)
def test_a_wrong_card_is_said_by_file_and_key(text: str, said: str) -> None:
    with pytest.raises(RegistryError, match=r"^cards\.yaml: ") as error:
        parse_registry(text, "cards.yaml")
    assert said in str(error.value)


def test_a_registry_that_is_not_there_is_said(tmp_path: Path) -> None:
    path = recipe(tmp_path, "kitchen", "x: {licence: MIT}")
    (tmp_path / "cards.yaml").unlink()
    with pytest.raises(RecipeErrors, match=r"registry: .*cards\.yaml: no such file"):
        load_recipe(path)
