"""Draws that were taken out leave numbers nobody has."""

import json

from pipeline.shards.holes import HOLES, Hole, draws_left, holes_in, written


def test_what_is_left_keeps_its_numbers() -> None:
    holes = [Hole(1, 0, 0, "a", False), Hole(3, 0, 0, "a", False)]
    assert draws_left(3, holes).tolist() == [0, 2, 4]
    assert draws_left(3, []).tolist() == [0, 1, 2]
    assert draws_left(2, [Hole(99, 0, 0, "a", False)]).tolist() == [0, 1], "a hole that cannot be is none"


def test_holes_are_written_and_read_back_in_order() -> None:
    holes = {"train": [Hole(7, 1, -1, "b", True), Hole(2, 0, 3, "a", False)], "test": []}
    content = json.loads(json.dumps({HOLES: written(holes)}))
    assert holes_in(content) == {"train": sorted(holes["train"])}
    assert holes_in({}) == {}
