"""A recipe is YAML 1.2 without riddles, and every value in it knows its line or its override."""

from pathlib import Path

import pytest

from schemas.recipe_file import RecipeErrors, load_recipe
from tests.schemas.recipe_example import GOOD, edited, load, problems


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1\nb: 2\n", "demo.yaml:2: not YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
        (
            "a:\n\tb: 1\n",
            "demo.yaml:2: not YAML: while scanning for the next token found character '\\t' that cannot start any"
            " token; indent with spaces, YAML takes no tabs",
        ),
        ("a: b: c\n", "demo.yaml:1: not YAML: mapping values are not allowed here"),
        ("a: *nobody\n", "demo.yaml:1: not YAML: found undefined alias 'nobody'"),
        ("a: 1\nb: \x07\n", "demo.yaml:2: not YAML: character U+0007 is not allowed"),
        (
            "",
            "demo.yaml:1: found nothing, expected a recipe with at least the keys 'joinery', 'workspace' and 'sources'",
        ),
        (
            "- 1\n",
            "demo.yaml:1: found a list, expected a recipe with at least the keys 'joinery', 'workspace' and 'sources'",
        ),
        (
            "3\n",
            "demo.yaml:1: found one value, expected a recipe with at least the keys 'joinery',"
            " 'workspace' and 'sources'",
        ),
    ],
)
def test_text_that_is_no_recipe_is_one_problem_with_its_line(folder: Path, text: str, line: str) -> None:
    assert problems(text) == [line]


def test_half_a_character_is_no_text(folder: Path) -> None:
    assert r"demo.yaml:8: sources[0].card.licence: found half a character in '\ud800'; write it as UTF-8" in problems(
        edited(("licence: MIT", r'licence: "\ud800"'))
    )


def test_a_missing_file_is_said_plainly(folder: Path) -> None:
    with pytest.raises(RecipeErrors, match=r"^nowhere.yaml: no such file; name an existing recipe$"):
        load_recipe(Path("nowhere.yaml"))


def test_a_folder_is_no_recipe(folder: Path) -> None:
    with pytest.raises(RecipeErrors, match=r"^recordings: is a folder, expected a recipe file$"):
        load_recipe(Path("recordings"))


def test_a_file_in_another_encoding_is_said_plainly(folder: Path) -> None:
    Path("demo.yaml").write_bytes(b"licence: \xe9")
    with pytest.raises(RecipeErrors, match=r"^demo.yaml: byte 9 is not UTF-8; save the file as UTF-8$"):
        load_recipe(Path("demo.yaml"))


def test_overrides_are_typed_and_reach_anything(folder: Path) -> None:
    loaded = load(GOOD, "run.workers=3", "sources[1].name=films", "sources.0.cameras=[top]", "segment.lift_m=2e-2")
    recipe = loaded.recipe
    assert (recipe.run.workers, recipe.sources[1].name, recipe.segment.lift_m) == (3, "films", 0.02)
    assert recipe.sources[0].model_dump()["cameras"] == ["top"]
    assert loaded.text.endswith("# override: segment.lift_m=2e-2\n")


def test_an_overridden_path_is_relative_to_the_recipe_too(folder: Path) -> None:
    assert load(GOOD, "workspace.url=there").recipe.workspace.url == str(folder / "there")


def test_a_later_override_wins(folder: Path) -> None:
    assert load(GOOD, "run.workers=3", "run.workers=4").recipe.run.workers == 4


OVERRIDES = [
    ("run.executor=inlin", "override 'run.executor=inlin': run.executor: found 'inlin', expected 'inline' or 'ray'"),
    ("run.exeutor=ray", "override 'run.exeutor=ray': run.exeutor: unknown key; did you mean 'executor'?"),
    (
        "run=3",
        "override 'run=3': run: found 3, expected a section with the keys executor, ray_address, workers, batch_items,"
        " gpu_share, patience_s, error_budget, vlm, sandbox, log_level, metrics_port, metrics_address, prices",
    ),
    (
        "inline",
        "override 'inline': expected key=value, such as run.executor=inline or sources[0].path=recordings",
    ),
    (
        "sources[2].name=x",
        "override 'sources[2].name=x': sources[2].name: 'sources' is a list of 2; there is no [2] in it",
    ),
    ("joinery.x=1", "override 'joinery.x=1': joinery.x: 'joinery' is no section; there is no x in it"),
    ("run[0]=1", "override 'run[0]=1': run[0]: 'run' is no list; there is no [0] in it"),
    ("run.workers=[", "override 'run.workers=[': run.workers: found '[', expected one YAML value after ="),
]


@pytest.mark.parametrize(("assignment", "line"), OVERRIDES)
def test_a_wrong_override_is_named(folder: Path, assignment: str, line: str) -> None:
    assert problems(GOOD, assignment) == [line]


def test_an_override_can_mend_the_file(folder: Path) -> None:
    assert load(edited(("executor: inline", "executor: inlin")), "run.executor=ray").recipe.run.executor == "ray"
