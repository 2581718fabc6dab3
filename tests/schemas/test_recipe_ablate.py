"""An ablation's file: right or every problem at once, and every key on its page."""

import re
from pathlib import Path

import pytest

from schemas.recipe_ablate import AblateErrors, AblateSpec, Factors, Judged, read_ablation
from tests.test_docs import said
from tests.test_repository import ROOT

PAGE = ROOT / "docs" / "ablate.md"


def test_the_one_that_comes_with_the_code_is_right_and_says_the_defaults() -> None:
    found = read_ablation(ROOT / "recipes" / "ablate.yaml")
    assert found == AblateSpec(ablate=1, shards=str(ROOT / "recipes" / "demo.yaml"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ablate: 1\n", "shards"),
        ("ablate: 1\nshards: s\nseeds: [1, 2]\n", "3: seeds: found 2 different seeds, expected 3 or more"),
        ("ablate: 1\nshards: s\nseeds: [1, 2, 2]\n", "found 2 different seeds"),
        ("ablate: 1\nshards: s\nfactors:\n  cells: [natural, natural]\n", "4: factors.cells: found a level twice"),
        ("ablate: 1\nshards: s\nfactors:\n  windows: []\n", "factors.windows: found no level"),
        ("ablate: 1\nshards: s\nfactors:\n  window: [event]\n", "factors.window: unknown key; did you mean 'windows'"),
        ("ablate: 1\nshards: s\njudged: {episodes: 0}\n", "judged.episodes"),
        ("a: [\n", "YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(AblateErrors) as errors:
        read_ablation(tmp_path / "a.yaml")
    assert problem in str(errors.value)


def test_shards_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("ablate: 1\nshards: s/t\n", encoding="utf-8")
    assert read_ablation(tmp_path / "a.yaml").shards == str(tmp_path / "s" / "t")


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(AblateErrors, match="cannot be read"):
        read_ablation(tmp_path / "none.yaml")


@pytest.mark.parametrize("section", [AblateSpec, Factors, Judged])
def test_every_key_is_documented_with_its_default(section: type[AblateSpec] | type[Factors] | type[Judged]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(?:[a-z]+\.)?([a-z_0-9]+)` \|([^|]*)\|", text, re.MULTILINE))
    for key, field in section.model_fields.items():
        assert key in table, key
        if not field.is_required() and field.default_factory is None:
            default = list(field.default) if isinstance(field.default, tuple) else field.default
            assert table[key].strip() == said(default), key
