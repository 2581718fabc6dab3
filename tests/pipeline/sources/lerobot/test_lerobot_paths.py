"""Path templates from strangers: filled in, or refused before anything is opened."""

import pytest

from pipeline.errors import SourceError
from pipeline.sources.lerobot.lerobot_paths import filled, placeholders, templates_of

NUMBERS = {"chunk": 2, "file": 5, "episode": 7, "video_key": "front", "where": "made/info.json"}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet", "data/chunk-002/episode_000007.parquet"),
        ("{video_key}/{chunk_index}-{file_index:4}.mp4", "front/2-   5.mp4"),
        ("{episode_file:d}", "5"),
    ],
)
def test_numbers_are_filled_in_as_the_template_writes_them(template: str, path: str) -> None:
    assert templates_of({"data_path": template}, 2, "made")["data_path"] == template
    assert filled(template, **NUMBERS) == path  # type: ignore[arg-type]
    assert placeholders("{a}/{b:03d}") == {"a", "b"}


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("data/{episode_index", r"data_path is 'data/\{episode_index', no path template \(.*\); correct it"),
        ("data/}", r"no path template \(Single '\}'"),
        ("{episode}", r"data_path has the placeholder 'episode', expected some of \['chunk_index'"),
        ("{episode_index.__class__}", r"has the placeholder 'episode_index.__class__'"),
        ("{video_key[0]}", r"has the placeholder 'video_key\[0\]'"),
        ("{episode_index:999999999d}", r"episode_index is to be written as '999999999d'; expected a width such as 06d"),
        ("{episode_index:{file_index}}", r"to be written as '\{file_index\}'"),
        ("{video_key!r}", r"video_key is to be written as 'r'"),
        ("{}", r"has the placeholder ''"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_an_error(template: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        templates_of({"data_path": template}, 3, "made")


@pytest.mark.parametrize("template", [True, [[]], 7, {"chunk": 1}])
def test_a_template_that_is_no_text_is_an_error(template: object) -> None:
    with pytest.raises(SourceError, match=r"made/info\.json: data_path is .*, expected a path template; correct it"):
        templates_of({"data_path": template}, 3, "made/info.json")


@pytest.mark.parametrize(
    "template", ["../{file_index}", "/etc/{file_index}", "a/../../{file_index}", "a\0{file_index}"]
)
def test_a_path_that_leads_out_of_the_dataset_is_an_error(template: str) -> None:
    with pytest.raises(
        SourceError, match=r"made/info\.json: names the file .*, expected one below the dataset's folder"
    ):
        filled(template, **NUMBERS)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["k" * 300, "\ud800", "a\nb"], ids=["too long", "no text", "two lines"])
def test_a_name_that_no_file_can_have_is_an_error(key: str) -> None:
    with pytest.raises(SourceError, match="expected one below the dataset's folder; correct it"):
        filled("videos/{video_key}.mp4", **{**NUMBERS, "video_key": key})  # type: ignore[arg-type]


def test_a_path_of_short_names_may_be_too_long_as_well() -> None:
    with pytest.raises(SourceError, match="expected one below the dataset's folder; correct it"):
        filled("data/" * 1000 + "{episode_index}.parquet", **NUMBERS)  # type: ignore[arg-type]


def test_a_feature_key_is_no_way_out_either() -> None:
    with pytest.raises(SourceError, match="expected one below"):
        filled("videos/{video_key}/x.mp4", **{**NUMBERS, "video_key": "../../x"})  # type: ignore[arg-type]
