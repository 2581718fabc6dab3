"""Rows of any table as a track: states and commands side by side, targets absolute, what is missing not made up."""

from typing import Any

import numpy as np
import pytest

from pipeline.sources.tabular_actions import Control, Native, element_names, tabular_track, unique_names
from schemas.array import Floats
from schemas.episode import ActionTrack
from schemas.finding import Finding
from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands
from tests.pipeline.sources.one_episode import REF, STEP_NS

N_ROWS = 3


def native(names: list[str], values: list[float]) -> Native:
    """The same numbers on every row."""
    return Native(names, np.tile(np.array(values, np.float64), (N_ROWS, 1)), names)


NOTHING = native([], [])


def track(
    table: dict[str, Any],
    measured: Native = NOTHING,
    commanded: Native = NOTHING,
    commands: dict[str, Any] | None = None,
    **arms: list[dict[str, Any]],
) -> tuple[ActionTrack | None, list[Finding]]:
    def numbers(column: str) -> Floats:
        return np.asarray(table[column], np.float64).reshape(N_ROWS, -1)

    mapped = {
        key: [ArmColumns.model_validate({"arm": "left", **arm}) for arm in arms.get(key, [])]
        for key in ("state", "target")
    }
    said = None if commands is None else Commands.model_validate({"space": "end_effector", **commands})
    control = Control("made", np.arange(N_ROWS, dtype=np.int64) * STEP_NS, 0.5, numbers, measured, commanded)
    return tabular_track(REF, control, state=mapped["state"], target=mapped["target"], commands=said, frame="world")


def test_rows_that_say_nothing_make_no_track() -> None:
    assert track({}) == (None, [])


def test_states_come_first_and_commands_without_a_state_after_them() -> None:
    found, findings = track({}, native(["a", "b"], [1, 2]), native(["c", "b"], [3, 4]))
    assert found is not None
    assert findings == []
    assert found.joint_names == ("a", "b", "c")
    np.testing.assert_array_equal(np.asarray(found.joint_state).reshape(N_ROWS, 3)[0], [1, 2, np.nan])
    np.testing.assert_array_equal(np.asarray(found.joint_target).reshape(N_ROWS, 3)[0], [np.nan, 4, 3])
    assert found.valid.all()
    assert (found.frame, found.commands, found.provenance) == ("world", None, "native columns only")


def test_native_columns_decide_what_is_valid_where_no_arm_is_mapped() -> None:
    state = native(["a"], [1])
    state.values[1] = np.nan
    found, (finding,) = track({"g": [0.0, 0.5, 1.0]}, state)
    assert found is not None
    assert found.valid.tolist() == [True, False, True]
    assert (finding.check, finding.value) == ("rows_not_finite", 1)
    mapped, _ = track({"g": [0.0, 0.5, 1.0]}, state, state=[{"opening": {"column": "g"}}])
    assert mapped is not None
    assert mapped.valid.all()


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        (None, [0.5, 0, 0]),
        ({"mode": "absolute"}, [0.5, 0, 0]),
        ({"mode": "delta"}, [1.5, 0, 0]),
        ({"mode": "velocity"}, [1.25, 0, 0]),
    ],
)
def test_a_target_is_absolute_whatever_the_commands_are(commands: Any, expected: list[float]) -> None:
    table = {"p": [[1.0, 0, 0]] * N_ROWS, "d": [[0.5, 0, 0]] * N_ROWS}
    arms = {"state": [{"position": {"column": "p"}}], "target": [{"position": {"column": "d"}}]}
    found, _ = track(table, commands=commands, **arms)
    assert found is not None
    assert np.asarray(found.target[0].position)[2].tolist() == expected
    assert (found.commands is None) == (commands is None)


def test_elements_are_named_by_the_source_or_by_their_place_and_the_width() -> None:
    assert element_names("arm", ["x", "y"], 2) == ["arm.x", "arm.y"]
    assert element_names("arm", ["x"], 2) == ["arm.0/2", "arm.1/2"]
    assert element_names("", [], 1) == ["value"]
    assert unique_names(["a", "b", "a"]) == ["a#0", "b#1", "a#2"]
