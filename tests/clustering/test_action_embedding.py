"""Poses or joints, on which scale, and what happens to rows that cannot be used."""

import dataclasses

import numpy as np
import pytest

from clustering.action_embedding import action_embeddings
from schemas.calibration import Calibration, OpeningScale
from schemas.cluster import Embedding, Space
from schemas.episode import ActionTrack, Arm
from schemas.recipe import EmbedSpec
from tests.clustering.made import arm, event, track

PATH = np.linspace([0.3, 0, 0.2], [0.5, 0.1, 0.1], 40)
JOINTS = np.linspace(np.zeros(7), np.arange(7), 40)


def embeddings(
    actions: ActionTrack, calibration: Calibration | None = None, embodiment: str = "arm"
) -> list[Embedding]:
    events = [event(0, 20, name="ev-a"), event(20, 40, name="ev-b")]
    return action_embeddings(actions, embodiment, events, calibration, EmbedSpec())


def calibrated(closed: float, opened: float) -> Calibration:
    nothing = np.zeros(0, np.float32)
    scale = OpeningScale(Arm.RIGHT, "opening", closed, opened, True, nothing, nothing)
    return Calibration("lab/arm", "lab", "arm", (scale,))


def test_poses_are_preferred_to_joints() -> None:
    found = embeddings(track(arm(PATH), joints=JOINTS))
    assert [(item.event_id, item.space, item.model) for item in found] == [
        ("ev-a", Space.ACTION, "joinery-poses-v2:32x6"), ("ev-b", Space.ACTION, "joinery-poses-v2:32x6"),
    ]  # fmt: skip
    assert all(len(item.vector) == 94 and item.vector.dtype == np.float32 for item in found)


def test_a_robot_with_joints_only_is_embedded_among_its_own_kind() -> None:
    found = embeddings(track(joints=JOINTS))
    assert all(item.model.startswith("joinery-joints-v1:32x6:") and len(item.vector) == 7 * 6 + 16 for item in found)
    assert found[0].model != embeddings(track(joints=JOINTS[:, :6]))[0].model
    assert found[0].model != embeddings(track(joints=JOINTS), embodiment="other")[0].model


def test_joints_are_described_relative_to_their_start() -> None:
    first, moved = embeddings(track(joints=JOINTS)), embeddings(track(joints=JOINTS + 3))
    np.testing.assert_allclose(first[0].vector, moved[0].vector, atol=1e-4)
    assert np.linalg.norm(first[0].vector - embeddings(track(joints=-JOINTS))[0].vector) > 1


def test_openings_are_read_on_the_dataset_s_scale() -> None:
    raw = np.linspace(0.08, 0.0, 40)
    found = embeddings(track(arm(PATH, raw)), calibrated(0.0, 0.08))
    assert found[0].vector[33] == pytest.approx(0.33, abs=0.01)
    assert found[1].vector[34] == pytest.approx(0, abs=0.01)
    np.testing.assert_array_equal(embeddings(track(arm(PATH, raw)))[0].vector[29:41], 0)


def test_commanded_poses_stand_in_for_missing_measured_ones() -> None:
    commanded = dataclasses.replace(track(arm(PATH)), state=(), target=(arm(PATH),))
    np.testing.assert_array_equal(embeddings(commanded)[0].vector, embeddings(track(arm(PATH)))[0].vector)


def test_a_commanded_opening_stands_in_where_none_was_measured() -> None:
    command = np.linspace(1.0, 0.0, 40)
    found = embeddings(dataclasses.replace(track(arm(PATH)), target=(arm(None, command),)), calibrated(0.0, 1.0))
    np.testing.assert_array_equal(
        found[0].vector, embeddings(track(arm(PATH, command)), calibrated(0.0, 1.0))[0].vector
    )


def test_a_quantity_that_is_never_a_number_counts_as_missing() -> None:
    nothing = np.full((40, 3), np.nan)
    (found, _) = embeddings(track(arm(nothing), joints=JOINTS))
    assert found.model.startswith("joinery-joints-v1")


def test_broken_rows_are_left_out_and_an_event_of_broken_rows_gets_no_embedding() -> None:
    broken = PATH.copy()
    broken[5] = np.nan
    assert np.isfinite(embeddings(track(arm(broken)))[0].vector).all()
    broken[:20] = np.nan
    assert [item.event_id for item in embeddings(track(arm(broken)))] == ["ev-b"]
    invalid = dataclasses.replace(track(arm(PATH)), valid=np.arange(40) >= 20)
    assert [item.event_id for item in embeddings(invalid)] == ["ev-b"]


def test_a_track_without_any_number_gets_no_embedding() -> None:
    assert embeddings(track()) == []
    assert embeddings(track(arm(None))) == []


def test_the_order_of_the_arms_in_the_source_does_not_matter() -> None:
    left, right = arm(PATH, which=Arm.LEFT), arm(PATH[::-1].copy())
    for one, other in zip(embeddings(track(left, right)), embeddings(track(right, left)), strict=True):
        np.testing.assert_array_equal(one.vector, other.vector)
