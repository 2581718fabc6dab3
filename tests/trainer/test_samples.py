"""Pictures of what is imagined: there, the same every time, and without a trace in what is learnt."""

import io
import json
from dataclasses import replace
from pathlib import Path

import av
import cv2
import pytest
import torch
from safetensors.torch import load_file

from tests.trainer.events import MadeSteps, example, sample, small, stats_of
from trainer.configs import TrainConfig
from trainer.eval.held_out import HeldOut, held
from trainer.example import shown_whole
from trainer.journal import LOG, SPEED
from trainer.run import RunOptions, train
from trainer.samples import FOLDER, Samples

STEPS = 5
CONFIG = replace(small(), average=0.9)


def events(config: TrainConfig) -> list[HeldOut]:
    one = sample()
    silent = replace(sample(actions=False), event_id="ev-silent")
    return [
        held(shown_whole(one, config.data), stats_of(one), config),
        held(shown_whole(silent, config.data), None, config),
    ]


def run(out: Path, *, every: int | None) -> Path:
    steps = MadeSteps(example(), example(views=2, seed=1), n_steps=STEPS)
    samples = None if every is None else Samples(events(CONFIG), every, steps=2)
    train(steps, CONFIG, out, RunOptions(samples=samples, peak_tflops=1.0))
    return out


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: value for file in folder.glob("*.safetensors") for name, value in load_file(file).items()}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("run"), every=2)


def test_nothing_that_is_learnt_changes(shown: Path, tmp_path: Path) -> None:
    plain = run(tmp_path, every=None)
    assert (shown / LOG).read_bytes() == (plain / LOG).read_bytes()
    own, other = (tensors(folder / f"step-{STEPS:08d}") for folder in (shown, plain))
    assert own.keys() == other.keys()
    assert any(name.startswith("average.") for name in own)
    assert all(torch.equal(value, other[name]) for name, value in own.items())


def test_there_are_pictures_every_few_steps_and_at_the_end(shown: Path) -> None:
    found = {path.relative_to(shown / FOLDER).as_posix() for path in (shown / FOLDER).rglob("*.*")}
    steps = [f"step-{step:08d}" for step in (2, 4, 5)]
    files = ["ev-a.png", "ev-a.mp4", "ev-a-actions.png", "ev-silent.png", "ev-silent.mp4"]
    assert found == {f"{step}/{file}" for step in steps for file in files}


def test_the_same_run_gives_the_same_bytes_and_another_step_other_ones(shown: Path, tmp_path: Path) -> None:
    again = run(tmp_path, every=2)
    for path in (shown / FOLDER).rglob("*.*"):
        assert path.read_bytes() == (again / path.relative_to(shown)).read_bytes()
    first, last = (shown / FOLDER / f"step-{step:08d}" / "ev-a.png" for step in (2, 5))
    assert first.read_bytes() != last.read_bytes()


def test_the_clip_has_as_many_frames_as_the_event_is_seen_at_and_both_cameras(shown: Path) -> None:
    folder = shown / FOLDER / "step-00000002"
    with av.open(io.BytesIO((folder / "ev-a.mp4").read_bytes())) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 25
    assert frames[0].height > 2 * 128, "a row per camera"
    strip = cv2.imread(str(folder / "ev-a.png"))
    assert strip is not None
    assert strip.shape[0] > 6 * 128, "recorded, decoded, imagined; two cameras"


def test_speeds_tell_operations_per_second_and_their_share_of_the_peak(shown: Path) -> None:
    speeds = [json.loads(line) for line in (shown / SPEED).read_text().splitlines()]
    flops = [json.loads(line)["flops"] for line in (shown / LOG).read_text().splitlines()]
    for line, needed in zip(speeds, flops, strict=True):
        assert line["tflops_per_s"] == pytest.approx(needed / line["seconds"] / 1e12, rel=1e-3)
        assert line["mfu"] == pytest.approx(line["tflops_per_s"], rel=1e-6), "the peak was said to be 1 TFLOP/s"
