"""The large configurations: their sizes on the meta device, and their whole code path on small parts."""

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from jobs.cli import app
from jobs.encode import encode, export_tower
from jobs.imagine import observation_of
from jobs.policy import PolicyRequest, open_policy
from jobs.train import TrainRequest, train_on
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from tests.pipeline.shards.corpus import published_set
from tests.trainer.pretrained import WAN_2_1, WAN_2_2, save_text_encoder, save_transformer, save_vae, small_wan
from trainer import configs
from trainer.codec import CodecConfig
from trainer.configs import CONFIGS, TrainConfig, load_spec, wan21_1_3b, wan22_5b
from trainer.convert import WeightFolder
from trainer.inputs import Pretrained
from trainer.loop import StepLog
from trainer.model.wam import WallWM, parameter_count
from trainer.optim import route
from trainer.policy import load_policy
from trainer.run import RunOptions, TrainReport
from trainer.sampling import Sampling

BILLION = 1e9
TABLE = {"wan21-1.3b": (1.419, 0.09, 0.40), "wan22-5b": (5.000, 0.38, 0.76)}
"""10⁹ numbers of Wan, of the cross-view branches and of the action tower; trainer.md §2.2 and §4.3 have all but 5B's
last two, which are ours, and count the action tower's block matrices only (0.39)."""


@pytest.mark.parametrize("name", TABLE)
def test_towers_have_the_sizes_of_the_table(name: str) -> None:
    config = CONFIGS[name]()
    with torch.device("meta"):
        model = WallWM(config.model)
    views = sum(value.numel() for key, value in model.video.named_parameters() if ".view." in key)
    assert model.video.camera_rope is not None
    wan = parameter_count(model.video) - views - model.video.camera_rope.angles.numel()
    found = round(wan / BILLION, 3), round(views / BILLION, 2), round(parameter_count(model.action) / BILLION, 2)
    assert found == TABLE[name]
    routed = route((key for key, _ in model.named_parameters()), config.rules)
    assert sum(rule.algorithm == "muon" for key, rule in routed.items() if key.startswith("video.layers")) == 300 + 30


def test_both_count_tokens_alike_so_that_one_plan_serves_both() -> None:
    small, large = wan21_1_3b(), wan22_5b()
    assert load_spec(small) == load_spec(large)
    assert load_spec(small).tokens_per_latent == 240
    assert small.data.codec == WAN_2_1
    assert large.data.codec == WAN_2_2


@pytest.mark.parametrize("name", TABLE)
def test_the_action_stage_has_six_draws_before_a_nearly_clean_video(name: str) -> None:
    config = CONFIGS[f"{name}-action"]()
    assert (config.stage, config.model.detach_video, config.schedule.action_draws) == ("action", True, 6)
    assert config.schedule.video.at(torch.rand(99, dtype=torch.float64)).sub(0.36).abs().max() <= 0.02
    assert CONFIGS[name]().stage == "video"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    return published_set(tmp_path_factory.getbasetemp() / "published")


def saved(folder: Path, config: TrainConfig) -> Path:
    """VAE, text encoder and transformer in one folder, as a pipeline is downloaded."""
    save_vae(folder, config.data.codec)
    save_text_encoder(folder)
    save_transformer(folder, config)
    return folder


def known(monkeypatch: pytest.MonkeyPatch, *made: TrainConfig) -> None:
    table = MappingProxyType({**CONFIGS, **{config.name: (lambda config=config: config) for config in made}})
    monkeypatch.setattr(configs, "CONFIGS", table)
    monkeypatch.setattr("jobs.train.CONFIGS", table)


def trained(asked: TrainRequest) -> tuple[TrainReport, list[StepLog]]:
    seen: list[StepLog] = []
    return train_on(asked, RunOptions(), lambda _n: seen.append), seen


@pytest.mark.parametrize("codec", [WAN_2_1, WAN_2_2], ids=["wan2.1", "wan2.2"])
def test_train_starts_from_wan_and_hands_its_tower_back(
    shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: CodecConfig
) -> None:
    config = small_wan(codec)
    actions = replace(config, name="small-wan-action", stage="action", model=replace(config.model, detach_video=True))
    known(monkeypatch, config, actions)
    folder = saved(tmp_path / "wan", config)
    parts = Pretrained(folder, folder, tmp_path / "cache")
    asked = TrainRequest(shards, tmp_path / "run", config.name, 3, weights=folder, pretrained=parts)

    said: list[tuple[int, int]] = []
    report = encode(asked, lambda done, n_all: said.append((done, n_all)), lambda _done, _all: None)
    assert said[-1] == (report.captions + 1, report.captions + 1), "and the empty one"
    files = sorted((tmp_path / "cache").rglob("*.safetensors"))

    monkeypatch.setattr("trainer.codec.WanCodec.encode", None)  # whoever encodes a picture now is found out
    monkeypatch.setattr("trainer.captions.TextEncoder.encode", None)
    first, seen = trained(asked)
    assert sorted((tmp_path / "cache").rglob("*.safetensors")) == files
    assert [line.step for line in seen] == [1, 2, 3]
    assert all(line.video > 0 for line in seen)

    monkeypatch.undo()
    known(monkeypatch, config, actions)
    online = replace(asked, out=tmp_path / "online", pretrained=replace(parts, cache=None))
    _, again = trained(online)
    assert again == seen, "encoded on the way or beforehand, one worker or none: the same run"

    export_tower(first.checkpoint, config.name, tmp_path / "tower", "diffusers", averaged=True)
    before, after = WeightFolder(folder / "transformer"), WeightFolder(tmp_path / "tower")
    assert set(before) == set(after)
    assert not torch.equal(before["blocks.0.attn1.to_q.weight"], after["blocks.0.attn1.to_q.weight"])
    moved = (before["blocks.0.attn1.to_q.weight"] - after["blocks.0.attn1.to_q.weight"]).abs().max()
    assert moved < 0.05, "it began from those weights"

    second, _ = trained(replace(asked, out=tmp_path / "second", config=actions.name, weights=first.checkpoint))
    export_tower(second.checkpoint, actions.name, tmp_path / "frozen", "diffusers", averaged=True)
    frozen = WeightFolder(tmp_path / "frozen")
    assert all(torch.equal(frozen[name], after[name]) for name in after), "the action stage leaves the video alone"
    assert json.loads((tmp_path / "tower" / "config.json").read_text())["in_channels"] == codec.channels


def test_the_commands_take_the_same_options(shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_wan()
    known(monkeypatch, config)
    folder, out = saved(tmp_path / "wan", config), tmp_path / "run"
    parts = ["--config", config.name, "--vae", str(folder), "--text-encoder", str(folder), "--steps", "2"]

    def told(*words: str) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.output
        return result.output

    assert f"windows are in {out}/cache" in told("encode", shards, "--out", str(out), *parts).replace("\n", "")
    told("train", shards, "--out", str(out), "--weights", str(folder), *parts)
    told("train", shards, "--out", str(tmp_path / "one"), "--overfit", "1", "--cache", str(out / "cache"), *parts)
    said = told("export-tower", str(out / "step-00000002"), "--config", config.name, "--out", str(tmp_path / "tower"))
    assert "left behind: " in said
    assert len(WeightFolder(tmp_path / "tower")) == len(WeightFolder(folder / "transformer"))


def test_what_was_trained_acts_and_is_judged_through_the_same_parts(
    shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_wan()
    known(monkeypatch, config)
    folder, out = saved(tmp_path / "wan", config), tmp_path / "run"
    parts = Pretrained(folder, folder, tmp_path / "cache")
    trained(TrainRequest(shards, out, config.name, 2, weights=folder, pretrained=parts, samples_every=2))
    assert list((out / "samples" / "step-00000002").glob("*.mp4")), "pictures through the VAE"
    monkeypatch.undo()  # from here on the checkpoint alone says what it needs
    policy = load_policy(out, device="cpu", pretrained=parts)
    sample = next(event for _, event in ShardSet.open(shards).iterate("train") if event.anchor_20() is not None)
    seen, sampling = observation_of(sample), Sampling("asymmetric", steps=2, video=True)
    told = policy.act(seen, 0.6, 0, sampling=sampling)
    read = policy.act(replace(seen, text_SC=policy.embed(seen.text)), 0.6, 0, sampling=sampling)
    unheard = policy.act(replace(seen, text=""), 0.6, 0, sampling=sampling)
    assert np.array_equal(told.actions_20, read.actions_20), "features are those of the caption"
    assert not np.array_equal(told.actions_20, unheard.actions_20)
    assert told.video is not None
    assert {camera: video.shape[-1] for camera, video in told.video.items()} == dict.fromkeys(policy.cameras, 3)

    def asked(*words: str) -> str:
        result = CliRunner().invoke(app, [*words, "--json"])
        return result.stdout if result.exit_code == 0 else " ".join(result.output.split())

    frozen = ["--vae", str(folder), "--text-encoder", str(folder)]
    imagined = asked("policy", "imagine", str(out), shards, sample.event_id, "--out", str(tmp_path / "seen"), *frozen)
    assert json.loads(imagined)["action_mse"] > 0
    judged = json.loads(asked("evaluate-video", str(out), shards, "--steps", "2", "--events", "2", *frozen))
    assert judged["predictors"]["the truth"]["psnr"] == 100.0
    assert judged["predictors"]["model"]["psnr"] < 100.0
    probed = json.loads(asked("probe-3d", str(out), "--fit", "2", "--judge", "1", *frozen))
    assert probed["features"]["trained tower"]["depth"] > 0
    assert "(--vae)" in asked("evaluate-video", str(out), shards)
    assert "(--text-encoder)" in asked("probe-3d", str(out), "--vae", str(folder))
    with pytest.raises(JoineryError, match=r"name its folder \(--vae\)"):
        open_policy(PolicyRequest(out))


def test_what_is_missing_is_said_before_anything_is_written(shards: str, tmp_path: Path) -> None:
    with pytest.raises(JoineryError, match=r"name its folder \(--vae\)"):
        trained(TrainRequest(shards, tmp_path / "run", "wan21-1.3b", 1))
    with pytest.raises(JoineryError, match="has neither VAE nor text encoder"):
        encode(TrainRequest(shards, tmp_path / "run", "tiny", 1), lambda _a, _b: None, lambda _a, _b: None)
    assert not (tmp_path / "run").exists()


def test_a_model_of_wan_is_distilled_and_judged_in_fp8(
    shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_wan()
    known(monkeypatch, config)
    folder = saved(tmp_path / "wan", config)
    parts = ["--vae", str(folder), "--text-encoder", str(folder)]

    def told(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result.stderr if code else result.stdout

    run, student = str(tmp_path / "run"), str(tmp_path / "student")
    told("train", shards, "--out", run, "--config", config.name, "--weights", str(folder), "--steps", "2", *parts)
    how = ["--out", student, "--steps", "2", "--sample-steps", "1", "--ratio", "1"]
    assert "--vae" in told("compress", "distill", run, shards, *how, code=1)
    told("compress", "distill", run, shards, *how, *parts)
    small = ["--out", str(tmp_path / "fp8"), "--json", "--leave", "head"]  # of two layers the usual rule leaves none
    outcome = json.loads(told("compress", "fp8", student, *small, "--shards", shards, *parts))
    assert outcome["exact"]["events"] == outcome["quantised"]["events"] > 0
    assert "--vae" in told("compress", "fp8", student, "--out", str(tmp_path / "no"), "--shards", shards, code=1)
