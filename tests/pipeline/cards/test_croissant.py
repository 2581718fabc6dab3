"""Croissant: what the file says is right, whole, and read by the format's own library to the last row."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.cards.count import count
from pipeline.cards.croissant import CONTEXT, KEYS, croissant
from pipeline.cards.croissant_check import croissant_problems
from pipeline.cards.folder import SetFiles
from pipeline.cards.tables import RECORDS
from schemas.data_card import DataCard, Handling, People, Person, Subject
from tests.pipeline.cards.conftest import rewrite
from tests.pipeline.shards.corpus import CARD


@pytest.fixture(scope="module")
def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "croissant.json").read_text())
    return found


def test_mlcroissant_validates_it_and_loads_every_record_set_without_a_warning(folder: Path) -> None:
    assert list(croissant_problems(folder)) == []


def test_what_mlcroissant_loads_is_what_the_tables_hold(folder: Path) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert {record_set.id for record_set in dataset.metadata.record_sets} == {name[:-8] for name in RECORDS}
    for name in RECORDS:
        rows = list(dataset.records(name[:-8]))
        assert len(rows) == pq.read_metadata(folder / name).num_rows
    licences = [row["manifest/licence"].decode() for row in dataset.records("manifest")]
    assert licences == pq.read_table(folder / "manifest.parquet").column("licence").to_pylist()


def test_every_file_of_the_set_is_there_with_its_digest_and_a_relative_address(
    described: dict[str, Any], folder: Path
) -> None:
    files = {file["@id"]: file for file in described["distribution"] if file["@type"] == "cr:FileObject"}
    papers = {"README.md", "card.html", "croissant.json", "facts.json", "set.json"}
    assert set(files) == {path.name for path in folder.iterdir()} - papers
    for name, file in files.items():
        assert file["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert file["contentUrl"] == name


def test_every_column_but_nested_ones_is_a_field_with_a_meaning(described: dict[str, Any], folder: Path) -> None:
    nested = {"manifest": {"members"}, "episodes": {"cameras"}}
    for record_set in described["recordSet"]:
        name = record_set["@id"]
        fields = {field["name"]: field for field in record_set["field"]}
        assert set(fields) == set(pq.read_schema(folder / f"{name}.parquet").names) - nested.get(name, set())
        assert all(field["description"] for field in fields.values())
        assert ("key" in record_set) == (name in KEYS)
    assert "Of the sample's recording." in json.dumps(described)


def test_the_vocabulary_is_the_one_readers_want(described: dict[str, Any]) -> None:
    assert described["@context"] == CONTEXT
    assert "http://schema.org/" not in json.dumps(described)
    assert described["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert described["license"] == [f"https://spdx.org/licenses/CC-BY{nc}-4.0.html" for nc in ("", "-NC")]


def test_what_people_stated_stands_in_the_responsible_vocabulary_and_the_rest_is_left_out(of: SetFiles) -> None:
    faces = Handling(subject=Subject.FACES, method="blurred by hand", n_checked=100, n_missed=2)
    card = DataCard(creators=[Person(name="Ann", url="https://example.org")], people=People(personal_data=[faces]))
    said = croissant(of, card, count(of, card))
    assert said["rai:personalSensitiveInformation"][0].startswith(
        "faces: blurred by hand; missed 2 % (2 of 100; 95 %: "
    )
    assert said["creator"] == [{"@type": "sc:Person", "name": "Ann", "url": "https://example.org"}]
    assert "rai:dataBiases" not in said
    assert said["citeAs"].startswith("@misc{joinery_")
    assert [entry["name"] for entry in said["prov:wasDerivedFrom"]] == ["bench", "bench"]


def test_a_card_without_a_day_of_release_is_refused_with_advice(copy: Path, of: SetFiles) -> None:
    card = CARD.model_copy(update={"released": None})
    (copy / "croissant.json").write_text(json.dumps(croissant(of, card, count(of, card))))
    (found,) = croissant_problems(copy)
    assert "datePublished" in found
    assert "released" in found


def test_one_changed_byte_of_a_table_is_refused(copy: Path) -> None:
    data = bytearray((copy / "episodes.parquet").read_bytes())
    data[40] ^= 1
    (copy / "episodes.parquet").write_bytes(data)
    (found,) = croissant_problems(copy)
    assert found.startswith("croissant.json: mlcroissant cannot load record set 'episodes'")
    assert "ash" in found


def test_a_dropped_column_is_refused_even_when_the_digest_was_forged(copy: Path) -> None:
    rewrite(copy / "episodes.parquet", lambda table: table.drop_columns(["licence"]))
    described = json.loads((copy / "croissant.json").read_text())
    for file in described["distribution"]:
        if file["@id"] == "episodes.parquet":
            file["sha256"] = hashlib.sha256((copy / "episodes.parquet").read_bytes()).hexdigest()
    (copy / "croissant.json").write_text(json.dumps(described))
    (found,) = croissant_problems(copy)
    assert found.startswith("croissant.json: mlcroissant cannot load record set 'episodes'")


def test_what_is_no_croissant_is_refused(copy: Path) -> None:
    (copy / "croissant.json").write_text("{}")
    (found,) = croissant_problems(copy)
    assert found.startswith("croissant.json: mlcroissant refuses it")
