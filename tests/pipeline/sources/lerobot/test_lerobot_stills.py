"""Pictures inside the table: the same frames whatever holds them, row by row."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.ingest import ingest
from pipeline.sources.lerobot import lerobot
from pipeline.video import ONE_THREAD
from schemas.episode import Episode, VideoWindow
from schemas.recipe import IngestSpec
from schemas.source import EpisodeRef
from tests.pipeline.sources.datasets import FPS, discovered, spec_for, write_v2, write_v3
from tests.pipeline.sources.written.stills import FEATURE, KEY, STRUCT, column, pixels, png, write_stills

STEP_NS = 10**9 // FPS


def pictures(root: Path, ref: EpisodeRef, window: VideoWindow | None = None) -> list[Any]:
    files = SourceFiles(str(root))
    chosen = window or lerobot.read(ref, files).cameras[0].video
    return [
        (picture.pts_ns, picture.end_ns, picture.frame.to_ndarray(format="rgb24"))
        for picture in lerobot.pictures(ref, files, chosen, ONE_THREAD)
    ]


def test_pictures_in_the_table_are_a_view(tmp_path: Path) -> None:
    write_stills(tmp_path, [5, 3])
    refs, findings = discovered(spec_for(tmp_path))
    assert [[file.part for file in ref.files] for ref in refs] == [["table"], ["table"]]
    assert findings == []
    for index, ref in enumerate(refs):
        found = pictures(tmp_path, ref)
        assert len(found) == (5, 3)[index]
        for row, (pts_ns, end_ns, shown) in enumerate(found):
            assert (pts_ns, end_ns) == (row * STEP_NS, (row + 1) * STEP_NS)
            assert np.array_equal(shown, pixels(index, row))


def test_a_window_gives_the_pictures_that_start_inside_it(tmp_path: Path) -> None:
    write_stills(tmp_path, [6])
    (ref,), _ = discovered(spec_for(tmp_path))
    found = pictures(tmp_path, ref, VideoWindow("table", 0, 2 * STEP_NS, 4 * STEP_NS, KEY))
    assert [pts_ns // STEP_NS for pts_ns, _, _ in found] == [2, 3]


def test_an_ingested_episode_of_pictures_has_a_frame_per_row(tmp_path: Path) -> None:
    write_stills(tmp_path, [6])
    (ref,), _ = discovered(spec_for(tmp_path))
    (episode,) = [x for x in ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()) if isinstance(x, Episode)]
    assert (episode.master.name, episode.master.n_frames, episode.master.width) == ("wrist", 6, 64)
    assert episode.master.end_ns == 6 * STEP_NS


def test_films_and_pictures_may_stand_side_by_side(tmp_path: Path) -> None:
    write_stills(tmp_path, [10], cameras=("observation.images.front",))
    (ref,), _ = discovered(spec_for(tmp_path))
    assert [camera.name for camera in lerobot.read(ref, SourceFiles(str(tmp_path))).cameras] == ["front", "wrist"]
    assert len(pictures(tmp_path, ref)) == 10


def test_episodes_that_share_a_table_keep_their_own_pictures(tmp_path: Path) -> None:
    write_v3(tmp_path, [4, 40, 3])
    path = tmp_path / "data/chunk-000/file-000.parquet"
    made = [column(index, n_rows) for index, n_rows in enumerate([4, 40, 3])]
    table = pq.read_table(path).append_column(KEY, pa.chunked_array(made))
    pq.write_table(table, path, row_group_size=7)
    info = tmp_path / "meta/info.json"
    stated = json.loads(info.read_text())
    stated["features"] = {
        key: value for key, value in stated["features"].items() if value["dtype"] != "video"
    } | FEATURE
    info.write_text(json.dumps(stated))
    refs, _ = discovered(spec_for(tmp_path))
    for index, (ref, n_rows) in enumerate(zip(refs, [4, 40, 3], strict=True)):
        found = pictures(tmp_path, ref)
        assert len(found) == n_rows
        assert all(np.array_equal(shown, pixels(index, row)) for row, (_, _, shown) in enumerate(found))


def test_a_path_instead_of_a_picture_is_not_followed(tmp_path: Path) -> None:
    write_stills(tmp_path, [3], lambda _, n: pa.array([{"bytes": None, "path": "/etc/passwd"}] * n, STRUCT))
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"holds no picture but the path '/etc/passwd', which is not followed"):
        pictures(tmp_path, ref)


def test_a_damaged_picture_is_an_error_that_names_its_row(tmp_path: Path) -> None:
    def cut(index: int, n_rows: int) -> pa.Array:
        rows = [png(index, row)[: 40 if row == 2 else None] for row in range(n_rows)]
        return pa.array([{"bytes": data, "path": None} for data in rows], STRUCT)

    write_stills(tmp_path, [4], cut)
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(
        SourceError, match=r"episode_000000\.parquet, observation\.images\.wrist, row 2: a picture of 40"
    ):
        pictures(tmp_path, ref)


def test_a_view_that_the_table_lacks_is_an_error(tmp_path: Path) -> None:
    write_v2(tmp_path, [3], cameras=(), extra_features=FEATURE)
    (ref,), _ = discovered(spec_for(tmp_path))
    with pytest.raises(SourceError, match=r"no column 'observation\.images\.wrist' of pictures, found"):
        pictures(tmp_path, ref)


def test_depth_pictures_are_no_view(tmp_path: Path) -> None:
    depth = {"observation.images.wrist_depth": {"dtype": "image", "shape": [48, 64, 1]}}
    write_v2(tmp_path, [3], cameras=(), extra={KEY: column}, extra_features={**FEATURE, **depth})
    (ref,), _ = discovered(spec_for(tmp_path))
    assert [camera.name for camera in lerobot.read(ref, SourceFiles(str(tmp_path))).cameras] == ["wrist"]
