"""Datasets of all three versions are what their metadata says, as LeRobot lays them out."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.synthetic.lerobot_writer import Codebase, DatasetSpec, RecordedEpisode, write_dataset
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize

CAMERA = "observation.images.front"
LENGTHS = (14, 9, 11)
FPS = 20
SIZE = PictureSize(64, 48)


def spec(codebase: Codebase) -> DatasetSpec:
    names = {"observation.state": ("x", "y", "z"), "observation.grip": ("grip",)}
    return DatasetSpec(codebase, "arm", FPS, names, {CAMERA: SIZE}, episodes_per_file=2)


def pictures(n: int, level: int) -> Iterator[Picture]:
    for index in range(n):
        yield np.full((48, 64, 3), level + index, np.uint8)


def episodes() -> Iterator[RecordedEpisode]:
    for index, n in enumerate(LENGTHS):
        state = np.arange(3 * n).reshape(n, 3) + 100.0 * index
        features = {"observation.state": state, "observation.grip": state[:, :1] / 7}
        yield RecordedEpisode(("lift", "push")[index % 2], features, {CAMERA: partial(pictures, n, 60 * index + 20)})


@pytest.fixture(scope="module", params=list(Codebase))
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Codebase]:
    root = tmp_path_factory.mktemp(request.param.value)
    write_dataset(root, spec(request.param), episodes())
    return root, request.param


def info(root: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((root / "meta" / "info.json").read_text())
    return loaded


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def listing(root: Path, codebase: Codebase) -> list[dict[str, Any]]:
    if codebase is Codebase.V30:
        rows: list[dict[str, Any]] = pq.read_table(
            root / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
        ).to_pylist()
        return rows
    return json_lines(root / "meta" / "episodes.jsonl")


def rows_of(root: Path, codebase: Codebase, index: int) -> dict[str, list[Any]]:
    known = info(root)
    if codebase is Codebase.V30:
        place = listing(root, codebase)[index]
        path = known["data_path"].format(chunk_index=place["data/chunk_index"], file_index=place["data/file_index"])
        table = pq.read_table(root / path)
        found: dict[str, list[Any]] = table.filter(np.array(table["episode_index"]) == index).to_pydict()
        return found
    whole: dict[str, list[Any]] = pq.read_table(
        root / known["data_path"].format(episode_chunk=0, episode_index=index)
    ).to_pydict()
    return whole


def levels_of(root: Path, codebase: Codebase, index: int) -> list[float]:
    known, window = info(root), (-1.0, 1e9)
    if codebase is Codebase.V30:
        place = listing(root, codebase)[index]
        path = known["video_path"].format(
            video_key=CAMERA,
            chunk_index=place[f"videos/{CAMERA}/chunk_index"],
            file_index=place[f"videos/{CAMERA}/file_index"],
        )
        window = (place[f"videos/{CAMERA}/from_timestamp"] - 1e-6, place[f"videos/{CAMERA}/to_timestamp"] - 1e-6)
    else:
        path = known["video_path"].format(episode_chunk=0, video_key=CAMERA, episode_index=index)
    with av.open(str(root / path)) as container:
        frames = [frame for frame in container.decode(video=0) if window[0] <= frame.time < window[1]]
        return [float(frame.to_ndarray(format="rgb24").mean()) for frame in frames]


def test_totals_and_templates_are_true(dataset: tuple[Path, Codebase]) -> None:
    root, codebase = dataset
    known = info(root)
    assert known["codebase_version"] == codebase.value
    assert (known["total_episodes"], known["total_frames"], known["total_tasks"]) == (3, sum(LENGTHS), 2)
    assert (known["fps"], known["splits"], known["robot_type"]) == (FPS, {"train": "0:3"}, "arm")
    assert known["features"][CAMERA]["shape"] == [48, 64, 3]
    details = known["features"][CAMERA]["video_info" if codebase is Codebase.V20 else "info"]
    assert (details["video.fps"], details["video.codec"]) == (FPS, "h264")
    assert [row["length"] for row in listing(root, codebase)] == list(LENGTHS)


def test_rows_and_frames_are_as_many_and_belong_together(dataset: tuple[Path, Codebase]) -> None:
    root, codebase = dataset
    first = 0
    for index, n in enumerate(LENGTHS):
        rows, levels = rows_of(root, codebase, index), levels_of(root, codebase, index)
        assert len(rows["timestamp"]) == len(levels) == n
        assert rows["frame_index"] == list(range(n))
        assert rows["index"] == list(range(first, first + n))
        assert np.allclose(rows["timestamp"], np.arange(n) / FPS)
        assert rows["observation.state"][0] == [100.0 * index, 100.0 * index + 1, 100.0 * index + 2]
        assert np.allclose(np.array(rows["observation.grip"]), (np.arange(n) * 3 + 100 * index) / 7, rtol=1e-6)
        assert np.abs(np.array(levels) - (60 * index + 20 + np.arange(n))).max() < 4
        first += n


def test_tasks_are_numbered_once_each(dataset: tuple[Path, Codebase]) -> None:
    root, codebase = dataset
    if codebase is Codebase.V30:
        frame = pq.read_table(root / "meta" / "tasks.parquet").to_pandas()
        texts = dict(zip(frame["task_index"], frame.index, strict=True))
    else:
        texts = {row["task_index"]: row["task"] for row in json_lines(root / "meta" / "tasks.jsonl")}
    assert texts == {0: "lift", 1: "push"}
    assert [rows_of(root, codebase, index)["task_index"][0] for index in range(3)] == [0, 1, 0]
    assert [row["tasks"] for row in listing(root, codebase)] == [["lift"], ["push"], ["lift"]]


def test_statistics_lie_where_the_version_keeps_them(dataset: tuple[Path, Codebase]) -> None:
    root, codebase = dataset
    features = set(info(root)["features"])
    if codebase is Codebase.V21:
        rows = json_lines(root / "meta" / "episodes_stats.jsonl")
        assert [row["episode_index"] for row in rows] == [0, 1, 2]
        assert set(rows[0]["stats"]) == features
        assert rows[1]["stats"]["observation.state"]["min"] == [100.0, 101.0, 102.0]
        assert rows[1]["stats"]["observation.state"]["count"] == [9]
        return
    stats = json.loads((root / "meta" / "stats.json").read_text())
    assert set(stats) == features
    assert stats["observation.state"]["max"] == [230.0, 231.0, 232.0]
    assert ("count" in stats["index"]) is (codebase is Codebase.V30)
    if codebase is Codebase.V30:
        row = listing(root, codebase)[2]
        assert row["stats/observation.state/min"] == [200.0, 201.0, 202.0]
        assert (row["dataset_from_index"], row["dataset_to_index"]) == (23, 34)


def test_packed_episodes_share_files(tmp_path: Path) -> None:
    write_dataset(tmp_path, spec(Codebase.V30), episodes())
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("file-*.mp4"))
    assert files == [f"videos/{CAMERA}/chunk-000/file-{index:03d}.mp4" for index in range(2)]
    rows = listing(tmp_path, Codebase.V30)
    assert [row[f"videos/{CAMERA}/from_timestamp"] for row in rows] == [0.0, 0.7, 0.0]
    assert [row["data/file_index"] for row in rows] == [0, 0, 1]


def test_vectors_have_a_fixed_size_from_v21_on(tmp_path: Path) -> None:
    kinds = {}
    for codebase in (Codebase.V20, Codebase.V21):
        write_dataset(tmp_path / codebase.value, spec(codebase), episodes())
        schema = pq.read_schema(tmp_path / codebase.value / "data" / "chunk-000" / "episode_000000.parquet")
        kinds[codebase] = (str(schema.field("observation.state").type), str(schema.field("observation.grip").type))
        assert b"huggingface" in (schema.metadata or {})
    assert kinds[Codebase.V20] == ("list<element: float>", "float")
    assert kinds[Codebase.V21] == ("fixed_size_list<element: float>[3]", "float")
