"""The card's template: whole sentences around counted facts, nothing left to type by hand."""

import re
from importlib import resources
from string import Template

TEXT = resources.files("data_cards").joinpath("shard_set.md").read_text(encoding="utf-8")


def test_it_is_a_template_python_can_fill() -> None:
    assert Template(TEXT).is_valid()
    names = Template(TEXT).get_identifiers()
    assert len(names) == len(set(names))


def test_nothing_is_left_for_later() -> None:
    assert not re.search(r"\b(?:TBD|TODO|FIXME|[Mm]ore [Ii]nformation [Nn]eeded)\b", TEXT)


def test_every_table_header_matches_its_rule() -> None:
    lines = TEXT.splitlines()
    for number, line in enumerate(lines):
        if re.fullmatch(r"\|[-:|]+\|", line):
            assert line.count("|") == lines[number - 1].count("|"), lines[number - 1]


def test_people_licences_and_reading_are_spoken_of() -> None:
    for words in ("licence", "consent", "faces", "webdataset", "Contact"):
        assert words in TEXT
