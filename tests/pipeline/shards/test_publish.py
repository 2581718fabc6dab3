"""A published set: complete, described by itself, and the same set wherever it was made."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import webdataset as wds

from pipeline.blobs import Blobs
from pipeline.shards.facts import split_facts
from pipeline.shards.portable import portable_text
from pipeline.shards.publish import set_id, write_manifest
from schemas.arrow import from_table
from schemas.shard import ShardEntry, ShardSet
from tests.pipeline.shards.corpus import RECIPE, Corpus, publish_set, write_shards


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_folder_holds_what_it_says(folder: Path, published: ShardSet) -> None:
    assert sorted(contents(folder)) == [
        "README.md",
        "card.html",
        "card.yaml",
        "copies.parquet",
        "croissant.json",
        "episodes.parquet",
        "events.parquet",
        "facts.json",
        "findings.parquet",
        "left_out.parquet",
        "manifest.parquet",
        "plan.json",
        "recipe.yaml",
        "set.json",
        "sources.parquet",
        "stats.json",
        "train-000000.tar",
        "train-000001.tar",
        "train-000002.tar",
        "validation-000000.tar",
    ]
    assert (published.n_shards, published.n_samples) == (4, 16)


def test_the_id_is_the_digest_of_what_is_inside(folder: Path, published: ShardSet) -> None:
    said = json.loads((folder / "set.json").read_text())
    assert said.pop("shard_set_id") == published.shard_set_id == set_id(said)
    assert set(said["files"]) == {path.name for path in folder.iterdir() if path.suffix != ".tar"} - {"set.json"}


def test_the_same_corpus_gives_the_same_bytes_elsewhere(filmed: Corpus, folder: Path, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path / "elsewhere"))
    (again,) = publish_set(filmed, blobs, write_shards(filmed, blobs, "other"), key="other", batch=3)
    assert contents(Path(blobs.url) / again.path) == contents(folder)


def test_the_manifest_states_target_and_realised_share(folder: Path, filmed: Corpus) -> None:
    entries = from_table(ShardEntry, pq.read_table(folder / "manifest.parquet"))
    mass = {(cell.vision_language, cell.action): cell.mass for cell in filmed.plan.cells}
    train = [entry for entry in entries if entry.split == "train"]
    for entry in train:
        same = sum((e.vision_language, e.action) == (entry.vision_language, entry.action) for e in train)
        assert entry.realised_share == same / len(train)
        assert entry.target_share == mass[entry.vision_language, entry.action]


def test_stock_webdataset_reads_it_in_drawing_order(folder: Path, filmed: Corpus) -> None:
    urls = [str(path) for path in sorted(folder.glob("train-*.tar"))]
    samples: list[dict[str, Any]] = list(wds.WebDataset(urls, shardshuffle=False).decode())
    assert [sample["event.json"]["event"]["event_id"] for sample in samples] == [
        draw.event_id for draw in sorted(filmed.draws, key=lambda draw: draw.t) if draw.split == "train"
    ]
    for sample in samples:
        rows = sample["event.json"]["event"]["span"]
        assert sample["action.npz"]["values"].shape == (rows["action_end"] - rows["action_start"], 20)
        assert isinstance(sample["observation_images_top.mp4"], bytes)
        assert set(sample["calib.json"]["cameras"]) == set(sample["event.json"]["views"])


def test_stock_tuples_work_because_every_sample_has_the_same_members(folder: Path) -> None:
    urls = [str(path) for path in sorted(folder.glob("*.tar"))]
    tuples = wds.WebDataset(urls, shardshuffle=False).decode().to_tuple("action.npz", "state.npz", "event.json")
    null = [record["action_kind"] for action, _, record in tuples if len(action["values"]) == 0]
    assert len(null) == 4
    assert set(null) == {"none"}


def test_statistics_and_plan_are_there_to_be_read(folder: Path, filmed: Corpus) -> None:
    stats = json.loads((folder / "stats.json").read_text())
    assert set(stats["embodiments"]) == {"arm7"}
    plan = json.loads((folder / "plan.json").read_text())
    assert len(plan["plan"]["cells"]) == len(filmed.plan.cells)
    assert plan["realised"]["max_cell_deviation"] < 2


def test_the_card_and_recipe_are_written(folder: Path) -> None:
    assert "| train | 12 | 12 |" in (folder / "README.md").read_text()
    assert (folder / "recipe.yaml").read_text() == portable_text(RECIPE)


def test_publishing_twice_changes_nothing(filmed: Corpus, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    written = write_shards(filmed, blobs)
    (first,) = publish_set(filmed, blobs, written)
    before = blobs.list("")
    assert publish_set(filmed, blobs, written) == [first]
    assert blobs.list("") == before


def test_nothing_to_publish_publishes_nothing(filmed: Corpus, tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    assert publish_set(filmed, blobs, []) == []
    assert blobs.list("") == []


@pytest.mark.parametrize("row_group", [1, 5])
def test_the_manifest_does_not_follow_the_executors_batches(
    filmed: Corpus, blobs: Blobs, written: list[Any], monkeypatch: pytest.MonkeyPatch, row_group: int
) -> None:
    monkeypatch.setattr("pipeline.cards.tables.ROW_GROUP", row_group)
    found = set()
    for batch in (1, 3, 100):
        stream = io.BytesIO()
        entries = [item for item in written if isinstance(item, ShardEntry)]
        batches = [entries[i : i + batch] for i in range(0, len(entries), batch)]
        write_manifest(batches, filmed.plan, split_facts(batches), stream)
        found.add(stream.getvalue())
    assert len(found) == 1
