"""docs/sources.md is what the readers say of themselves."""

from dataclasses import fields
from pathlib import Path

import pytest

from pipeline.sources.facts import FormatFacts
from pipeline.sources.formats import MODULES, format_named
from pipeline.sources.page import own_keys, page, sections

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_is_up_to_date() -> None:
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    assert text == page(), "run `python -m pipeline.sources.page > docs/sources.md`"


def test_every_format_of_the_recipe_has_a_reader_and_the_other_way_round() -> None:
    assert set(sections()) == set(MODULES)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_fact_is_said_and_fits_a_table(name: str) -> None:
    for field in fields(FormatFacts):
        said = getattr(format_named(name).facts, field.name)
        assert said, field.name
        assert isinstance(said, tuple) or not {"|", "\n"} & set(said), field.name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_key_of_a_format_is_described(name: str) -> None:
    assert [key for key, field in own_keys(name).items() if not field.description] == []
