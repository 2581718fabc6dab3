"""JSON every parser reads, the same text every time."""

import json
import math

import numpy as np

from pipeline.shards.json_text import compact, pretty


def test_arrays_become_lists_and_what_json_lacks_becomes_null() -> None:
    value = {"b": np.array([[1.0, math.nan]]), "a": [math.inf, {"c": "ü"}]}
    assert compact(value).decode() == '{"b":[[1.0,null]],"a":[null,{"c":"ü"}]}'


def test_files_for_people_are_sorted_and_end_in_a_newline() -> None:
    text = pretty({"b": 1, "a": [1, 2]})
    assert list(json.loads(text)) == ["a", "b"]
    assert text.endswith("}\n")
