"""What of the flow is the camera's."""

import numpy as np
import pytest

from annotators.visual.camera import without_camera
from schemas.array import Floats
from schemas.filmstrip import FLOW_GRID

N = 60
Y, X = np.meshgrid(np.arange(FLOW_GRID) - 3.5, np.arange(FLOW_GRID) - 3.5, indexing="ij")
MOVES = {
    "pan": (np.full_like(X, 0.02), np.full_like(X, -0.01)),
    "zoom": (0.004 * X, 0.003 * Y),
    "roll": (-0.004 * Y, 0.004 * X),
    "all at once": (0.02 + 0.003 * X - 0.002 * Y, 0.01 + 0.002 * X + 0.004 * Y),
}


def filmed(move: str, noise: float = 0.0001) -> Floats:
    flow = np.broadcast_to(np.stack(MOVES[move], axis=2), (N, FLOW_GRID, FLOW_GRID, 2))
    return flow + np.random.default_rng(0).normal(0, noise, flow.shape)


@pytest.mark.parametrize("move", MOVES)
def test_a_moving_camera_leaves_nothing(move: str) -> None:
    found = without_camera(filmed(move))
    assert np.abs(found.flow).max() < 0.001
    assert found.camera == pytest.approx(np.full(N, np.mean(np.hypot(*MOVES[move]))), rel=0.05)


@pytest.mark.parametrize("move", MOVES)
def test_an_arm_across_a_third_of_a_moving_view_is_left_over_whole(move: str) -> None:
    flow = filmed(move)
    flow[:, 3:, 4:] += (0.03, -0.02)  # 20 of 64 cells
    found = without_camera(flow).flow
    assert np.median(found[:, 3:, 4:], axis=(0, 1, 2)) == pytest.approx([0.03, -0.02], abs=0.002)
    elsewhere = np.linalg.norm(found[:, :3], axis=3)
    assert np.percentile(elsewhere, 95) < 0.002


def test_a_camera_at_rest_takes_nothing_away() -> None:
    flow = np.zeros((N, FLOW_GRID, FLOW_GRID, 2))
    flow[:, 2:6, 2:6] = (0.02, 0.01)
    found = without_camera(flow)
    np.testing.assert_array_equal(found.flow, flow)
    assert not found.camera.any()


def test_each_frame_is_judged_alone_and_always_alike() -> None:
    flow = np.concatenate([filmed(move, noise=0.003) for move in MOVES])
    whole = without_camera(flow).flow
    np.testing.assert_array_equal(whole, without_camera(flow).flow)
    np.testing.assert_allclose(without_camera(flow[77:80]).flow, whole[77:80], atol=1e-12)


def test_what_is_no_number_is_no_motion() -> None:
    flow = filmed("pan")
    flow[3, 0, 0] = np.nan
    assert np.isfinite(without_camera(flow).flow).all()
