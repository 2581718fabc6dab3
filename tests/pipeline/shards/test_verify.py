"""Damage to a shard set is found and named, whatever it is and wherever it sits."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.shards.publish import set_id
from pipeline.shards.verify import VerifyReport, verify
from schemas.recipe_balance import BalanceSpec
from schemas.shard import ShardSet
from tests.pipeline.shards.corpus import Corpus, corpus, publish_set, replanned, write_shards


@pytest.fixture
def copy(folder: Path, published: ShardSet, tmp_path: Path) -> Path:
    """The set, to be spoiled."""
    return Path(shutil.copytree(folder, tmp_path / published.path))


def looked_at(copy: Path) -> VerifyReport:
    return verify(Blobs(str(copy.parents[1])), f"shards/{copy.name}")


def complains(copy: Path, *parts: str) -> None:
    report = looked_at(copy)
    assert not report.ok
    for part in parts:
        assert any(part in problem for problem in report.problems), report.problems


def reseal(copy: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A forger's work: change set.json and give it the right id again."""
    content = json.loads((copy / "set.json").read_text())
    content.pop("shard_set_id")
    change(content)
    (copy / "set.json").write_text(json.dumps({**content, "shard_set_id": set_id(content)}))


def spoil_manifest(copy: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    path = copy / "manifest.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def with_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    field = table.schema.get_field_index(name)
    return table.set_column(field, table.schema.field(field), pa.array(values, table.schema.field(field).type))


def test_a_whole_set_has_nothing_wrong_and_everything_counted(folder: Path, blobs: Blobs, published: ShardSet) -> None:
    report = verify(blobs, published.path)
    assert report.problems == ()
    assert report.ok
    assert (report.shard_set_id, report.n_shards, report.n_samples) == (published.shard_set_id, 4, 16)
    assert report.n_clips == 32
    assert report.n_bytes == sum(path.stat().st_size for path in folder.glob("*.tar"))


@pytest.mark.parametrize(("n_draws", "splits"), [(5, {"train": 5, "reserve": 7}), (30, {"train": 30})])
def test_a_short_epoch_leaves_a_reserve_and_a_long_one_repeats(
    tmp_path: Path, n_draws: int, splits: dict[str, int]
) -> None:
    blobs, of = Blobs(str(tmp_path / "ws")), corpus(tmp_path, n_draws)
    (found,) = publish_set(of, blobs, write_shards(of, blobs))
    assert verify(blobs, found.path).problems == ()
    content = json.loads(blobs.read(f"{found.path}/set.json"))
    assert content["splits"] == {**splits, "validation": 4}
    table = pq.read_table(tmp_path / "ws" / found.path / "manifest.parquet").to_pylist()
    drawn = {row["event_id"] for row in table}
    assert drawn == {draw.event_id for draw in of.draws}
    assert len(drawn) == 16, "every event is in some shard"


PARTED = {"sources": {"web": {"cap": 0.4}}, "recovery": {}, "epoch_draws": 60}


@pytest.mark.parametrize(
    "asked", [PARTED, {"curriculum_steps": 3, "epoch_draws": 60}, PARTED | {"curriculum_steps": 2}]
)
def test_parts_and_a_curriculum_are_held_to_their_own_shares(
    filmed: Corpus, tmp_path: Path, asked: dict[str, Any]
) -> None:
    blobs, of = Blobs(str(tmp_path)), replanned(filmed, BalanceSpec.model_validate(asked))
    (found,) = publish_set(of, blobs, write_shards(of, blobs))
    assert verify(blobs, found.path).problems == ()
    folder = tmp_path / found.path
    rows = [row for row in pq.read_table(folder / "manifest.parquet").to_pylist() if row["split"] == "train"]
    for row in rows:  # the plan's mean and what came of it are about the same cell
        assert abs(row["realised_share"] - row["target_share"]) * len(rows) < 4
    plan = json.loads((folder / "plan.json").read_text())
    for step in plan["segments"][0]["steps"]:
        step["shares"] = [1.0] + [0.0] * (len(step["shares"]) - 1)
    (folder / "plan.json").write_text(json.dumps(plan))
    complains(folder, "draws off its share, expected less than")


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_anywhere_in_a_tar_is_found(copy: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = rng.choice(sorted(copy.glob("*.tar")))
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    complains(copy, path.name)


def test_a_flipped_byte_names_the_sample_it_sits_in(copy: Path) -> None:
    row = pq.read_table(copy / "manifest.parquet").to_pylist()[2]
    path = copy / f"{row['shard']}.tar"
    data = bytearray(path.read_bytes())
    data[row["offset"] + 600] ^= 0xFF
    path.write_bytes(data)
    complains(copy, f"{path.name}, sample {row['key']}: its SHA-256 is not the one in the manifest")


def test_a_dropped_sample_is_named(copy: Path) -> None:
    rows = [row for row in pq.read_table(copy / "manifest.parquet").to_pylist() if row["shard"] == "train-000000"]
    path, row = copy / "train-000000.tar", rows[1]
    data = path.read_bytes()
    path.write_bytes(data[: row["offset"]] + data[row["offset"] + row["n_bytes"] :])
    complains(copy, f"train-000000.tar, sample {row['key']}", "stock webdataset reads 4 samples, the manifest has 5")


def test_swapped_samples_are_named(copy: Path) -> None:
    rows = [row for row in pq.read_table(copy / "manifest.parquet").to_pylist() if row["shard"] == "train-000000"]
    path = copy / "train-000000.tar"
    data = path.read_bytes()
    first, second, rest = rows[0]["n_bytes"], rows[1]["n_bytes"], data[rows[2]["offset"] :]
    path.write_bytes(data[first : first + second] + data[:first] + rest)
    complains(copy, f"train-000000.tar, sample {rows[0]['key']}: its SHA-256")


def test_a_missing_tar_and_a_stranger_are_named(copy: Path) -> None:
    (copy / "train-000001.tar").rename(copy / "train-000009.tar")
    complains(copy, "train-000001.tar: not there", "train-000009.tar: does not belong to the set")


def test_a_cut_off_tar_is_named(copy: Path) -> None:
    path = copy / "train-000002.tar"
    path.write_bytes(path.read_bytes()[:-2000])
    complains(copy, "train-000002.tar")


@pytest.mark.parametrize("name", ["README.md", "plan.json", "recipe.yaml", "stats.json", "manifest.parquet"])
def test_a_changed_or_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).write_bytes((copy / name).read_bytes() + b"\n")
    complains(copy, f"{name}: its SHA-256 is not the one in set.json")
    (copy / name).unlink()
    complains(copy, f"{name}: not there")


def test_an_edited_set_json_betrays_itself(copy: Path) -> None:
    text = (copy / "set.json").read_text()
    (copy / "set.json").write_text(text.replace('"n_samples": 5', '"n_samples": 6', 1))
    complains(copy, "set.json: its content has the id", "the manifest has 5 samples, set.json says 6")
    (copy / "set.json").write_text("{")
    complains(copy, "set.json: cannot be read")


def test_no_set_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        verify(Blobs(str(tmp_path)), "shards/ss-0")


def test_a_manifest_that_tells_another_story_is_named_field_by_field(copy: Path) -> None:
    key = pq.read_table(copy / "manifest.parquet").column("key")[0].as_py()
    spoil_manifest(copy, lambda table: with_column(table, "n_frames", [99, *table.column("n_frames").to_pylist()[1:]]))
    complains(copy, f"sample {key}: event.json says n_frames", "the manifest 99")


def test_an_event_in_training_and_in_validation_is_named(copy: Path) -> None:
    def leak(table: pa.Table) -> pa.Table:
        events, episodes = (table.column(name).to_pylist() for name in ("event_id", "episode_id"))
        table = with_column(table, "event_id", [*events[:-1], events[0]])
        return with_column(table, "episode_id", [*episodes[:-1], episodes[0]])

    event, episode = (pq.read_table(copy / "manifest.parquet").column(f"{name}_id")[0] for name in ("event", "episode"))
    spoil_manifest(copy, leak)
    complains(
        copy,
        f"event {event} is in validation and in another split",
        f"episode {episode} is in validation and in another split",
    )


def test_an_episode_in_validation_and_in_the_test_split_is_named(copy: Path) -> None:
    table = pq.read_table(copy / "manifest.parquet")
    splits = table.column("split").to_pylist()
    assert splits[-2:] == ["validation", "validation"]
    spoil_manifest(copy, lambda table: with_column(table, "split", [*splits[:-1], "test"]))
    complains(copy, f"episode {table.column('episode_id')[-1]} is in test and in another split")


def test_missing_rows_of_the_manifest_are_named(copy: Path) -> None:
    spoil_manifest(copy, lambda table: table.filter(pc.not_equal(table.column("shard"), "train-000001")))
    complains(copy, "train-000001: the manifest has no rows for it", "train: sample 5 in reading order is draw 10")


def test_an_unbalanced_order_is_named_even_when_the_seals_are_right(copy: Path) -> None:
    def one_cell(table: pa.Table) -> pa.Table:
        return with_column(table, "vision_language", [0] * len(table))

    spoil_manifest(copy, one_cell)
    complains(copy, "draws off its share, expected less than")


def test_a_forged_set_is_still_held_to_its_tars(copy: Path) -> None:
    def forge(content: dict[str, Any]) -> None:
        content["shards"][0]["sha256"] = "0" * 64

    reseal(copy, forge)
    report = looked_at(copy)
    assert "train-000000.tar: its SHA-256 is not the one in set.json; the file was changed" in report.problems
    assert any(problem.startswith("facts.json: content_sha256 says") for problem in report.problems)
