"""Where a camera films from: its name says it, or the kind of source it belongs to."""

import pytest

from pipeline.sources.roles import role_of
from schemas.episode import CameraRole
from schemas.source import SourceKind


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("wrist_image_left", CameraRole.WRIST_LEFT),
        ("cam_left_wrist", CameraRole.WRIST_LEFT),
        ("right_gripper_cam", CameraRole.WRIST_RIGHT),
        ("Wrist", CameraRole.WRIST_RIGHT),
        ("hand_cam", CameraRole.WRIST_RIGHT),
        ("egoview", CameraRole.EGO),
        ("head_left", CameraRole.EGO),
        ("exterior_image_2_left", CameraRole.THIRD_PERSON),
        ("front", CameraRole.THIRD_PERSON),
    ],
)
def test_a_camera_is_where_its_name_says(name: str, role: CameraRole) -> None:
    assert role_of(name, SourceKind.OPEN_ROBOT) is role


def test_an_overhead_camera_is_on_nobodys_head() -> None:
    assert role_of("overhead_cam", SourceKind.OPEN_ROBOT) is CameraRole.THIRD_PERSON


@pytest.mark.parametrize("kind", SourceKind)
def test_a_camera_whose_name_says_nothing_is_worn_where_its_kind_of_source_wears_it(kind: SourceKind) -> None:
    worn = {SourceKind.EGOCENTRIC: CameraRole.EGO, SourceKind.UMI: CameraRole.WRIST_RIGHT}
    assert role_of("main", kind) is worn.get(kind, CameraRole.THIRD_PERSON)


def test_a_name_counts_more_than_the_kind_of_source() -> None:
    assert role_of("wrist_left", SourceKind.EGOCENTRIC) is CameraRole.WRIST_LEFT
    assert role_of("head", SourceKind.UMI) is CameraRole.EGO
