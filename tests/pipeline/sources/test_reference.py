"""What a reference carries of its recipe and dataset, and how findings name where they were made."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.reference import (
    about_episode,
    about_source,
    common_part,
    dataset_part,
    declared_defects,
    format_of,
    metadata_of,
    recipe_part,
)
from schemas.episode import CameraRole
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.source import SourceKind, make_ref
from schemas.source_card import SourceCard
from tests.pipeline.sources.one_episode import REF, ref_to, spec_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def clips(**more: Any) -> VideoFolderSource:
    stated = {"format": "video_folder", "name": "clips", "path": "clips", "card": {"licence": "CC0-1.0"}, **more}
    return VideoFolderSource.model_validate(stated)


def test_the_recipe_is_read_back_as_it_was_at_discovery() -> None:
    spec = spec_of(cameras=["a.front"], card={"licence": "MIT", "consent": "given", "contact": "me"})
    back = recipe_part(ref_to(spec.path, spec=spec), LeRobotSource)
    assert back == spec.model_copy(update={"card": SourceCard(licence="MIT", consent="given")})


def test_whom_to_ask_is_no_part_of_an_episode() -> None:
    told, silent = ({"licence": "MIT", **more} for more in ({"contact": "me"}, {}))
    assert metadata_of(clips(card=told), {}) == metadata_of(clips(card=silent), {})


def test_what_all_formats_share_is_read_back_without_knowing_the_format() -> None:
    spec = clips(instruction="fold", camera_roles={"main": "ego"})
    ref = ref_to(spec.path, spec=spec)
    assert (common_part(ref).instruction, common_part(ref).camera_roles["main"]) == ("fold", CameraRole.EGO)


@settings(deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_datasets_part_is_read_back_whatever_it_holds(dataset: dict[str, Any]) -> None:
    ref = make_ref(
        source="clips",
        kind=SourceKind.INTERNET,
        dataset="clips",
        embodiment="none",
        locator="a.mp4",
        root="clips",
        files=(),
        metadata=metadata_of(clips(), dataset),
    )
    assert dataset_part(ref) == dataset
    assert format_of(ref) == "video_folder"


@pytest.mark.parametrize("change", [{"name": "other"}, {"path": "elsewhere"}, {"known_defects": ["blurred"]}])
def test_what_does_not_influence_reading_is_not_in_the_metadata(change: dict[str, Any]) -> None:
    assert metadata_of(clips(**change), {}) == metadata_of(clips(), {})


@pytest.mark.parametrize(
    "change",
    [
        {"instruction": "fold"},
        {"card": {"licence": "MIT"}},
        {"kind": "umi"},
        {"card": {"licence": "CC0-1.0", "consent": "given"}},
    ],
)
def test_what_ends_up_in_an_episode_is_in_the_metadata(change: dict[str, Any]) -> None:
    assert metadata_of(clips(**change), {}) != metadata_of(clips(), {})


def test_the_order_of_the_datasets_keys_is_no_part_of_the_metadata() -> None:
    assert metadata_of(clips(), {"a": 1, "b": 2}) == metadata_of(clips(), {"b": 2, "a": 1})


def test_a_finding_about_an_episode_says_where_and_removes_nothing() -> None:
    finding = about_episode(REF, "odd", "3 rows are odd", value=3, threshold=0)
    assert finding.message == "made, episode_index=3: 3 rows are odd"
    assert (finding.subject, finding.source, finding.stage) == (REF.episode_id, "made", "ingest")
    assert (finding.verdict, finding.value, finding.threshold) == (Verdict.KEEP, 3, 0)


def test_a_finding_about_a_source_has_the_source_as_its_subject() -> None:
    finding = about_source("made", "gone", "made: nothing is there", verdict=Verdict.DROP, value=2.0)
    assert finding == Finding("made", "made", "discover", "gone", Verdict.DROP, "made: nothing is there", 2.0)


def test_every_declared_defect_is_a_finding_in_the_recipes_order() -> None:
    findings = list(declared_defects(clips(known_defects=["blurred", "animated"])))
    assert [finding.check for finding in findings] == ["blurred", "animated"]
    assert findings[0].message == "clips: the recipe declares the defect 'blurred' for every recording of this source"
    assert list(declared_defects(clips())) == []
