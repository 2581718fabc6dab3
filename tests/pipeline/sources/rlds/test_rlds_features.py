"""``features.json``: which lists a record holds and how wide a step is."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.rlds.rlds_features import Feature, FeatureKind, Features, feature_of, load_features
from tests.pipeline.sources.written import rlds as written


def loaded(root: Path, stated: Any) -> Features:
    (root / "features.json").write_text(json.dumps(stated))
    return load_features(SourceFiles(str(root)), "")


def one(root: Path, stated: dict[str, Any]) -> Feature:
    """A single feature of the steps."""
    inner = {"featuresDict": {"features": {"x": stated}}}
    return loaded(root, {"featuresDict": {"features": {"steps": {"sequence": {"feature": inner}}}}}).steps["x"]


def test_bridge_states_its_features(real: Path) -> None:
    found = load_features(SourceFiles(str(real / written.BRIDGE)), "1.0.0")
    assert found.steps["observation/state"] == Feature(FeatureKind.NUMBER, (7,), "float32")
    assert found.steps["observation/image_3"] == Feature(FeatureKind.PICTURE, (64, 64, 3), "uint8")
    assert found.steps["language_instruction"].kind is FeatureKind.TEXT
    assert found.steps["is_last"] == Feature(FeatureKind.NUMBER, (), "bool")
    assert set(found.episode) == {"episode_id", "file_path", "has_language", *(f"has_image_{i}" for i in range(4))}
    assert all(feature_of(json.loads(json.dumps(feature.said))) == feature for feature in found.steps.values())


@pytest.mark.parametrize(
    "stated",
    [
        {"tensor": {"shape": {"dimensions": ["-1", "3"]}, "dtype": "float32"}},
        {"tensor": {"shape": {"dimensions": ["7"]}, "dtype": "float32", "encoding": "zlib"}},
        {"tensor": {"shape": {"dimensions": ["4", "4"]}, "dtype": "string"}},
        {"tensor": {"shape": {"dimensions": ["100000", "100000"]}, "dtype": "uint8"}},
        {"tensor": {"shape": {"dimensions": ["9" * 40]}, "dtype": "uint8"}},
        {"sequence": {"feature": {"tensor": {"shape": {}, "dtype": "float32"}}, "length": "-1"}},
        {"video": {}},
        {"tensor": 5},
    ],
    ids=["ragged", "packed", "texts", "picture as numbers", "absurd", "list of lists", "video", "damaged"],
)
def test_what_is_no_row_of_numbers_is_passed_over_by_name(tmp_path: Path, stated: dict[str, Any]) -> None:
    assert one(tmp_path, stated).kind is FeatureKind.OTHER


def test_texts_come_as_text_features_and_as_string_tensors(tmp_path: Path) -> None:
    for stated in ({"text": {}}, {"tensor": {"shape": {}, "dtype": "string", "encoding": "none"}}):
        assert one(tmp_path, stated).kind is FeatureKind.TEXT
    assert one(tmp_path, {"classLabel": {"numClasses": "3"}}) == Feature(FeatureKind.NUMBER, (), "int64")


@pytest.mark.parametrize(
    "stated",
    [{}, [], {"featuresDict": {"features": {"image": {"image": {}}}}}, {"type": "FeaturesDict", "content": ""}],
)
def test_a_dataset_whose_records_are_no_episodes_is_an_error(tmp_path: Path, stated: Any) -> None:
    with pytest.raises(SourceError, match=r"features\.json: no feature 'steps' that is a sequence, found \["):
        loaded(tmp_path, stated)


def test_features_that_nest_without_end_are_refused(tmp_path: Path) -> None:
    stated: dict[str, Any] = {"text": {}}
    for _ in range(40):
        stated = {"featuresDict": {"features": {"x": stated}}}
    with pytest.raises(SourceError, match=r"features stand more than 16 deep; the file is damaged"):
        one(tmp_path, stated)
