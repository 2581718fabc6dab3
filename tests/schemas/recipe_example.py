"""A small valid recipe, and ways to spoil it, for the tests of everything that reads one."""

from pathlib import Path

import pytest

from schemas.recipe_file import LoadedRecipe, RecipeErrors, load_recipe

GOOD = """\
joinery: 1
workspace:
  url: out
sources:
  - format: lerobot
    name: arm
    path: recordings/arm
    card: {licence: MIT}
  - format: video_folder
    name: web
    path: recordings/web
    card: {licence: CC-BY-4.0}
balance:
  alpha: 1
run:
  executor: inline
"""


def load(text: str, *overrides: str) -> LoadedRecipe:
    Path("demo.yaml").write_text(text, encoding="utf-8")
    return load_recipe(Path("demo.yaml"), overrides)


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeErrors) as caught:
        load(text, *overrides)
    return list(caught.value.problems)


def edited(*changes: tuple[str, str]) -> str:
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} must occur once"
        text = text.replace(old, new)
    return text
