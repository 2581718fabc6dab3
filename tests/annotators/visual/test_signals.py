"""Where pictures change: on films whose content is known, and on strips with repeats, freezes and hard cuts."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.scores.baselines import same_count
from annotators.scores.bootstrap import difference_interval
from annotators.scores.marks import Case, Mark
from annotators.scores.ratios import f1_at, ratios
from annotators.visual.evidence import visual_cuts
from annotators.visual.signals import VisualSignals, visual_signals
from schemas.event import BoundaryKind
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, Filmstrip, FrameFlag
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import blank_strip, even_times
from tests.annotators.visual.acted import Acted, acted

N, FPS = 300, 30
CLOCK = FrameClock(even_times(N, FPS), N * NS_PER_S // FPS)


@pytest.mark.parametrize("pan", [0.0, 12.0], ids=["still camera", "panning camera"])
def test_cuts_beat_as_many_evenly_spread_ones(pan: float) -> None:
    """The paired bootstrap of `joinery score`: the interval of the difference lies above 0 (p < .05)."""
    films = [acted(seed, pan=pan) for seed in range(5)]
    ours, even = [], []
    for one in films:
        case, cuts = _case(one)
        ours.append(ratios(case, cuts, ())[f1_at(0.25)])
        even.append(ratios(case, same_count(case.ranges_ns, cuts), ())[f1_at(0.25)])
    gain = difference_interval(np.array(ours), np.array(even), seed=0)
    assert gain.low is not None
    assert gain.low > 0.1


def _case(one: Acted) -> tuple[Case, list[Mark]]:
    cuts = visual_cuts(visual_signals(one.strip, one.clock), one.clock, SegmentSpec())
    marks = [Mark(cut.t_ns, cut.kind) for cut in cuts]
    return Case("film", ((0, one.clock.end_ns),), one.true, {}), marks


def frozen(strip: Filmstrip, freeze: list[int], jump: float) -> Filmstrip:
    difference, flow, look = strip.difference.copy(), strip.flow.copy(), strip.descriptor.copy()
    difference[freeze], flow[freeze], look[freeze] = 0.0, 0.0, look[freeze[0] - 1]
    difference[freeze[-1] + 1] = jump
    flags = strip.flags.copy()
    flags[freeze] |= np.uint8(FrameFlag.FROZEN | FrameFlag.DUPLICATE)
    return replace(strip, difference=difference, flow=flow, descriptor=look, flags=flags)


def scene(at: int = 180, flags: dict[FrameFlag, list[int]] | None = None) -> Filmstrip:
    """Ten seconds; at a frame a local motion begins and the picture changes its colours."""
    rng = np.random.default_rng(0)
    flow = rng.normal(0, 0.001, (N, FLOW_GRID, FLOW_GRID, 2)).astype(np.float32)
    flow[at:, :2, :2] += 0.02
    look = rng.integers(98, 103, (N, DESCRIPTOR_SIZE)).astype(np.uint8)
    look[at:, :10] += 60
    bits = np.zeros(N, np.uint8)
    for flag, frames in (flags or {}).items():
        bits[frames] |= np.uint8(flag)
    return replace(blank_strip(N, bits, flow=flow), descriptor=look)


def highest(signals: VisualSignals) -> int:
    return max(signals.changes, key=lambda change: change.height).frame


def test_a_change_of_scene_is_found_where_it_happens() -> None:
    assert highest(visual_signals(scene(), CLOCK)) == pytest.approx(180, abs=2)


@pytest.mark.parametrize("jump", [4.0, 25.0], ids=["at rest", "hole"])
def test_no_candidate_lies_in_a_freeze(jump: float) -> None:
    freeze = list(range(140, 200))
    signals = visual_signals(frozen(scene(170), freeze, jump), CLOCK)
    assert not {change.frame for change in signals.changes} & set(freeze)
    assert highest(signals) == pytest.approx(200, abs=2), "what changed meanwhile is where it ends"
    assert not signals.score[freeze].any()
    assert signals.still[freeze].all()


def test_a_hole_in_a_steady_motion_is_no_change() -> None:
    steady = visual_signals(frozen(scene(0), list(range(140, 200)), 25.0), CLOCK)
    assert [change for change in steady.changes if change.height >= SegmentSpec().visual_cut] == []


def test_repeats_are_no_stillness_and_change_no_cut() -> None:
    strip, repeats = scene(), list(range(4, N, 5))
    difference, flow = strip.difference.copy(), strip.flow.copy()
    difference[repeats], flow[repeats] = 0.0, 0.0
    after = [frame + 1 for frame in repeats if frame + 1 < N]
    difference[after], flow[after] = 2 * difference[after], 2 * flow[after]
    flags = np.zeros(N, np.uint8)
    flags[repeats] = FrameFlag.DUPLICATE
    signals = visual_signals(replace(strip, difference=difference, flow=flow, flags=flags), CLOCK)
    assert not signals.still.any()
    assert highest(signals) == pytest.approx(180, abs=2)
    assert len(signals.changes) <= len(visual_signals(strip, CLOCK).changes) + 1


def test_a_hard_cut_hides_the_change_it_makes() -> None:
    signals = visual_signals(scene(100, {FrameFlag.HARD_CUT: [100]}), CLOCK)
    assert np.flatnonzero(signals.hard_cut).tolist() == [100]
    assert not [change for change in signals.changes if abs(change.frame - 100) < FPS // 2]


def test_sensor_noise_alone_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    strip = replace(
        blank_strip(N, flow=rng.normal(0, 0.0003, (N, FLOW_GRID, FLOW_GRID, 2)).astype(np.float32)),
        difference=rng.uniform(0.02, 0.08, N).astype(np.float32),
        descriptor=rng.integers(100, 102, (N, DESCRIPTOR_SIZE)).astype(np.uint8),
    )
    high = [change for change in visual_signals(strip, CLOCK).changes if change.height >= SegmentSpec().visual_cut]
    assert high == []


def test_a_still_picture_is_still_from_its_first_frame() -> None:
    assert visual_signals(blank_strip(N, difference=0.0), CLOCK).still.all()
    assert not visual_signals(blank_strip(N), CLOCK).still.any()


def test_the_same_strip_gives_the_same_signals() -> None:
    first, second = (visual_signals(scene(), CLOCK) for _ in range(2))
    assert first.changes == second.changes
    np.testing.assert_array_equal(first.score, second.score)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
@pytest.mark.parametrize("flag", [0, FrameFlag.FROZEN | FrameFlag.DUPLICATE, FrameFlag.HARD_CUT])
def test_short_and_slow_clips_are_no_reason_to_fail(n: int, flag: int) -> None:
    clock = FrameClock(even_times(n, 1), n * NS_PER_S)
    assert visual_signals(blank_strip(n, np.full(n, flag, np.uint8)), clock).changes == ()


def test_kinds_of_cuts() -> None:
    signals = visual_signals(scene(180, {FrameFlag.HARD_CUT: [60]}), CLOCK)
    kinds = [cut.kind for cut in visual_cuts(signals, CLOCK, SegmentSpec())]
    assert kinds == [BoundaryKind.HARD_CUT, BoundaryKind.VISUAL_CHANGE]
