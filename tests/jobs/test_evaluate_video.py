"""``joinery evaluate-video``: train a few steps, judge on what was held out, twice to the same bytes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.evaluate_video import RESULTS, TABLE, VideoEvaluation, evaluate_video
from jobs.train import TrainRequest, train_on
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set
from trainer.eval.held_out import HELD_OUT
from trainer.run import RunOptions
from trainer.samples import FOLDER


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_set(tmp_path_factory.getbasetemp() / "published")


@pytest.fixture(scope="module")
def run(shards: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    asked = TrainRequest(shards, out, "tiny", 2, samples_every=2, sample_events=2, peak_tflops=1.0)
    train_on(asked, RunOptions(), lambda _n_steps: lambda _line: None)
    return out


def asked(run: Path, shards: str, out: Path, **changes: object) -> VideoEvaluation:
    split = next(name for name in HELD_OUT if ShardSet.open(shards).n_samples(name))
    return replace(VideoEvaluation(run, shards, out, split, limit=3, steps=2), **changes)  # type: ignore[arg-type]


def test_a_model_stands_between_stillness_and_the_truth(run: Path, shards: str, tmp_path: Path) -> None:
    results = evaluate_video(asked(run, shards, tmp_path))
    rows = results["predictors"]
    assert list(rows) == ["model", "nothing moves", "the truth"]
    assert rows["the truth"]["psnr"] == 100.0
    assert rows["the truth"]["latent_mse"] == 0.0
    assert rows["model"]["psnr"] < 100.0
    assert results["step"] == 2
    assert results["n_events"] + len(results["left_out"]) == 3
    written = json.loads((tmp_path / RESULTS).read_text())
    assert written["predictors"] == rows
    assert len(written["events"]["model"]) == results["n_events"]
    assert "| nothing moves |" in (tmp_path / TABLE).read_text()


def test_judging_again_writes_the_same_bytes(run: Path, shards: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate_video(asked(run, shards, tmp_path / name))
    for file in (RESULTS, TABLE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_only_what_was_held_out_is_judged_and_a_run_must_be_one(run: Path, shards: str, tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match="split 'train': models are judged on what was held out"):
        evaluate_video(asked(run, shards, tmp_path, split="train"))
    with pytest.raises(JoineryError, match="no checkpoint there"):
        evaluate_video(asked(tmp_path, shards, tmp_path))


def test_training_shows_held_out_events(run: Path) -> None:
    folder = run / FOLDER / "step-00000002"
    assert len(list(folder.glob("*.mp4"))) in {1, 2}
