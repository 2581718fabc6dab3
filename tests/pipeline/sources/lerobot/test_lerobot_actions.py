"""The action track: arms as the recipe maps them, native columns side by side as the dataset has them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clean_actions import good_rows
from pipeline.errors import SourceError
from pipeline.motion import joint_channels
from pipeline.sources.lerobot.lerobot_actions import action_track
from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack
from schemas.finding import Finding
from tests.pipeline.sources.one_episode import REF, STEP_NS, dataset_of, rows_of, spec_of

GRIP = {"arm": "right", "opening": {"column": "action", "start": 1, "stop": 2}}


def read(
    columns: dict[str, Any], features: dict[str, Any] | None = None, **spec: Any
) -> tuple[ActionTrack | None, list[Finding]]:
    return action_track(REF, spec_of(**spec), dataset_of(features), rows_of(columns))


def track_of(columns: dict[str, Any], features: dict[str, Any] | None = None, **spec: Any) -> ActionTrack:
    track, _ = read(columns, features, **spec)
    assert track is not None
    return track


def side(track: ActionTrack, values: Floats | None) -> Floats:
    """Native values as [T, J]."""
    assert values is not None
    return values.reshape(track.n_rows, len(track.joint_names))


def about(findings: list[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


# -- what there is ---------------------------------------------------------------------------------------------


def test_a_table_that_says_nothing_about_control_has_no_actions() -> None:
    columns = {
        "timestamp": [0.0, 0.1],
        "observation.states": [1.0, 2.0],
        "action_done": [1, 2],
        "action.word": ["a"] * 2,
    }
    assert read(columns) == (None, [])


def test_the_rows_times_and_the_kind_of_recording_are_on_the_track() -> None:
    track = track_of({"action": [1.0, 2.0]})
    assert track.times_ns.tolist() == [0, STEP_NS]
    assert (track.episode_id, track.kind) == (REF.episode_id, ActionKind.MEASURED)
    assert track.provenance == "native columns only"


def test_mapped_arms_stand_beside_the_native_columns_and_say_where_they_are_from() -> None:
    columns = {"observation.state": [[1.0, 0.25], [2.0, 0.5]], "action": [[1.0, 0.5], [2.0, 0.75]]}
    track = track_of(columns, state=[GRIP], target=[GRIP])
    assert track.provenance == "state right: opening action[1:2]; target right: opening action[1:2]"
    assert np.asarray(track.target[0].opening).tolist() == [0.5, 0.75]
    assert side(track, track.joint_state).tolist() == columns["observation.state"]


def test_a_vacuum_flag_is_an_opening() -> None:
    suction = {"arm": "right", "opening": {"column": "observation.vacuum", "closed": 1.0, "open": 0.0}}
    track = track_of({"action": [1.0, 2.0], "observation.vacuum": [False, True]}, state=[suction])
    assert np.asarray(track.state[0].opening).tolist() == [1.0, 0.0]


# -- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [["a", "b"], [["a", "b"]], {"motors": ["a", "b"]}, {"x": ["a"], "y": ["b"]}, {"b": 1, "a": 0}]
)
def test_names_may_be_nested_or_a_mapping(names: object) -> None:
    assert track_of({"action": [[1.0, 2.0]]}, {"action": {"names": names}}).joint_names == ("a", "b")


@pytest.mark.parametrize("names", [None, ["a"], ["a", "b", "c"], {}])
def test_names_that_do_not_fit_are_replaced_by_positions_that_carry_the_width(names: object) -> None:
    assert track_of({"action": [[1.0, 2.0]]}, {"action": {"names": names}}).joint_names == ("0/2", "1/2")


def test_columns_below_a_prefix_are_named_by_what_follows_it() -> None:
    columns = {"action.arm": [[1.0, 2.0]], "action.grip": [3.0], "action": [4.0]}
    track = track_of(columns, {"action.arm": {"names": ["x", "y"]}})
    assert track.joint_names == ("arm.x", "arm.y", "grip", "value")


def test_names_that_repeat_are_told_apart_by_position() -> None:
    names = {"action": {"names": ["a", "a"]}}
    assert track_of({"action": [[1.0, 2.0]]}, names).joint_names == ("a#0", "a#1")


def test_a_matrix_is_as_many_columns_as_it_has_elements() -> None:
    track = track_of({"action": [[[1.0, 2.0], [3.0, 4.0]]]}, {"action": {"shape": [2, 2], "names": None}})
    assert track.joint_names == ("0/4", "1/4", "2/4", "3/4")


# -- commands beside states ------------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True)
@given(
    state=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True),
    target=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True),
)
def test_a_command_stands_where_the_state_of_its_name_stands_and_nowhere_else(
    state: list[str], target: list[str]
) -> None:
    value = {name: float(position) for position, name in enumerate("abcdef")}
    columns = {"observation.state": [[value[name] for name in state]], "action": [[10 + value[n] for n in target]]}
    track, findings = read(columns, {"observation.state": {"names": state}, "action": {"names": target}})
    assert track is not None
    assert findings == []
    assert track.joint_names == (*state, *(name for name in target if name not in state))
    expected = [value[name] if name in state else np.nan for name in track.joint_names]
    np.testing.assert_array_equal(side(track, track.joint_state)[0], expected)
    expected = [10 + value[name] if name in target else np.nan for name in track.joint_names]
    np.testing.assert_array_equal(side(track, track.joint_target)[0], expected)


def test_a_command_without_a_state_makes_no_row_invalid_and_hides_no_motion() -> None:
    rows = [[0.1 * row] for row in range(8)]
    track = track_of({"observation.state": rows, "action": [[row[0], 1.0] for row in rows]})
    assert track.joint_names == ("value", "0/2", "1/2")
    assert track.valid.all()
    assert good_rows(track).all()
    assert [channel.name for channel in joint_channels(track, track.joint_state)] == ["value"]
    assert [channel.name for channel in joint_channels(track, track.joint_target)] == ["0/2"]


def test_commands_alone_are_a_target_without_a_state() -> None:
    track = track_of({"action": [[1.0, 2.0]]})
    assert track.joint_state is None
    assert side(track, track.joint_target).tolist() == [[1.0, 2.0]]


# -- what is odd -----------------------------------------------------------------------------------------------


def test_rows_with_a_hole_are_invalid_and_counted() -> None:
    track, findings = read({"action": [[1.0, 2.0], [None, 2.0], [1.0, 3.0]]})
    assert track is not None
    assert track.valid.tolist() == [True, False, True]
    assert about(findings, "rows_not_finite").value == 1


def test_where_arms_are_mapped_their_numbers_alone_decide_what_is_valid() -> None:
    track = track_of({"action": [[None, 0.5], [1.0, None], [1.0, 0.25]]}, target=[GRIP])
    assert track.valid.tolist() == [True, False, True]


def test_a_remark_about_state_and_target_is_made_once() -> None:
    _, findings = read({"action": [[1.0, 0.5], [2.0, 0.5]]}, state=[GRIP], target=[GRIP])
    assert about(findings, "gripper_constant").message.endswith(
        "action[1:2], read as a gripper's opening, is 0.5 in every row"
    )


def test_a_native_gripper_that_never_moves_is_told() -> None:
    _, findings = read({"action.gripper_position": [0.0, 0.0], "action.joint": [0.0, 0.0]})
    finding = about(findings, "gripper_constant")
    assert finding.message.endswith("action.gripper_position is 0 in every row; it says nothing about the gripper")


@pytest.mark.parametrize(
    ("column", "shape"), [("action.joint_position", []), ("action.anything", [7])], ids=["by its name", "by its shape"]
)
def test_a_vector_that_was_collapsed_to_one_number_is_told(column: str, shape: list[int]) -> None:
    _, findings = read({column: [1.0, 2.0]}, {column: {"shape": shape}})
    assert about(findings, "scalar_collapsed").message.endswith(
        f"{column} holds one number per row although its name promises several; it was collapsed before us"
    )


@pytest.mark.parametrize(("column", "shape"), [("action.joint_position", [1]), ("action.speed", [])])
def test_a_scalar_that_promises_nothing_else_is_not_told(column: str, shape: list[int]) -> None:
    assert read({column: [1.0, 2.0]}, {column: {"shape": shape}})[1] == []


def test_a_vector_of_another_width_than_stated_is_an_error_that_says_what_to_do() -> None:
    message = (
        r"^made/data/episode_000003\.parquet: action has 2 values per row, info\.json says \[28\]; the dataset's "
        r"metadata is stale: correct one of them$"
    )
    with pytest.raises(SourceError, match=message):
        read({"action": [[1.0, 2.0]]}, {"action": {"shape": [28]}})
