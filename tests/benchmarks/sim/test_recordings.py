"""A performance becomes a recording our own reader takes, and an exact truth beside it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sim.performance import Debounce, Performance, Step
from benchmarks.sim.recordings import LAGS_MS, Measurement, drawing, folder_of, record, truth_of, write_index
from benchmarks.sim.tasks import DEVELOPMENT
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.formats import discover, read
from pipeline.sources.raw import RawEpisode
from schemas.recipe_file import load_recipe
from schemas.source import EpisodeRef
from tests.benchmarks.sim.made import Maker, pick, place

CLOSED_M, OPEN_M = 0.02, 0.1


def performance(seed: int = 0, task: str = "pick-place") -> Performance:
    made = place(pick(Maker(at=np.array([0.0, 0.0, 0.2])).move(5)))
    whole = Performance(DEVELOPMENT[task], seed, 20.0, "arm", CLOSED_M, OPEN_M, Debounce(3, 4), "by hand", True)
    rows = zip(made.tool, made.item, made.opening, made.held, made.touched, made.supported, strict=True)
    for tool, item, opening, held, touched, supported in rows:
        width = CLOSED_M + opening * (OPEN_M - CLOSED_M)
        whole.steps.append(
            Step(tool, np.eye(3), width, np.zeros(7), item, held, touched, supported, tool, width, picture=None)
        )
    return whole


def read_back(out: Path, made: Sequence[Performance], measurement: Measurement) -> dict[str, RawEpisode]:
    write_index(out, measurement, [record(out, one, measurement) for one in made])
    episodes = {}
    for spec in load_recipe(out / "recipe.yaml").recipe.sources:
        files = SourceFiles(spec.path)
        for ref in discover(spec, files, MemoryDigests()):
            assert isinstance(ref, EpisodeRef), ref
            episodes[f"{spec.name}/{ref.locator}"] = read(ref, files)
    return episodes


def test_the_recipe_reads_every_recording_under_the_locator_of_its_truth(tmp_path: Path) -> None:
    episodes = read_back(tmp_path, [performance(0), performance(1), performance(0, "Lift")], Measurement())
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert [f"{entry['source']}/{entry['locator']}" for entry in truth["episodes"]] == list(episodes)
    assert truth["sources"] == {"metaworld": "self_collected", "robosuite": "self_collected"}
    assert [entry["split"] for entry in truth["episodes"]] == ["tune", "held_out", "tune"]


def test_without_noise_the_rows_are_what_happened(tmp_path: Path) -> None:
    made = performance()
    (raw,) = read_back(tmp_path, [made], Measurement(noise=False)).values()
    assert raw.actions is not None
    (state,) = raw.actions.state
    assert state.position is not None
    assert state.opening is not None
    np.testing.assert_allclose(state.position, made.column("tool"), atol=1e-6)
    np.testing.assert_allclose(state.opening, made.trace().opening, atol=1e-6)
    assert raw.actions.times_ns.tolist() == [k * 50_000_000 for k in range(len(made.steps))]
    assert raw.findings == ()


def test_noise_is_one_millimetre_and_half_a_percent_and_never_in_the_truth(tmp_path: Path) -> None:
    made = performance()
    (raw,) = read_back(tmp_path, [made], Measurement()).values()
    assert raw.actions is not None
    (state,) = raw.actions.state
    assert state.position is not None
    assert state.opening is not None
    assert np.std(state.position - made.column("tool")) == pytest.approx(0.001, rel=0.2)
    assert np.std(state.opening - made.trace().opening) == pytest.approx(0.005, rel=0.3)
    entry = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["episodes"][0]
    assert entry == truth_of(performance(), 0) | {"source": "metaworld", "locator": folder_of(made.task, 0)}


@pytest.mark.parametrize("lag_ms", [100, -100])
def test_a_lag_moves_rows_and_leaves_the_truth_on_the_pictures(tmp_path: Path, lag_ms: int) -> None:
    (raw,) = read_back(tmp_path, [performance()], Measurement(lag_ms=lag_ms)).values()
    assert raw.actions is not None
    assert raw.actions.times_ns[0] == lag_ms * 1_000_000
    entry = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["episodes"][0]
    assert entry["action_lag_ns"] == lag_ms * 1_000_000
    assert entry["boundaries"] == truth_of(performance(), 0)["boundaries"]


def test_the_ladder_stands_once_in_each_split() -> None:
    ladder = Measurement(lag_ms=None)
    for first in (0, 1):
        steps = {ladder.lag_ns(seed) // 1_000_000 for seed in range(first, 2 * len(LAGS_MS), 2)}
        assert steps == {0, 50, -50, 100, -100, 250, -250}


def test_the_same_episode_is_recorded_the_same_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        read_back(tmp_path / folder, [performance()], Measurement())
    for name in ("truth.json", "recipe.yaml", "metaworld/pick-place/0000/rows.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_fingers_at_their_hard_stop_hold_nothing() -> None:
    made = performance()
    made.steps = [Step(**{**vars(step), "width_m": CLOSED_M if step.held else step.width_m}) for step in made.steps]
    assert not made.trace().items[0].held.any()


def test_the_drawing_moves_with_the_tool() -> None:
    trace = performance().trace()
    assert drawing(trace, 0).shape == (64, 64, 3)
    assert np.any(drawing(trace, 0) != drawing(trace, 12))
