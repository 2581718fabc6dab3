"""Steps need something to start from; a recipe that forgets it is told which key to look at."""

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands, check_commands

POSITION = {"position": {"column": "p"}}
POSE = {**POSITION, "rotation": {"column": "r", "encoding": "euler_xyz"}}
QUATERNION = {**POSITION, "rotation": {"column": "r", "encoding": "quaternion_xyzw"}}


def check(state: list[dict[str, Any]], target: list[dict[str, Any]], **commands: Any) -> None:
    stated = Commands.model_validate({"mode": "delta", "space": "end_effector", **commands})
    check_commands(stated, *([ArmColumns.model_validate({"arm": "left", **arm}) for arm in a] for a in (state, target)))


@pytest.mark.parametrize(
    ("state", "target", "commands"),
    [
        ([POSE], [POSE], {}),
        ([POSE], [POSITION], {"frame": "tool"}),
        ([POSITION], [POSITION], {}),
        ([], [POSE], {"mode": "absolute", "frame": "world"}),
        ([], [{"opening": {"column": "g"}}], {"space": "joint", "frame": "joint"}),
        ([POSE], [QUATERNION], {}),
        ([POSE], [POSE], {"mode": "velocity", "rotation_scale": 0.5}),
    ],
)
def test_what_can_be_made_absolute_is_accepted(state: Any, target: Any, commands: dict[str, Any]) -> None:
    check(state, target, **commands)


@pytest.mark.parametrize(
    ("state", "target", "commands", "message"),
    [
        ([], [POSE], {}, r"target\.0\.position: a delta needs the measured position it starts from"),
        ([POSITION], [POSE], {}, r"target\.0\.position: a delta needs the measured rotation it starts from"),
        ([POSITION], [POSITION], {"frame": "tool"}, r"needs the measured rotation"),
        ([POSE], [POSE], {"frame": "camera"}, r"commands\.frame: found 'camera', expected one of \['base', 'tool'\]"),
        ([POSE], [POSE], {"space": "joint"}, r"commands move joints, so that no column of theirs is a pose"),
        ([POSE], [QUATERNION], {"rotation_scale": 0.5}, r"quaternion_xyzw cannot be scaled; expected one of \['euler"),
        (
            [POSE],
            [QUATERNION],
            {"mode": "velocity"},
            r"target\.0\.rotation\.encoding: quaternion_xyzw cannot be scaled",
        ),
    ],
)
def test_what_cannot_is_an_error_that_names_the_key(state: Any, target: Any, commands: Any, message: str) -> None:
    with pytest.raises(PydanticCustomError, match=message):
        check(state, target, **commands)
