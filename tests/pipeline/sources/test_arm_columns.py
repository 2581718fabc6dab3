"""From named columns to an arm: metres, 6-D rotations, openings; nothing plausible is put where nothing is meant."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.sources.arm_columns import Mapped, map_arms
from schemas.array import Floats
from schemas.episode import ArmTrack
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe_columns import ArmColumns

WHERE = "made/episode.parquet"
IDENTITY = {"rot6d_rows": [1, 0, 0, 0, 1, 0], "quaternion_xyzw": [0, 0, 0, 1], "rotation_vector": [0, 0, 0]}


def mapped(columns: dict[str, Any], **table: Any) -> Mapped:
    """``columns`` of a right arm, read from a table of [T] or [T, W] columns."""
    found = {name: np.asarray(values, np.float64) for name, values in table.items()}
    n_rows = len(next(iter(found.values())))

    def numbers(column: str) -> Floats:
        return found[column].reshape(n_rows, -1)

    return map_arms([ArmColumns.model_validate({"arm": "right", **columns})], n_rows, numbers, WHERE)


def arm_of(columns: dict[str, Any], **table: Any) -> ArmTrack:
    (arm,) = mapped(columns, **table).arms
    return arm


def posed(encoding: str, rotations: Any) -> Mapped:
    rotation = {"column": "r", "encoding": encoding}
    return mapped({"position": {"column": "p"}, "rotation": rotation}, p=np.zeros((len(rotations), 3)), r=rotations)


NUMBERS = st.floats(-1e6, 1e6)


@settings(deadline=None, derandomize=True)
@given(closed=NUMBERS, opened=NUMBERS, values=st.lists(NUMBERS, min_size=1, max_size=5))
def test_closed_becomes_0_and_open_becomes_1_in_any_units(closed: float, opened: float, values: list[float]) -> None:
    if abs(closed - opened) < 1e-3:
        opened = closed + 1.0
    polarity = {"opening": {"column": "g", "closed": closed, "open": opened}}
    opening = np.asarray(arm_of(polarity, g=[closed, opened, *values]).opening)
    assert opening[:2].tolist() == [0.0, 1.0]
    order = np.argsort(np.array(values) * np.sign(opened - closed), kind="stable")
    assert (np.diff(opening[2:][order]) >= 0).all(), "further towards open is more open"


@settings(deadline=None, derandomize=True)
@given(scale=st.floats(1e-4, 10), metres=st.lists(st.floats(-2, 2), min_size=3, max_size=3))
def test_positions_are_metres_whatever_unit_the_source_counts_in(scale: float, metres: list[float]) -> None:
    columns = {"position": {"column": "p"}, "position_scale_m": scale}
    assert np.asarray(arm_of(columns, p=[np.array(metres) / scale]).position)[0] == pytest.approx(metres, abs=1e-5)


@settings(deadline=None, derandomize=True)
@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_every_encoding_of_a_rotation_becomes_the_same_two_rows(quaternion: tuple[float, ...]) -> None:
    rotation = Rotation.from_quat(quaternion)
    matrix = rotation.as_matrix()
    written = {
        "rot6d_rows": matrix[:2].reshape(6),
        "rot6d_columns": matrix.T[:2].reshape(6),
        "quaternion_xyzw": rotation.as_quat(),
        "quaternion_wxyz": rotation.as_quat(scalar_first=True),
        "rotation_vector": rotation.as_rotvec(),
    }
    for encoding, values in written.items():
        mapped_arm = posed(encoding, [values])
        assert mapped_arm.valid.all()
        assert mapped_arm.remarks == ()
        assert matrix_of(np.asarray(mapped_arm.arms[0].rotation))[0] == pytest.approx(matrix, abs=1e-5), encoding


@pytest.mark.parametrize(
    ("encoding", "nonsense"),
    [
        ("rot6d_rows", [1, 0, 0, 2, 0, 0]),
        ("rot6d_rows", [1, 0, 0, 0, 0, 0]),
        ("quaternion_xyzw", [0, 0, 0, 0]),
        ("rotation_vector", [0, np.nan, 0]),
    ],
    ids=["parallel", "zero vector", "zero quaternion", "not a number"],
)
def test_a_rotation_that_means_nothing_is_nan_and_its_row_invalid(encoding: str, nonsense: list[float]) -> None:
    found = posed(encoding, [IDENTITY[encoding], nonsense, IDENTITY[encoding]])
    assert found.valid.tolist() == [True, False, True]
    rotation = np.asarray(found.arms[0].rotation)
    assert np.isnan(rotation[1]).all()
    assert rotation[[0, 2]].tolist() == [[1, 0, 0, 0, 1, 0]] * 2


def test_vectors_far_from_unit_length_are_told_and_orthonormalised() -> None:
    found = posed("rot6d_rows", [[1.25, 0, 0, 0, 1, 0]])
    assert np.asarray(found.arms[0].rotation)[0].tolist() == [1, 0, 0, 0, 1, 0]
    (remark,) = found.remarks
    assert remark == ("rotation_not_unit", "r is up to 0.250 from unit length; rotations are orthonormalised", 0.25)


def test_float32_noise_on_a_unit_vector_is_not_worth_telling() -> None:
    assert posed("quaternion_xyzw", [[0, 0, 0, 1 + 1e-6]]).remarks == ()


@pytest.mark.parametrize("part", ["position", "opening", "fingers"])
def test_a_row_with_a_hole_in_any_part_is_invalid(part: str) -> None:
    width = {"position": 3, "opening": 1, "fingers": 2}[part]
    values = np.arange(3 * width, dtype=np.float64).reshape(3, width)
    values[1, -1] = np.nan
    assert mapped({part: {"column": "x"}}, x=values).valid.tolist() == [True, False, True]


def test_what_is_not_named_is_absent_and_not_zero() -> None:
    arm = arm_of({"fingers": {"column": "x", "start": 1, "stop": 3}}, x=[[0, 1, 2, 3], [4, 5, 6, 7]])
    assert (arm.position, arm.rotation, arm.opening) == (None, None, None)
    assert np.asarray(arm.fingers).tolist() == [1, 2, 5, 6]
    assert arm.n_fingers == 2


def test_a_gripper_that_never_moves_is_told_with_its_number() -> None:
    (remark,) = mapped({"opening": {"column": "g", "start": 1, "stop": 2}}, g=[[0, 7], [1, 7], [2, np.nan]]).remarks
    assert remark == ("gripper_constant", "g[1:2], read as a gripper's opening, is 7 in every row", 7.0)


def test_provenance_says_which_columns_an_arm_was_made_of() -> None:
    columns = {
        "position": {"column": "p"},
        "rotation": {"column": "x", "start": 1, "stop": 4, "encoding": RotationEncoding.EULER_XYZ},
        "opening": {"column": "x", "start": 0, "stop": 1},
    }
    (text,) = mapped(columns, p=np.zeros((2, 3)), x=np.zeros((2, 4))).provenance
    assert text == "right: position p, rotation x[1:4] euler_xyz, opening x[0:1]"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"fingers": {"column": "x", "start": 2, "stop": 6}},
            r"made/episode\.parquet: x has 4 values per row, the recipe asks for 2:6; correct start and stop",
        ),
        (
            {"position": {"column": "x"}},
            r"made/episode\.parquet: x has 4 values per row, expected 3; name the elements with start and stop",
        ),
    ],
)
def test_columns_of_another_width_are_an_error_that_says_what_to_do(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        mapped(columns, x=np.zeros((2, 4)))
