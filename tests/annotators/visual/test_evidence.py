"""Proposals from pictures."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.visual.evidence import VisualSignals, peaks_of, visual_cuts, visual_signals
from schemas.event import BoundaryKind
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, FrameFlag
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import blank_strip, even_times

N, FPS = 300, 30
CLOCK = FrameClock(even_times(N, FPS), N * NS_PER_S // FPS)
RNG = np.random.default_rng(0)


def changing_scene() -> VisualSignals:
    """Ten seconds; at 6 s a local motion begins and the picture changes its colours."""
    flow = RNG.normal(0, 0.001, (N, FLOW_GRID, FLOW_GRID, 2)).astype(np.float32)
    flow[180:, :2, :2] += 0.02
    look = RNG.integers(98, 103, (N, DESCRIPTOR_SIZE)).astype(np.uint8)
    look[180:, :10] += 60
    return visual_signals(replace(blank_strip(N, flow=flow), descriptor=look), CLOCK)


def test_a_change_of_scene_is_proposed_where_it_happens() -> None:
    cuts = visual_cuts(changing_scene(), CLOCK, SegmentSpec())
    best = max(cuts, key=lambda cut: cut.confidence)
    assert best.kind is BoundaryKind.VISUAL_CHANGE
    assert best.t_ns / NS_PER_S == pytest.approx(6.0, abs=0.1)


def test_pictures_never_claim_more_than_thirty_percent() -> None:
    assert max(cut.confidence for cut in visual_cuts(changing_scene(), CLOCK, SegmentSpec())) <= 0.3


def test_camera_motion_alone_proposes_nothing() -> None:
    flow = np.random.default_rng(1).normal(0, 0.001, (N, FLOW_GRID, FLOW_GRID, 2)).astype(np.float32)
    still = visual_signals(blank_strip(N, flow=flow), CLOCK)
    panning = visual_signals(
        blank_strip(N, flow=flow + np.linspace(0, 0.1, N, dtype=np.float32)[:, None, None, None]), CLOCK
    )
    np.testing.assert_allclose(panning.score, still.score, atol=0.01)


def test_a_hard_cut_is_a_cut_and_hides_the_change_it_makes() -> None:
    flags = np.zeros(N, np.uint8)
    flags[100] = FrameFlag.HARD_CUT
    look = RNG.integers(98, 103, (N, DESCRIPTOR_SIZE)).astype(np.uint8)
    look[100:] += 60
    signals = visual_signals(replace(blank_strip(N, flags=flags), descriptor=look), CLOCK)
    near = [cut for cut in visual_cuts(signals, CLOCK, SegmentSpec()) if abs(cut.t_ns / NS_PER_S - 100 / FPS) < 0.9]
    assert [cut.kind for cut in near] == [BoundaryKind.HARD_CUT]


def test_a_still_picture_is_still_from_its_first_frame() -> None:
    assert visual_signals(blank_strip(N, difference=0.0), CLOCK).still.all()
    assert not visual_signals(blank_strip(N), CLOCK).still.any()


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_short_and_slow_clips_are_no_reason_to_fail(n: int) -> None:
    clock = FrameClock(even_times(n, 1), n * NS_PER_S)
    signals = visual_signals(blank_strip(n), clock)
    assert visual_cuts(signals, clock, SegmentSpec()) == []


def test_of_peaks_too_close_the_higher_stays() -> None:
    score = np.zeros(100)
    score[[10, 15, 60]] = [3, 5, 4]
    assert peaks_of(score, 2.5, 20) == [15, 60]
