"""A recipe is right, or every problem in it is said at once, in the order of the file."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from schemas.recipe import ExecutorName, OpenClipEncoder, Recipe
from schemas.recipe_file import RecipeErrors, load_recipe, recipe_json_schema
from tests.schemas.recipe_example import GOOD, edited, load


def test_a_good_recipe_comes_out_typed_with_absolute_paths(folder: Path) -> None:
    loaded = load(GOOD)
    assert loaded.recipe.workspace.url == str(folder / "out")
    assert [source.path for source in loaded.recipe.sources] == [
        str(folder / "recordings" / "arm"),
        str(folder / "recordings" / "web"),
    ]
    assert loaded.recipe.run.executor is ExecutorName.INLINE
    assert loaded.text == GOOD
    assert loaded.path == Path("demo.yaml")


def test_paths_are_relative_to_the_recipe_not_to_the_shell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "demo.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(folder / "elsewhere")
    loaded = load_recipe(Path("../demo.yaml"))
    assert loaded.recipe.sources[0].path == str(folder / "recordings" / "arm")


def test_a_file_url_and_an_absolute_path_are_the_same_workspace(folder: Path) -> None:
    loaded = load(edited(("url: out", f"url: file://{folder}/out")))
    assert loaded.recipe.workspace.url == str(folder / "out")


def test_the_recipe_that_comes_out_is_valid_again(folder: Path) -> None:
    recipe = load(GOOD).recipe
    assert Recipe.model_validate(recipe.model_dump()) == recipe


def test_a_checkpoint_is_found_beside_the_recipe(folder: Path) -> None:
    (folder / "clip.pt").touch()
    text = GOOD + "embed:\n  vision_language: {encoder: open_clip, checkpoint: clip.pt}\n"
    encoder = load(text).recipe.embed.vision_language
    assert isinstance(encoder, OpenClipEncoder)
    assert encoder.checkpoint == str(folder / "clip.pt")


def test_an_object_store_workspace_is_not_visited(folder: Path) -> None:
    storage = "url: s3://bucket/joinery/\n  storage: {endpoint: 'http://127.0.0.1:1', region: eu-west-1}"
    assert load(edited(("url: out", storage))).recipe.workspace.url == "s3://bucket/joinery"


@pytest.mark.parametrize("key", ["workspace.storage.secret_access_key=topper", "workspace={secret_access_key: topper}"])
def test_credentials_are_refused_and_the_refusal_does_not_repeat_them(folder: Path, key: str) -> None:
    storage = "url: out\n  storage:\n    access_key_id: AKIA1\n"
    with pytest.raises(RecipeErrors) as refused:
        load(edited(("url: out\n", storage)), key)
    assert "workspace.storage.access_key_id: a secret does not belong in a recipe" in str(refused.value) or "{" in key
    assert "AKIA1" not in str(refused.value)
    assert "topper" not in str(refused.value)


def test_seconds_of_patience_are_a_number(folder: Path) -> None:
    storage = "url: s3://b/x\n  storage: {region: eu, retry_s: 7.5}"
    assert load(edited(("url: out", storage))).recipe.workspace.storage == {"region": "eu", "retry_s": "7.5"}


def test_the_digest_covers_what_is_made_and_not_where_or_how(folder: Path) -> None:
    first = load(GOOD).digest
    assert load(f"# a comment\n{GOOD}", "run.workers=2", "workspace.url=other").digest == first
    (folder / "moved").symlink_to(folder / "recordings")
    assert load(GOOD.replace("recordings/", "moved/")).digest == first
    assert load(GOOD, "load.budget=4096").digest == first, "a plan is compiled beside a run"
    assert load(GOOD, "balance.alpha=2").digest != first


def test_numbers_and_words_follow_yaml_1_2(folder: Path) -> None:
    text = edited(("alpha: 1", "gamma: 1e-3\n  seed: 010"), ("{licence: MIT}", "{licence: no}"))
    recipe = load(text + "cluster: {sample: 100_000}\nalign: {correct: True}\n").recipe
    assert (recipe.balance.gamma, recipe.balance.seed, recipe.cluster.sample) == (0.001, 10, 100_000)
    assert (recipe.sources[0].card.licence, recipe.align.correct) == ("no", True)


def test_anchors_and_aliases_work(folder: Path) -> None:
    text = edited(("{licence: MIT}", "&ours {licence: MIT}"), ("{licence: CC-BY-4.0}", "*ours"))
    assert [source.card.licence for source in load(text).recipe.sources] == ["MIT", "MIT"]


def test_the_json_schema_knows_every_section() -> None:
    schema = recipe_json_schema()
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert set(schema["properties"]) == set(Recipe.model_fields)


def test_every_section_forbids_unknown_keys_and_is_frozen() -> None:
    def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for subclass in model.__subclasses__():
            if subclass.__module__.startswith(("schemas.recipe", "schemas.source_card")):
                yield subclass
                yield from sections(subclass)

    found = list(sections(BaseModel))
    assert len(found) > 15
    for section in found:
        assert (section.model_config["extra"], section.model_config["frozen"]) == ("forbid", True), section


def test_the_text_kept_is_still_yaml(folder: Path) -> None:
    assert yaml.safe_load(load(GOOD, "run.workers=3").text)["joinery"] == 1


# -- whatever stands in it ---------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["default", "out"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
SPOTS = ["joinery", "workspace", "workspace.url", "workspace.storage", "sources", "sources.0", "sources.1.format"]
SPOTS += ["sources.0.path", "sources.0.state", "embed", "embed.vision_language", "embed.vision_language.encoder"]
SPOTS += ["cluster.k_action", "balance.level", "run.ray_address", "caption.by", "nonsense"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SPOTS), VALUES)
def test_any_value_anywhere_is_read_or_refused_in_lines(folder: Path, spot: str, value: object) -> None:
    data = yaml.safe_load(GOOD)
    *above, last = [int(step) if step.isdigit() else step for step in spot.split(".")]
    here = data
    for step in above:
        here = here[step] if isinstance(step, int) else here.setdefault(step, {})
    here[last] = value
    Path("demo.yaml").write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    with contextlib.suppress(RecipeErrors):
        load_recipe(Path("demo.yaml"))
        return
    with pytest.raises(RecipeErrors) as caught:
        load_recipe(Path("demo.yaml"))
    assert caught.value.problems
    assert all(re.match(r"demo\.yaml:\d+: \S", line) for line in caught.value.problems)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`?, \n\t\\<=~.0é", max_size=40))
def test_any_text_is_read_or_refused_in_lines(folder: Path, text: str) -> None:
    Path("demo.yaml").write_text(text, encoding="utf-8")
    for overrides in ([], [text.replace("\n", " ")]):
        with pytest.raises(RecipeErrors):
            load_recipe(Path("demo.yaml"), overrides)
