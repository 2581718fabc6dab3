"""Steps become absolute targets: added to the state of their own row, in the frame that is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pipeline.sources.steps import absolute_targets
from schemas.episode import Arm, ArmTrack
from schemas.pose import RotationEncoding, matrix_of
from schemas.rotation import rotation_6d

VECTORS = st.tuples(*[st.floats(-1.5, 1.5)] * 3)


def arm(position: object, rotation: object = None, opening: object = None) -> ArmTrack:
    """A right arm at positions [T, 3] and rotation vectors [T, 3]."""
    turned = None
    if rotation is not None:
        turned = rotation_6d(np.asarray(rotation, np.float64), RotationEncoding.ROTATION_VECTOR)
    at = None if position is None else np.asarray(position, np.float32)
    return ArmTrack(Arm.RIGHT, at, turned, None if opening is None else np.asarray(opening, np.float32), None, 0)


@settings(deadline=None, derandomize=True)
@given(VECTORS, VECTORS, VECTORS, VECTORS)
def test_a_step_leads_from_the_state_of_its_row(
    at: tuple[float, ...], turned: tuple[float, ...], moved: tuple[float, ...], turn: tuple[float, ...]
) -> None:
    start, by = Rotation.from_rotvec(turned), Rotation.from_rotvec(turn)
    for in_tool_frame, position, rotation in (
        (False, np.add(at, moved), by * start),
        (True, np.add(at, start.apply(moved)), start * by),
    ):
        (target,) = absolute_targets((arm([at], [turned]),), (arm([moved], [turn]),), in_tool_frame=in_tool_frame)
        assert np.asarray(target.position)[0] == pytest.approx(position, abs=1e-5)
        assert matrix_of(np.asarray(target.rotation))[0] == pytest.approx(rotation.as_matrix(), abs=1e-5)


def test_nothing_is_accumulated_over_rows() -> None:
    (target,) = absolute_targets((arm([[0, 0, 0]] * 3),), (arm([[1, 0, 0]] * 3),), in_tool_frame=False)
    assert np.asarray(target.position).tolist() == [[1, 0, 0]] * 3


def test_a_step_without_a_turn_commands_no_rotation() -> None:
    (target,) = absolute_targets((arm([[0, 0, 0]], [[0, 0, 0]]),), (arm([[1, 0, 0]]),), in_tool_frame=True)
    assert target.rotation is None


def test_openings_are_no_steps() -> None:
    step = arm(None, opening=[0.0, 1.0])
    assert absolute_targets((), (step,), in_tool_frame=False) == (step,)


def test_a_row_whose_state_is_unknown_has_no_target() -> None:
    (target,) = absolute_targets((arm([[np.nan, 0, 0]]),), (arm([[1, 0, 0]]),), in_tool_frame=False)
    assert np.isnan(np.asarray(target.position)[0, 0])
