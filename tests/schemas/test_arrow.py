"""Every record comes back from Arrow as it went in: arrays, Nones, nested tuples, enums."""

import dataclasses
import importlib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from schemas.array import Floats
from schemas.arrow import from_table, schema_of, to_row, to_table
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.event import Event

RECORD_MODULES = (
    "calibration",
    "cluster",
    "episode",
    "event",
    "filmstrip",
    "finding",
    "plan",
    "run",
    "shard",
    "source",
)


def _records() -> Iterator[type]:
    for name in RECORD_MODULES:
        module = importlib.import_module(f"schemas.{name}")
        for value in vars(module).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
                yield value


RECORDS = list(_records())


def _strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, made from the same declaration the codec reads."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return st.none() | _strategy(next(arg for arg in arguments if arg is not type(None)))
    if typing.get_origin(hint) is Annotated:
        spec = arguments[1]
        shape = st.integers(0, 3).map(lambda n: tuple(n if size == -1 else size for size in spec.shape))
        return shape.flatmap(lambda size: npst.arrays(np.dtype(spec.dtype), size))
    if typing.get_origin(hint) is tuple:
        return st.lists(_strategy(arguments[0]), max_size=2).map(tuple)
    if dataclasses.is_dataclass(hint):
        return _record_strategy(typing.cast(type, hint))
    if issubclass(hint, StrEnum):
        return st.sampled_from(list(hint))
    return {
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False),
        str: st.text(max_size=5),
        bool: st.booleans(),
        bytes: st.binary(max_size=5),
    }[hint]


def _record_strategy(record: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(record, include_extras=True)
    return st.builds(record, **{name: _strategy(hint) for name, hint in hints.items()})


def _assert_same(found: Any, given: Any) -> None:
    assert type(found) is type(given) or isinstance(given, np.ndarray)
    if dataclasses.is_dataclass(given):
        for field in dataclasses.fields(given):
            _assert_same(getattr(found, field.name), getattr(given, field.name))
    elif isinstance(given, tuple):
        for one, other in zip(found, given, strict=True):
            _assert_same(one, other)
    elif isinstance(given, np.ndarray):
        assert found.dtype == given.dtype
        np.testing.assert_array_equal(found, given)
    else:
        assert found == given


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_record_survives_the_round_trip(record: type) -> None:
    @given(st.lists(_record_strategy(record), max_size=3))
    @settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def round_trip(rows: list[Any]) -> None:
        table = to_table(record, rows)
        assert table.schema.equals(schema_of(record))
        found: list[Any] = from_table(record, table)
        _assert_same(tuple(found), tuple(rows))

    round_trip()


def test_chunks_and_slices_of_a_table_read_like_the_whole() -> None:
    rows = [_track(n) for n in range(4)]
    table = pa.concat_tables([to_table(ActionTrack, rows[:1]), to_table(ActionTrack, rows[1:])]).slice(1, 2)
    _assert_same(tuple(from_table(ActionTrack, table)), tuple(rows[1:3]))


def test_columns_that_are_not_the_records_are_ignored() -> None:
    table = to_table(ActionTrack, [_track(2)]).append_column("attempt", pa.array(["a1"]))
    _assert_same(from_table(ActionTrack, table)[0], _track(2))


def test_nan_is_kept_and_is_not_none() -> None:
    position = np.full((2, 3), np.nan, np.float32)
    track = dataclasses.replace(_track(2), state=(dataclasses.replace(_track(2).state[0], position=position),))
    found = from_table(ActionTrack, to_table(ActionTrack, [track]))[0].state[0]
    assert found.position is not None
    assert np.isnan(found.position).all()
    assert found.rotation is None


def test_other_tools_can_see_an_arrays_shape() -> None:
    field = schema_of(ArmTrack).field("position")
    assert (field.type.value_type, field.metadata) == (pa.float32(), {b"shape": b"T,3"})


def test_a_missing_required_value_names_its_field() -> None:
    track = dataclasses.replace(_track(1), provenance=typing.cast(str, None))
    with pytest.raises(ValueError, match=r"^provenance: found None, expected <class 'str'>$"):
        to_row(track)


def test_a_wrong_shape_names_its_field() -> None:
    track = dataclasses.replace(_track(1), times_ns=np.zeros((2, 2), np.int64))
    with pytest.raises(ValueError, match=r"^times_ns: found shape \(2, 2\)"):
        to_table(ActionTrack, [track])


def test_a_field_without_an_arrow_form_is_refused_at_once() -> None:
    @dataclass(frozen=True)
    class Loose:
        anything: dict[str, int]

    with pytest.raises(TypeError, match=r"no Arrow type is declared for it in schemas/arrow\.py"):
        schema_of(Loose)


def test_an_array_field_says_what_it_is() -> None:
    @dataclass(frozen=True)
    class Bare:
        values: Floats

    with pytest.raises(TypeError, match="no Arrow type is declared"):
        schema_of(Bare)


def test_the_event_table_has_no_surprises() -> None:
    """The columns people query by hand; renaming one breaks their notebooks."""
    flat = {
        "event_id",
        "episode_id",
        "level",
        "parent_id",
        "verb",
        "caption",
        "static_fraction",
        "needs_vlm",
        "revision",
    }
    assert flat <= set(schema_of(Event).names)
    assert schema_of(Event).field("span").type.field("start_ns").type == pa.int64()


def _track(n: int) -> ActionTrack:
    arm = ArmTrack(
        arm=Arm.LEFT,
        position=np.full((n, 3), 0.5, np.float32),
        rotation=None,
        opening=np.zeros(n, np.float32),
        fingers=None,
        n_fingers=0,
    )
    return ActionTrack(
        episode_id=f"ep-{n}",
        kind=ActionKind.MEASURED,
        provenance="test",
        times_ns=np.arange(n, dtype=np.int64),
        valid=np.ones(n, np.bool_),
        state=(arm,),
        target=(),
        joint_names=("a",),
        joint_state=None,
        joint_target=None,
    )
