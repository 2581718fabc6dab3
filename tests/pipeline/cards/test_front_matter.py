"""The header of README.md, read by the library Hugging Face reads it with."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, DatasetCardData

from pipeline.cards.count import count
from pipeline.cards.folder import SetFiles
from pipeline.cards.front_matter import front_matter
from schemas.data_card import DataCard, Gate, People


@pytest.fixture(scope="module")
def header(folder: Path) -> DatasetCardData:
    return DatasetCard.load(folder / "README.md").data


def of_text(text: str) -> dict[str, Any]:
    return DatasetCard(text).data.to_dict()


def test_hugging_faces_own_class_reads_it(header: DatasetCardData) -> None:
    assert header.pretty_name == "Bench | cups"
    assert header.task_categories == ["robotics", "video-classification"]
    assert header.size_categories == ["n<1K"]
    assert header.annotations_creators == ["machine-generated"]
    assert header.source_datasets == ["extended|other"]


def test_every_split_and_table_is_a_configuration_whose_files_exist(header: DatasetCardData, folder: Path) -> None:
    configs = header.to_dict()["configs"]
    assert configs[0]["data_files"] == [
        {"split": "train", "path": "train-*.tar"},
        {"split": "validation", "path": "validation-*.tar"},
    ]
    patterns = [split["path"] for split in configs[0]["data_files"]] + [config["data_files"] for config in configs[1:]]
    assert {path.name for pattern in patterns for path in folder.glob(pattern)} == {
        path.name for path in folder.iterdir() if path.suffix in (".tar", ".parquet")
    }


def test_sizes_are_those_of_the_tars(header: DatasetCardData, folder: Path) -> None:
    (info,) = header.to_dict()["dataset_info"]
    train = next(split for split in info["splits"] if split["name"] == "train")
    assert train["num_examples"] == 12
    assert train["num_bytes"] == sum(path.stat().st_size for path in folder.glob("train-*.tar"))
    assert info["dataset_size"] == sum(path.stat().st_size for path in folder.glob("*.tar"))


def test_mixed_licences_are_other_until_somebody_states_one(header: DatasetCardData, of: SetFiles) -> None:
    assert header.to_dict()["license"] == "other"
    assert header.to_dict()["license_name"] == "mixed-see-episodes"
    stated = DataCard(licence="CC-BY-NC-4.0")
    assert of_text(front_matter(stated, count(of, stated)))["license"] == "cc-by-nc-4.0"
    own = DataCard(licence="Our Terms 2", licence_url="https://example.org/terms")
    said = of_text(front_matter(own, count(of, own)))
    assert (said["license"], said["license_name"], said["license_link"]) == (
        "other", "our-terms-2", "https://example.org/terms",
    )  # fmt: skip


def test_what_must_be_agreed_to_is_asked_by_the_hub(of: SetFiles) -> None:
    gate = Gate(prompt="No identification of people.", fields={"Affiliation": "text", "I agree": "checkbox"})
    card = DataCard(people=People(gate=gate), languages=["en", "de"])
    said = of_text(front_matter(card, count(of, card)))
    assert said["extra_gated_prompt"] == "No identification of people."
    assert said["extra_gated_fields"] == {"Affiliation": "text", "I agree": "checkbox"}
    assert said["language"] == ["en", "de"]
