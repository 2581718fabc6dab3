"""The events of a corpus as arrays, and their points on disk."""

from pathlib import Path

import numpy as np
import pytest

from clustering.cell_points import CellPoints
from clustering.event_table import table_of
from clustering.recordings import best_first, recording_of
from schemas.cluster import Embedding, Space
from tests.clustering.made import assignment
from tests.clustering.test_copies import outline
from tests.clustering.test_dedup import MODELS, A, V

ITEMS = [
    assignment("ev-3", 1, 0, of="ep-b"), assignment("ev-1", 0, -1, of="ep-a"), assignment("ev-2", 1, 0, of="ep-a"),
    assignment("ev-4", 1, 0, of="ep-c", recovery=True), assignment("ev-5", 1, 1, of="ep-c"),
]  # fmt: skip


def test_rows_are_found_by_id_whatever_the_batches() -> None:
    table = table_of([ITEMS[:2], [], ITEMS[2:]])
    assert table.rows_of(["ev-5", "ev-0", "ev-1", "ev-33"]).tolist() == [4, -1, 0, -1]
    assert table.episodes_of(["ep-c", "ep-d", "ep-a"]).tolist() == [2, -1, 0]
    assert table.protected.tolist() == [False, False, False, True, False]
    assert table.with_action.tolist() == [False, True, True, True, True]
    assert len(table_of([])) == 0
    assert table_of([]).rows_of(["ev-1"]).tolist() == [-1]


def test_cells_of_several_events_come_best_first() -> None:
    table = table_of([ITEMS])
    assert [rows.tolist() for rows in table.cells(np.array([2, 0, 1]))] == [[2, 3, 1]]


def test_a_better_recording_has_more_of_what_counts() -> None:
    poor = outline("ep-1", 1)
    better = [
        outline("ep-2", 1),
        type(poor)(**{**vars(poor), "episode_id": "ep-3", "n_doubts": 2}),
        type(poor)(**{**vars(poor), "episode_id": "ep-4", "kept_s": 30.0}),
        type(poor)(**{**vars(poor), "episode_id": "ep-5", "views": poor.views[:1]}),
    ]
    recordings = {one.episode_id: recording_of(one) for one in [poor, *better]}
    names = ["ep-0", *recordings]
    assert [names[i] for i in np.argsort(best_first(names, recordings))] == [
        "ep-4", "ep-1", "ep-2", "ep-5", "ep-3", "ep-0",
    ]  # fmt: skip


def test_points_are_projected_into_their_rows(tmp_path: Path) -> None:
    points = CellPoints(tmp_path / "points", 3, MODELS)
    look = np.float32([0, 3, 0, 0])
    made = [Embedding(f"ev-{i}", "ep", Space.VISION_LANGUAGE, V, np.roll(look, i)) for i in range(3)]
    made.append(Embedding("ev-0", "ep", Space.ACTION, A, np.float32([0, 0, 0, 2])))
    points.write(made, np.array([2, 0, -1, 2]))
    np.testing.assert_array_equal(points.of(np.array([2, 0]), Space.VISION_LANGUAGE), [[0, 1, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(points.of(np.array([2, 1]), Space.ACTION), [[0, 0, 0, 1], [0, 0, 0, 0]])
    with pytest.raises(KeyError):
        points.write([Embedding("ev-0", "ep", Space.ACTION, "joinery-poses-v2:8x2", look)], np.array([0]))
