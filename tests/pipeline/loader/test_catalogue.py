"""The catalogue: every training event once, whatever the shards look like."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.catalogue import Catalogue, catalogue_of, read_catalogue
from pipeline.loader.reader import ShardSet, shard_set_folder
from tests.pipeline.shards.corpus import Corpus


def columns(n: int = 40) -> dict[str, NDArray[Any]]:
    """Rows of n events of two sources, in order of their ids."""
    rng = np.random.default_rng(n)
    return {
        "event_id": np.array([f"ev-{i:032x}" for i in range(n)], np.bytes_),
        "vision_language": rng.integers(0, 5, n),
        "action": rng.integers(-1, 3, n),
        "source": rng.integers(0, 2, n),
        "recovery": rng.random(n) < 0.2,
        "n_frames": rng.integers(5, 99, n),
        "n_views": rng.integers(1, 4, n),
        "n_action_rows": rng.integers(0, 200, n),
    }


def taken(found: dict[str, NDArray[Any]], rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {name: values[rows] for name, values in found.items()}


def test_it_holds_what_the_samples_hold(folder: Path, opened: ShardSet, filmed: Corpus) -> None:
    catalogue = read_catalogue(Blobs(str(folder)))
    assert catalogue.event_id.tolist() == sorted({d.event_id.encode() for d in filmed.draws if d.split == "train"})
    for _, sample in opened.iterate("train"):
        (row,) = catalogue.rows(np.array([sample.event_id.encode()]))
        assert catalogue.n_frames[row] == sample.n_frames
        assert catalogue.n_views[row] == len(sample.views)
        assert catalogue.n_action_rows[row] == (0 if sample.action_T20 is None else len(sample.action_T20))
        assert (catalogue.vision_language[row], catalogue.action[row]) == (sample.vision_language, sample.action)
        assert catalogue.source_names[catalogue.source[row]] == sample.record["lineage"]["source"]


def test_rows_in_any_order_and_drawn_repeatedly_are_the_same_catalogue() -> None:
    first = catalogue_of(columns(), ("left", "right"))
    rows = np.random.default_rng(1).permutation(np.concatenate([np.arange(40), [3, 3, 39]]))
    again = taken(columns(), rows)
    again["source"] = 1 - again["source"]
    other = catalogue_of(again, ("right", "left"))
    assert len(other) == 40
    assert other.digest == first.digest
    assert other.source_names == ("left", "right")


@pytest.mark.parametrize("name", list(columns()))
def test_every_column_counts(name: str) -> None:
    changed = columns()
    changed[name][-1] = b"ev-f" if name == "event_id" else changed[name][-1] ^ True
    assert catalogue_of(changed, ("left", "right")).digest != catalogue_of(columns(), ("left", "right")).digest


def test_samples_that_disagree_about_their_event_are_refused() -> None:
    rows = taken(columns(), np.array([0, 1, 2, 1]))
    rows["n_frames"][3] += 1
    with pytest.raises(StoreError, match=r"ev-0*1: its samples disagree about n_frames"):
        catalogue_of(rows, ("left", "right"))


def test_rows_are_found_by_id_and_strangers_named() -> None:
    catalogue = catalogue_of(columns(), ("left", "right"))
    some = np.array([7, 0, 39])
    assert catalogue.rows(catalogue.event_id[some]).tolist() == some.tolist()
    with pytest.raises(KeyError, match="ev-zz: not among the 40"):
        catalogue.rows(np.array([b"ev-zz"]))
    empty = catalogue_of(taken(columns(), np.zeros(0, np.int64)), ())
    with pytest.raises(KeyError, match="not among the 0"):
        empty.rows(np.array([b"ev-zz"]))


def test_shuffled_and_renamed_shards_are_the_same_catalogue(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "set"))
    table = pq.read_table(copy / "manifest.parquet")
    table = table.take(np.random.default_rng(0).permutation(len(table)))
    names = [f"train-{999 - i:06d}" for i in range(len(table))]
    position = table.schema.get_field_index("shard")
    pq.write_table(table.set_column(position, "shard", [names]), copy / "manifest.parquet", row_group_size=3)
    found: list[Catalogue] = [read_catalogue(Blobs(str(path))) for path in (folder, copy)]
    assert found[0].digest == found[1].digest


def test_a_manifest_of_an_older_format_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "set"))
    table = pq.read_table(copy / "manifest.parquet")
    pq.write_table(table.drop_columns(["n_action_rows"]), copy / "manifest.parquet")
    with pytest.raises(StoreError, match="no column 'n_action_rows'; publish the set again"):
        read_catalogue(Blobs(str(copy)))


def test_a_set_is_found_by_itself_or_by_the_folder_of_sets(folder: Path, tmp_path: Path) -> None:
    said = json.loads((folder / "set.json").read_text())["shard_set_id"]
    assert shard_set_folder(str(folder)).url == str(folder)
    assert shard_set_folder(str(folder.parent)).url == f"{folder.parent}/{said}"
    with pytest.raises(StoreError, match=r"found neither set\.json nor latest\.json"):
        shard_set_folder(str(tmp_path))
