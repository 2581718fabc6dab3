"""A LeRobot v3.0 dataset as it lies on disk; LeRobot itself reads it in benchmarks/readback."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import JoineryError
from pipeline.exporters.folder import Counts, digests
from pipeline.exporters.kinds import kind_of, read_event
from pipeline.exporters.lerobot import write_lerobot
from pipeline.exporters.target import Language
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet

CARD = "---\nlicense: other\n---\n# The set\n"


@pytest.fixture(scope="module")
def exported(opened: ShardSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counts]:
    out = tmp_path_factory.mktemp("lerobot")
    return out, write_lerobot(opened, "train", Language.COLUMNS, CARD, out)


def datasets(out: Path) -> list[Path]:
    return sorted(path.parents[1] for path in out.glob("*/meta/info.json"))


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_every_draw_is_an_episode_of_one_dataset(exported: tuple[Path, Counts], opened: ShardSet) -> None:
    out, counts = exported
    keys = [row["key"] for root in datasets(out) for row in rows(root / "meta" / "events.parquet")]
    assert sorted(keys) == sorted(sample.key for _, sample in opened.iterate("train"))
    assert counts.n_events == len(keys)
    assert counts.losses.events == {
        "view wrist: its frames are not those of the master view, one for one": 12,
        "control rows between frames: LeRobot has one row per frame": 8,
    }
    for root in datasets(out):
        kept = [row["key"] for row in rows(root / "meta" / "events.parquet")]
        assert kept == sorted(kept), "episodes stand in the order of the plan"


def test_rows_and_pictures_are_where_the_listing_says(exported: tuple[Path, Counts], opened: ShardSet) -> None:
    compared = 0
    for root in datasets(exported[0]):
        info = json.loads((root / "meta" / "info.json").read_text())
        data = rows(root / "data" / "chunk-000" / "file-000.parquet")
        assert info["total_frames"] == len(data)
        assert [row["index"] for row in data] == list(range(len(data)))
        events = rows(root / "meta" / "events.parquet")
        tasks = {row["task_index"]: row["__index_level_0__"] for row in rows(root / "meta" / "tasks.parquet")}
        for episode in rows(root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"):
            sample = opened.read("train", int(events[episode["episode_index"]]["key"].split("-")[0]))
            own = data[episode["dataset_from_index"] : episode["dataset_to_index"]]
            assert {row["episode_index"] for row in own} == {episode["episode_index"]}
            assert [row["frame_index"] for row in own] == list(range(sample.n_frames))
            assert {tasks[row["task_index"]] for row in own} == {sample.captions["task"]} == set(episode["tasks"])
            styles = [{row["style"]: row["content"] for row in frame["language_persistent"]} for frame in own]
            assert all(style["motion"] == sample.caption for style in styles)
            for feature, described in info["features"].items():
                if described["dtype"] != "video":
                    continue
                at = [episode[f"videos/{feature}/{name}"] for name in ("chunk_index", "file_index")]
                video = info["video_path"].format(video_key=feature, chunk_index=at[0], file_index=at[1])
                start = round(episode[f"videos/{feature}/from_timestamp"] * info["fps"])
                frames = decode_clip((root / video).read_bytes())[start : start + len(own)]
                assert np.array_equal(frames, decode_clip(sample.views[feature.removeprefix("observation.images.")]))
                assert list(frames.shape[1:]) == described["shape"]
                compared += 1
    assert compared > 10


def test_statistics_are_those_of_the_rows(exported: tuple[Path, Counts]) -> None:
    compared = 0
    for root in datasets(exported[0]):
        stats = json.loads((root / "meta" / "stats.json").read_text())
        data = pq.read_table(root / "data" / "chunk-000" / "file-000.parquet")
        for side in ("state", "action"):
            name = "observation.state" if side == "state" else "action"
            if name not in stats:
                continue
            valid = data.column(f"valid.{side}").to_numpy(zero_copy_only=False)
            values = np.array(data.column(name).to_pylist(), np.float64)[valid]
            np.testing.assert_allclose(stats[name]["mean"], values.mean(0), atol=1e-6)
            np.testing.assert_allclose(stats[name]["std"], values.std(0), atol=1e-6)
            assert stats[name]["count"] == [len(values)]
            compared += 1
    assert compared


def test_rights_and_the_card_travel_along(exported: tuple[Path, Counts], opened: ShardSet) -> None:
    licences = {sample.key: sample.record["licence"] for _, sample in opened.iterate("train")}
    for root in datasets(exported[0]):
        page = (root / "README.md").read_text(encoding="utf-8")
        events = rows(root / "meta" / "events.parquet")
        (licence,) = {row["licence"] for row in events}
        assert all(licences[row["key"]] == licence for row in events)
        assert f'license_name: "{licence}"' in page
        assert opened.shard_set_id in page
        assert page.endswith("# The set\n")


def test_the_same_set_gives_the_same_bytes(exported: tuple[Path, Counts], opened: ShardSet, tmp_path: Path) -> None:
    write_lerobot(opened, "train", Language.COLUMNS, CARD, tmp_path)
    assert digests(tmp_path) == digests(exported[0])


def test_the_older_dialect_numbers_its_subtasks(opened: ShardSet, tmp_path: Path) -> None:
    write_lerobot(opened, "validation", Language.SUBTASK_INDEX, CARD, tmp_path)
    for root in datasets(tmp_path):
        texts = {row["subtask_index"]: row["__index_level_0__"] for row in rows(root / "meta" / "subtasks.parquet")}
        events = rows(root / "meta" / "events.parquet")
        for row in rows(root / "data" / "chunk-000" / "file-000.parquet"):
            event = events[row["episode_index"]]
            assert texts[row["subtask_index"]] == event["subtask"]
            assert row["caption"] == event["caption"]


def test_a_set_without_anything_that_fits_is_refused(
    opened: ShardSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.exporters.kinds.RATE_TOLERANCE", -1.0)
    event = read_event(opened, "train", 0)
    assert "no whole number" in kind_of(event.sample, event.members).refused
    with pytest.raises(JoineryError, match="no event of train fits a LeRobot dataset: not carried: 20 frames/s"):
        write_lerobot(opened, "train", Language.COLUMNS, CARD, tmp_path)
