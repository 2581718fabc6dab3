"""What a recipe may say about robots and hands."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticUndefined

from schemas.recipe_kinematics import JointColumn, KinematicsSpec, PseudoActionsSpec, RetargetSpec, RobotArm
from schemas.robot_chain import Placement
from tests.pipeline.kinematics.robots import planar_spec, seven_retarget


def test_a_column_is_a_name_a_number_or_a_map() -> None:
    spec = planar_spec(joints={"shoulder": "q0", "elbow": {"column": 3, "scale": -1, "offset": 0.5}})
    assert spec.joints["shoulder"] == JointColumn(column="q0")
    assert spec.joints["elbow"] == JointColumn(column=3, scale=-1.0, offset=0.5)
    for wrong in (True, -1, 1.5, {"column": 1, "scale": 0}):
        with pytest.raises(ValidationError):
            planar_spec(joints={"shoulder": "q0", "elbow": wrong})


def test_a_section_survives_the_metadata_it_travels_in() -> None:
    for spec in (planar_spec(tcp_offset={"xyz": [0, 0, 0.1]}), seven_retarget(home={"joint1": 0.5})):
        assert type(spec).model_validate_json(spec.model_dump_json()) == spec


def test_a_rotation_may_be_free() -> None:
    assert seven_retarget(max_rotation_error_rad=3.1415).position_only
    assert not seven_retarget().position_only
    with pytest.raises(ValidationError):
        seven_retarget(max_rotation_error_rad=4)


def test_a_placement_is_nothing_unless_it_is_said() -> None:
    assert Placement() == Placement(xyz=(0, 0, 0), rpy=(0, 0, 0))


def test_hands_are_looked_for_ten_times_a_second_when_asked() -> None:
    spec = PseudoActionsSpec(method="mediapipe_hands")
    assert (spec.hz, spec.min_confidence) == (10.0, 0.8)


@pytest.mark.parametrize(
    ("page", "heading", "section", "elsewhere"),
    [
        ("kinematics", "Forward kinematics", KinematicsSpec, set[str]()),
        ("kinematics", "Retargeting", RetargetSpec, set(RobotArm.model_fields)),
        ("pseudo_actions", "Pseudo-actions", PseudoActionsSpec, set[str]()),
    ],
)
def test_every_key_is_documented_with_its_default(
    page: str, heading: str, section: type[BaseModel], elsewhere: set[str]
) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / f"{page}.md").read_text(encoding="utf-8")
    part = re.split(rf"^#+ {heading}.*$", text, flags=re.MULTILINE)[1]
    tables = re.split(r"^\| key \| default \| meaning \|$", part, flags=re.MULTILINE)[1].partition("\n\n")[0]
    table = dict(re.findall(r"^\| `([a-z_0-9]+)` \|([^|]*)\|", tables, re.MULTILINE))
    assert set(table) == set(section.model_fields) - elsewhere
    for key, default in table.items():
        value = section.model_fields[key].default
        if value is not PydanticUndefined:
            assert default.strip() == ("none" if value is None else str(value).lower()), key
