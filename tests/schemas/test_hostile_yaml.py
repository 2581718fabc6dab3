"""Recipes and registries that nobody wrote by hand: bombs, tags that would run code, endless nesting, random damage."""

import random
import resource
import time
from pathlib import Path

import pytest

from schemas.recipe_file import RecipeErrors, load_recipe
from schemas.recipe_text import MAX_CHARACTERS, parse
from schemas.registry_file import RegistryError, parse_registry
from tests.pipeline.sources.mutations.raw_bytes import BYTES
from tests.pipeline.sources.mutations.text import TEXT, yaml_bomb

BOMB = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x]", *(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))]
)
DEEP = "[" * 5000
RECIPE = """joinery: 1
workspace: {path: workspace, storage: {}}
sources:
  - name: films
    format: video_folder
    path: films
    card: {licence: CC0-1.0}
run: {executor: inline}
"""
REGISTRY = "films: {licence: CC0-1.0, consent: yes}\nothers: {licence: MIT}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "more than a trillion values, expected at most 100000; write out what its aliases"),
        (DEEP, "sections inside sections without end"),
        ("{a: " * 5000, "sections inside sections without end"),
        ("a: " + "x" * MAX_CHARACTERS, "characters, expected at most"),
    ],
)
def test_a_bomb_is_refused_in_recipe_and_registry_alike(text: str, said: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    (problem,) = parse(text, "recipe.yaml").problems
    assert said in problem.message
    with pytest.raises(RegistryError, match=f"registry.yaml: .*{said}"):
        parse_registry(text, "registry.yaml")
    assert time.process_time() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_tag_is_no_code() -> None:
    tags = ("object/apply:os.system ['true']", "name:os.system x")
    text = (
        "".join(f"{key}: !!python/{tag}\n" for key, tag in zip("ab", tags, strict=True)) + "c: !!int x\nd: !!int 0x10"
    )
    assert [problem.path for problem in parse(text, "recipe.yaml").problems] == [("b",), ("c",), ("d",)]
    with pytest.raises(RegistryError, match="could not determine a constructor"):
        parse_registry(text, "registry.yaml")


@pytest.mark.parametrize("seed", [*range(40), *(pytest.param(n, marks=pytest.mark.slow) for n in range(40, 120))])
def test_any_damage_is_told_or_harmless(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZ_CANARY", str(tmp_path / "canary"))
    rng = random.Random(f"yaml {seed}")
    change = rng.choice((yaml_bomb, yaml_bomb, *TEXT, *BYTES))
    for name, text in (("recipe.yaml", RECIPE + "registry: cards.yaml\n"), ("cards.yaml", REGISTRY)):
        (tmp_path / name).write_bytes(change(text.encode(), rng) if rng.random() < 0.7 else text.encode())
    (tmp_path / "films").mkdir()
    began, problems = time.process_time(), ()
    try:
        load_recipe(tmp_path / "recipe.yaml")
    except RecipeErrors as errors:
        problems = errors.problems
    assert all("recipe.yaml" in problem for problem in problems)
    assert time.process_time() - began < 10
    assert not (tmp_path / "canary").exists()
