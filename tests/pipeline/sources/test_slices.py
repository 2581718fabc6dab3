"""Slices: what several files say about one recording comes together, whatever order they say it in."""

from pipeline.sources.slices import Slices


def test_slices_come_together_by_recording_and_in_order_of_name() -> None:
    with Slices() as slices:
        for recording, value in (("b", 1), ("a", 2), ("b", 3), ("c", 4)):
            slices.add(recording, {"value": value})
        assert list(slices.by_recording()) == [
            ("a", [{"value": 2}]),
            ("b", [{"value": 1}, {"value": 3}]),
            ("c", [{"value": 4}]),
        ]


def test_names_and_texts_are_kept_as_they_are() -> None:
    with Slices() as slices:
        slices.add("größe'; DROP TABLE slice; --", {"text": "a\u0000b \U0001f600"})
        assert list(slices.by_recording()) == [("größe'; DROP TABLE slice; --", [{"text": "a\u0000b \U0001f600"}])]


def test_nothing_is_no_recording() -> None:
    with Slices() as slices:
        assert list(slices.by_recording()) == []
