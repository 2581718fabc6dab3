"""The travelling recipe says what was done and nothing about where."""

import yaml

from pipeline.shards.portable import portable_text, portable_values
from schemas.recipe import Recipe


def recipe(place: str, *, workers: int = 1, budget: int = 768) -> Recipe:
    return Recipe.model_validate(
        {
            "joinery": 1,
            "workspace": {"url": f"s3://{place}", "storage": {"endpoint": "http://hush", "region": "x"}},
            "sources": [
                {"format": "video_folder", "name": "web", "path": f"/{place}/films", "card": {"licence": "CC-BY-4.0"}}
            ],
            "embed": {"vision_language": {"encoder": "open_clip", "checkpoint": f"/{place}/vit.pt"}},
            "load": {"budget": budget},
            "run": {"workers": workers},
        }
    )


def portable_recipe(recipe: Recipe) -> str:
    return portable_text(portable_values(recipe))


def test_it_is_the_same_text_wherever_and_however_it_ran() -> None:
    assert portable_recipe(recipe("here")) == portable_recipe(recipe("elsewhere", workers=64, budget=4096))


def test_no_place_and_no_secret_leaves_the_house() -> None:
    text = portable_recipe(recipe("here"))
    assert "here" not in text
    assert "hush" not in text


def test_everything_else_is_written_out() -> None:
    values = yaml.safe_load(portable_recipe(recipe("here")))
    assert values["shard"].pop("card") == "card.yaml"
    again = {**values, "workspace": {"url": "w"}}
    assert values["sources"][0]["path"] == "<sources[0].path>"
    assert Recipe.model_validate(again).clip == recipe("here").clip
    assert values["balance"]["alpha"] == 1.0
