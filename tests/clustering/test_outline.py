"""Outlines: what of an episode is kept to compare it with others."""

import numpy as np

from clustering.outline import STAGE, OutlineSlice
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_table
from schemas.episode import ActionTrack, Alignment, Arm, Episode
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, Filmstrip
from schemas.finding import Finding, Verdict
from schemas.outline import N_MOMENTS, Outline
from schemas.time import NS_PER_S
from tests.clustering.made import alignment, arm, episode, track

FRAMES = 40


def strip(camera: str) -> Filmstrip:
    """Frame i is i everywhere."""
    zeros = np.zeros(FRAMES, np.float32)
    grey = np.repeat(np.arange(FRAMES, dtype=np.uint8)[:, None], DESCRIPTOR_SIZE, axis=1)
    flow = np.zeros((FRAMES, FLOW_GRID, FLOW_GRID, 2), np.float32)
    return Filmstrip("ep-1", camera, zeros, zeros, zeros, flow, grey, np.zeros(FRAMES, np.uint8))


def outlined(actions: ActionTrack | None, offset_ns: int = 0) -> Outline:
    findings = [Finding("ep-1", "lab", "align", "frozen", verdict, "") for verdict in (Verdict.TRIM, Verdict.KEEP)]
    records = {
        Episode: [episode(FRAMES, ("front", "wrist"))],
        Filmstrip: [strip("wrist"), strip("front")],
        ActionTrack: [] if actions is None else [actions],
        Alignment: [alignment(offset_ns=offset_ns)],
        Finding: findings,
    }
    assert set(records) == {read.record for read in STAGE.reads}
    (found,) = STAGE.run(Bundle("ep-1", records=records), OutlineSlice())
    assert isinstance(found, Outline)
    (again,) = from_table(Outline, to_table(Outline, [found]))
    np.testing.assert_array_equal(again.views[1].film, found.views[1].film)
    return found


def test_views_are_looked_at_at_even_moments() -> None:
    found = outlined(None)
    assert [view.camera for view in found.views] == ["front", "wrist"]
    assert (found.duration_s, found.n_doubts, found.views[0].n_pixels) == (2.0, 1, 64 * 48)
    shown = found.views[0].film[:, 0]
    assert (shown[0], shown[-1], len(shown)) == (0, FRAMES - 1, N_MOMENTS)
    np.testing.assert_array_equal(np.bincount(shown, minlength=FRAMES) > 0, True)
    assert np.isnan(found.path).all()


def test_paths_are_on_the_clock_of_the_pictures_and_nobody_knows_what_is_beyond_them() -> None:
    moving = track(arm(np.stack([np.linspace(0, 1, FRAMES)] * 3, axis=1), which=Arm.RIGHT))
    found = outlined(moving)
    moments = (np.arange(N_MOMENTS) + 0.5) * 2.0 / N_MOMENTS
    known = np.isfinite(found.path[:, 3])
    np.testing.assert_allclose(found.path[known, 3], (moments * 20 / (FRAMES - 1))[known], atol=1e-5)
    assert known.mean() > 0.9
    assert np.isnan(found.path[:, :3]).all()
    later = outlined(moving, NS_PER_S)
    assert np.isnan(later.path[: N_MOMENTS // 2 - 1]).all()
    np.testing.assert_allclose(later.path[-1, 3], found.path[N_MOMENTS // 2 - 1, 3], atol=1e-5)


def test_an_episode_without_pictures_has_none() -> None:
    records = {Episode: [episode(FRAMES, ())], Filmstrip: [], ActionTrack: [], Alignment: [alignment()], Finding: []}
    assert list(STAGE.run(Bundle("ep-1", records=records), OutlineSlice())) == []
