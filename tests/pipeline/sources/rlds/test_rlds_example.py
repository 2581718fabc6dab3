"""``tf.train.Example`` messages, compared with what the protobuf library writes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.sources.rlds.rlds_example import parse_example
from tests.pipeline.sources.written import rlds as written

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOAT32 = st.floats(width=32, allow_nan=False)
NAMES = st.text(min_size=1, max_size=8)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    bytes_=st.dictionaries(
        NAMES.map("b/{}".format), st.lists(st.binary(max_size=9), min_size=1, max_size=5), max_size=3
    ),
    floats=st.dictionaries(NAMES.map("f/{}".format), st.lists(FLOAT32, min_size=1, max_size=9), max_size=3),
    whole=st.dictionaries(NAMES.map("i/{}".format), st.lists(INT64, min_size=1, max_size=9), max_size=3),
)
def test_every_list_reads_as_it_was_written(
    bytes_: dict[str, list[bytes]], floats: dict[str, list[float]], whole: dict[str, list[int]]
) -> None:
    found = parse_example(written.example({**bytes_, **floats, **whole}), "made")
    assert set(found.lists) == {*bytes_, *floats, *whole}
    for name, values in bytes_.items():
        assert [bytes(value) for value in found.bytes_of(name)] == values
    for name, numbers in floats.items():
        assert found.floats_of(name).tolist() == np.array(numbers, np.float32).tolist()
        assert found.numbers_of(name).tolist() == np.array(numbers, np.float32).tolist()
    for name, integers in whole.items():
        assert found.integers_of(name).tolist() == integers


def message(*fields: tuple[int, bytes]) -> bytes:
    """Counted fields one after the other; short ones only."""
    return b"".join(bytes([number << 3 | 2, len(data)]) + data for number, data in fields)


def entry(feature: bytes, name: bytes = b"x") -> bytes:
    return message((1, message((1, message((1, name), (2, feature))))))


def test_lists_that_are_not_packed_read_the_same() -> None:
    one, minus = b"\x08\x01", b"\x08" + b"\xff" * 9 + b"\x01"
    assert parse_example(entry(message((3, one + minus))), "made").integers_of("x").tolist() == [1, -1]
    float_one = b"\x0d" + np.float32(1.0).tobytes()
    assert parse_example(entry(message((2, float_one * 2))), "made").floats_of("x").tolist() == [1.0, 1.0]


def test_an_empty_list_of_any_kind_is_empty() -> None:
    for feature in (b"", message((1, b"")), message((2, b"")), message((3, b""))):
        found = parse_example(entry(feature), "made")
        assert len(found.bytes_of("x")) == len(found.floats_of("x")) == len(found.integers_of("x")) == 0


def test_fields_of_newer_versions_are_passed_over() -> None:
    newer = message((9, b"new")) + b"\x50\x07" + b"\x5d1234" + b"\x6112345678"
    assert parse_example(newer + entry(message((1, message((1, b"a"))))) + newer, "made").bytes_of("x") == [b"a"]


@pytest.mark.parametrize(
    ("record", "message_"),
    [
        (b"\x0a\x7f", r"a field claims 127 bytes, 0 are left"),
        (b"\x0a" + b"\xff" * 9 + b"\x01", r"a field claims 18446744073709551615 bytes"),
        (b"\xff" * 11, r"a number of a message does not end"),
        (b"\x0b", r"is no protobuf field"),
        (entry(b"", b"\xff"), r"the name of a feature is no text"),
        (entry(b"") * 2, r"the feature 'x' stands there twice"),
    ],
)
def test_what_is_no_example_is_an_error(record: bytes, message_: str) -> None:
    with pytest.raises(SourceError, match=f"^made: .*{message_}"):
        parse_example(record, "made")


@pytest.mark.parametrize(
    ("feature", "asked", "message_"),
    [
        (message((1, message((1, b"a")))), "floats_of", r"x holds byte strings, expected floats"),
        (message((2, message((1, b"abc")))), "floats_of", r"x ends inside a number"),
        (message((3, message((1, b"\xff")))), "integers_of", r"x: an integer does not end"),
        (message((3, message((1, b"\xff" * 10 + b"\x01")))), "integers_of", r"x: an integer does not end"),
        (message((2, message((1, b"abcd")))), "bytes_of", r"x holds floats, expected byte strings"),
    ],
)
def test_a_list_of_another_kind_or_cut_short_is_an_error(feature: bytes, asked: str, message_: str) -> None:
    with pytest.raises(SourceError, match=f"^made: {message_}"):
        getattr(parse_example(entry(feature), "made"), asked)("x")


def test_a_feature_that_is_not_there_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(SourceError, match=r"no feature 'y', found x; features\.json is of another version"):
        parse_example(entry(b""), "made").floats_of("y")
