"""Switches and relative commands, compared with Octo's step-by-step conversion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.gripper_signals import held, switched

LEVELS = st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.7, 0.97, 1.0])


def octo_binarize(actions: list[float]) -> list[float]:
    """octo/data/utils/data_utils.py, ``binarize_gripper_actions``, as a loop from the end."""
    carry, found = actions[-1], []
    for value in reversed(actions):
        if value > 0.95 or value < 0.05:
            carry = float(value > 0.95)
        found.append(carry)
    return found[::-1]


def octo_rel2abs(actions: list[float]) -> list[float]:
    """The same file's ``rel2abs_gripper_actions``: +1 closes, -1 opens."""
    commands = [1 if value < -0.1 else -1 if value > 0.1 else 0 for value in actions]
    first = next((command for command in commands if command), 0)
    carry, found = -first or 1, []
    for command in commands:
        carry = command or carry
        found.append(carry / 2 + 0.5)
    return found


@settings(deadline=None, derandomize=True)
@given(st.lists(LEVELS, min_size=1, max_size=12), st.sampled_from([0.0, 1.0]))
def test_a_switch_takes_the_end_that_is_reached_after_the_way(values: list[float], last: float) -> None:
    assert switched(np.array([*values, last])).tolist() == octo_binarize([*values, last])


def test_a_recording_that_ends_on_the_way_ends_with_the_nearer_end() -> None:
    assert switched(np.array([1.0, 0.6, 0.3])).tolist() == [1.0, 0.0, 0.0]


def test_a_row_without_a_number_stays_without_one() -> None:
    np.testing.assert_array_equal(switched(np.array([1.0, np.nan, 0.0])), [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(switched(np.array([np.nan])), [np.nan])
    np.testing.assert_array_equal(held(np.array([0.0, np.nan, 0.5])), [0.0, np.nan, 0.0])


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([-1.0, -0.05, 0.0, 0.05, 1.0]), min_size=1, max_size=12).filter(lambda v: {-1, 1} & {*v})
)
def test_rt1_closedness_is_relative_and_holds_until_the_next_command(closedness: list[float]) -> None:
    opening = held((np.array(closedness) - 1.0) / -2.0)
    assert opening is not None
    assert opening.tolist() == octo_rel2abs(closedness)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.52]])
def test_a_gripper_that_is_never_commanded_is_not_said_to_be_open(values: list[float]) -> None:
    assert held(np.array(values)) is None
