"""Cells: the same whatever order they are listed in, told apart as the balance tells them apart, and never guessed."""

import math
from typing import Any

import numpy as np
import pytest

from clustering.load_plan.cells import cells_digest, cells_of_events, members_of, plan_cells
from pipeline.errors import StoreError
from pipeline.loader.catalogue import Catalogue, catalogue_of


def catalogue() -> Catalogue:
    """Six events: clusters 0/0 and 1/-1, two sources, one recovery."""
    return catalogue_of(
        {
            "event_id": np.array([f"ev-{i}" for i in range(6)], np.bytes_),
            "vision_language": np.array([0, 0, 0, 1, 1, 1]),
            "action": np.array([0, 0, 0, -1, -1, -1]),
            "source": np.array([0, 1, 1, 0, 0, 1]),
            "recovery": np.array([0, 0, 1, 0, 0, 0], bool),
            "n_frames": np.full(6, 9),
            "n_views": np.ones(6),
            "n_action_rows": np.zeros(6),
        },
        ("lab", "web"),
    )


def cell(v: int, a: int, n: int, mass: float, **more: Any) -> dict[str, Any]:
    return {"vision_language": v, "action": a, "n_events": n, "mass": mass, **more}


def test_the_order_cells_are_listed_in_does_not_matter() -> None:
    rows = [cell(0, 0, 3, 0.25), cell(1, -1, 3, 0.75)]
    assert cells_digest(plan_cells(rows)) == cells_digest(plan_cells(rows[::-1]))
    other = [cell(0, 0, 3, math.nextafter(0.25, 1)), cell(1, -1, 3, 0.75)]
    assert cells_digest(plan_cells(other)) != cells_digest(plan_cells(rows)), "shares count to the last bit"


def test_other_shares_are_sorted_with_their_cells() -> None:
    rows = [cell(1, -1, 3, 0.75), cell(0, 0, 3, 0.25)]
    assert plan_cells(rows).mass.tolist() == [0.25, 0.75]
    assert plan_cells(rows, [0.9, 0.1]).mass.tolist() == [0.1, 0.9]


def test_events_lie_in_the_cells_of_their_clusters() -> None:
    cells = plan_cells([cell(1, -1, 3, 0.5), cell(0, 0, 3, 0.5)])
    of_event = cells_of_events(cells, catalogue())
    assert of_event.tolist() == [0, 0, 0, 1, 1, 1]
    members = members_of(of_event, cells)
    assert members.rows.tolist() == list(range(6))
    assert (members.starts.tolist(), members.counts.tolist()) == ([0, 3], [3, 3])


def test_cells_may_be_told_apart_by_source_and_recovery() -> None:
    rows = [
        cell(0, 0, 1, 0.2, source="lab", recovery=False),
        cell(0, 0, 1, 0.2, source="web", recovery=False),
        cell(0, 0, 1, 0.2, source="web", recovery=True),
        cell(1, -1, 2, 0.2, source="lab", recovery=False),
        cell(1, -1, 1, 0.2, source="web", recovery=False),
    ]
    cells = plan_cells(rows)
    assert cells_of_events(cells, catalogue()).tolist() == [0, 1, 2, 3, 3, 4]
    plain = [cell(0, 0, 3, 0.5, source="", recovery=None), cell(1, -1, 3, 0.5, source="", recovery=None)]
    assert cells_of_events(plan_cells(plain), catalogue()).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([cell(0, 0, 3, 1.0)], r"ev-3: the sampling plan has no cell 1/-1"),
        ([cell(0, 0, 3, 0.5), cell(1, -1, 4, 0.5)], r"cell 1/-1: the manifest has 3 training events.* says 4"),
        ([cell(0, 0, 3, 0.5, source="lab"), cell(1, -1, 3, 0.5, source="lab")], "ev-1: the sampling plan has no cell"),
        ([], "has no cells"),
        ([cell(1 << 20, 0, 3, 1.0)], "must stay below"),
    ],
)
def test_a_plan_of_other_events_is_refused(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        cells_of_events(plan_cells(rows), catalogue())
